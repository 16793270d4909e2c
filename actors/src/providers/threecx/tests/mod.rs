//! The client and the socket over real sockets on loopback, against a PBX that does what it is told.

pub(crate) mod scripted_pbx;

mod client;
mod socket;
