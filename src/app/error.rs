//! Why the program does not start.

use std::io;
use std::net::SocketAddr;

use precall_actors::lifecycle::start::EngineError;
use precall_providers::elevenlabs;
use precall_providers::otlp::CollectorSettingsError;
use precall_providers::s3::S3SettingsError;
use precall_providers::threecx::settings as threecx;
use precall_providers::tls_roots::TlsRootsError;
use precall_store::connect::{ConnectError, DatabaseUrlError};

use crate::embedded_database::EmbeddedError;

/// Why precall does not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// `HOST:PORT`.
        address: SocketAddr,
        /// The system's error.
        reason: io::Error,
    },
    /// The embedded database does not start.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The database URL or the certificates are wrong.
    #[error(transparent)]
    Database(#[from] ConnectError),
    /// The URL of the embedded database is wrong.
    #[error("the database address cannot be used: {0}")]
    DatabaseUrl(#[from] DatabaseUrlError),
    /// The address or key of ElevenLabs is wrong.
    #[error(transparent)]
    Provider(#[from] elevenlabs::SettingsError),
    /// `ELEVENLABS_API_BASE` is not a URL.
    #[error("ELEVENLABS_API_BASE cannot be read: {0}")]
    ProviderUrl(#[from] url::ParseError),
    /// Address, client or secret of the PBX is wrong.
    #[error(transparent)]
    Pbx(#[from] threecx::SettingsError),
    /// `THREECX_CA_FILE` cannot be used.
    #[error("THREECX_CA_FILE: {0}")]
    PbxTrust(#[from] TlsRootsError),
    /// A header for the trace collector cannot be sent.
    #[error(transparent)]
    Collector(#[from] CollectorSettingsError),
    /// The certificates of the host cannot be used for the trace collector.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT: {0}")]
    CollectorTrust(TlsRootsError),
    /// `THREECX_BASE_URL` is not a URL.
    #[error("THREECX_BASE_URL cannot be read: {0}")]
    PbxUrl(url::ParseError),
    /// Address or keys of the bucket are wrong.
    #[error(transparent)]
    Bucket(#[from] S3SettingsError),
    /// `S3_ENDPOINT` is not a URL.
    #[error("S3_ENDPOINT cannot be read: {0}")]
    BucketUrl(url::ParseError),
    /// The spool cannot be made, so a database outage would lose events. Says what to change.
    #[error("SPOOL_DIR: {0}")]
    Spool(String),
    /// The channels of alerts cannot be used.
    #[error("alerts cannot be sent: {0}")]
    Alerts(String),
    /// The engine does not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The HTTP server does not start.
    #[error("the HTTP server does not start: {0}")]
    Http(#[from] io::Error),
    /// A task of the start has failed.
    #[error("the start was interrupted")]
    Interrupted,
}
