//! The client and the socket over real sockets on loopback, against a PBX that does what it is told.

mod client;
mod socket;
mod tls;
