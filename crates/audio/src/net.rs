//! Connections to the PBX: sockets, warm connections, the slow upload that carries audio, and its retry rules.

pub(crate) mod connection;
pub(crate) mod http1;
pub(crate) mod liveness;
pub(crate) mod socket;
pub(crate) mod stream_retry;
pub(crate) mod upload_body;
pub(crate) mod warm_connections;
