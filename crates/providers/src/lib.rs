//! Clients of the providers: ElevenLabs, 3CX and S3. This crate knows ids and facts, never actors. It returns results
//! and writes no log.

pub mod elevenlabs;
pub mod s3;
pub mod threecx;
pub mod tls_roots;

mod http_exchange;
mod lenient;
mod redact;

#[cfg(any(test, feature = "test-peers"))]
pub mod test_peers;
