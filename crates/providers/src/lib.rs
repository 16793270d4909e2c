//! Clients of ElevenLabs, 3CX, S3 and a trace collector over HTTP and WebSocket, and of mail servers and webhooks for
//! alerts. They know ids and facts, no actors. They return results and write no log.

pub mod alert_webhook;
pub mod body_progress;
pub mod elevenlabs;
pub mod mail;
pub mod otlp;
pub mod request_watch;
pub mod s3;
pub mod threecx;
pub mod tls_roots;
pub mod trace_context;
pub mod wire_record;

mod http_client;
mod http_exchange;
mod lenient;

#[cfg(any(test, feature = "test-peers"))]
pub mod test_peers;
