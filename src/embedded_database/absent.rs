//! The same interface in a build without an embedded database. There the configuration requires DATABASE_URL.

use std::path::Path;

/// Why the embedded database does not start.
#[derive(Debug, thiserror::Error)]
#[error("this build has no embedded database; set DATABASE_URL")]
pub struct EmbeddedError;

/// No value of this type exists.
pub(crate) enum EmbeddedDatabase {}

impl EmbeddedDatabase {
    /// Always refuses.
    ///
    /// # Errors
    /// Always.
    #[expect(clippy::unused_async, reason = "the other build waits for the server")]
    pub(crate) async fn start(_directory: &Path) -> Result<Self, EmbeddedError> {
        Err(EmbeddedError)
    }

    /// The connection URL.
    #[must_use]
    pub(crate) fn url(&self) -> String {
        match *self {}
    }

    /// Stops the server.
    #[expect(clippy::unused_async, reason = "the other build waits for the server")]
    pub(crate) async fn stop(self) {
        match self {}
    }
}
