//! Connections to the PBX: sockets, warm connections, the slow upload that carries audio, and when it is retried.

pub(crate) mod connection;
pub(crate) mod socket;
pub mod stream_retry;
pub(crate) mod upload_body;
pub(crate) mod warm_connections;
