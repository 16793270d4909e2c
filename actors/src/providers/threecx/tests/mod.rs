//! The client and the socket over real sockets on loopback, against a PBX that does what it is told.

pub(crate) mod scripted_pbx;
pub(crate) mod tls_front;

mod client;
mod socket;
mod tls;
