//! Peers for tests: a PBX, a TLS front and a speech server that do what the test tells them.

pub mod scripted_pbx;
pub mod scripted_speech;
pub mod tls_front;
