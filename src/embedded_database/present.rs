//! The embedded PostgreSQL server, from binaries on this machine.

use std::path::Path;

use precall_embedded_postgres::{DataDir, Durability, EmbeddedPostgres, Install, Options};

/// Name of the database.
const NAME: &str = "postgres";

/// Why the embedded database does not start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The server does not start.
    #[error(transparent)]
    Server(#[from] precall_embedded_postgres::EmbeddedError),
    /// The thread that starts the server has failed.
    #[error("the start of the embedded database was interrupted")]
    Interrupted,
}

/// A running server. Dropping it stops it.
pub(crate) struct EmbeddedDatabase(EmbeddedPostgres);

impl EmbeddedDatabase {
    /// Starts a server on this data directory. Never installs PostgreSQL.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or the server does not start.
    pub(crate) async fn start(directory: &Path) -> Result<Self, EmbeddedError> {
        // The launcher reads PG_BIN_DIR itself, as it does for the tests and the demo.
        let data = DataDir::At(directory.to_owned());
        start_server(Options::new(data, Durability::Fsync, Install::Never)).await.map(Self)
    }

    /// The connection URL.
    #[must_use]
    pub(crate) fn url(&self) -> String {
        self.0.url(NAME)
    }

    /// Stops the server.
    pub(crate) async fn stop(self) {
        let _stopped = tokio::task::spawn_blocking(move || self.0.stop()).await;
    }
}

/// Starts a server on another thread, because the start blocks for seconds.
pub(crate) async fn start_server(options: Options) -> Result<EmbeddedPostgres, EmbeddedError> {
    let started = tokio::task::spawn_blocking(move || EmbeddedPostgres::start(&options)).await;
    Ok(started.map_err(|_| EmbeddedError::Interrupted)??)
}
