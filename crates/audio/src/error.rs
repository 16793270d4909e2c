//! Why audio cannot be started. Raised by the settings (`media`) and by the connection to the PBX (`net`), used by
//! both.

/// Why [`Media::start`](crate::Media::start) failed.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The PBX's address has no host, or a scheme other than http and https.
    #[error("the PBX's address must be http or https with a host")]
    Base,
    /// The lead is too narrow or too long.
    #[error("the lead must be at least 40 ms wide, and at most 500 ms ahead")]
    Lead,
    /// TLS cannot be set up, for instance because the extra certificates cannot be read.
    #[error("TLS to the PBX cannot be set up: {0}")]
    Tls(String),
    /// The operating system gave no thread or no runtime.
    #[error("cannot start an audio thread: {0}")]
    Thread(#[from] std::io::Error),
}
