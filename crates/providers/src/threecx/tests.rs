//! Client and socket over loopback, against a scripted PBX.

mod client;
mod socket;
mod tls;
