//! Servers for tests: a scripted PBX, a TLS front and a scripted text-to-speech server.

pub mod scripted_pbx;
pub mod scripted_speech;
pub mod tls_front;
