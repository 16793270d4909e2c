//! Servers for tests: a scripted PBX, a TLS front, a scripted text-to-speech server and a mail server.

pub mod scripted_pbx;
pub mod scripted_speech;
pub mod smtp_stub;
pub mod tls_front;
