//! Why the program does not start.

use std::io;
use std::net::SocketAddr;

use precall_actors::lifecycle::start::EngineError;
use precall_providers::elevenlabs;
use precall_providers::s3::S3SettingsError;
use precall_providers::threecx::settings as threecx;
use precall_providers::tls_roots::TrustError;
use precall_store::connect::{ConnectError, DatabaseUrlError};

use crate::embedded_database::EmbeddedError;

/// Why the program cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// `HOST:PORT`.
        address: SocketAddr,
        /// What the system says.
        reason: io::Error,
    },
    /// The embedded database does not start.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The database's address or certificates cannot be used.
    #[error(transparent)]
    Database(#[from] ConnectError),
    /// The address of the embedded database cannot be used.
    #[error("the database address cannot be used: {0}")]
    DatabaseUrl(#[from] DatabaseUrlError),
    /// The provider's address or key cannot be used.
    #[error(transparent)]
    Provider(#[from] elevenlabs::SettingsError),
    /// The provider's address cannot be read.
    #[error("ELEVENLABS_API_BASE cannot be read: {0}")]
    ProviderUrl(#[from] url::ParseError),
    /// The PBX's address, client or secret cannot be used.
    #[error(transparent)]
    Pbx(#[from] threecx::SettingsError),
    /// The PBX's authority cannot be used.
    #[error("THREECX_CA_FILE: {0}")]
    PbxTrust(#[from] TrustError),
    /// The PBX's address cannot be read.
    #[error("THREECX_BASE_URL cannot be read: {0}")]
    PbxUrl(url::ParseError),
    /// The bucket's address or keys cannot be used.
    #[error(transparent)]
    Bucket(#[from] S3SettingsError),
    /// The store's address cannot be read.
    #[error("S3_ENDPOINT cannot be read: {0}")]
    BucketUrl(url::ParseError),
    /// Events would have nowhere to go while the database is away.
    #[error(
        "SPOOL_DIR: nothing can be kept in {directory}: {reason}; give a directory that this user may write"
    )]
    Spool {
        /// Its value.
        directory: String,
        /// What the system says.
        reason: io::Error,
    },
    /// The engine does not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The HTTP server does not start.
    #[error("the HTTP server does not start: {0}")]
    Http(#[from] io::Error),
    /// A task of our own was lost.
    #[error("the start was interrupted")]
    Interrupted,
}
