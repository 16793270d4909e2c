//! A PostgreSQL server that a test can stop and start.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use precall_embedded_postgres::{DataDir, Durability, EmbeddedPostgres, Install, Options};
use tempfile::TempDir;

/// A cluster for one test. Committed data survive a crash: it runs with fsync.
pub struct Cluster {
    dir: TempDir,
    postgres: Option<EmbeddedPostgres>,
}

impl Cluster {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // When root runs the tests, PostgreSQL runs as another account, which must be able to enter.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut cluster = Self { dir, postgres: None };
        cluster.start().await;
        cluster
    }

    pub async fn start(&mut self) {
        self.start_with(Duration::from_secs(10)).await;
    }

    /// The next stop is an immediate one, without a checkpoint: the start after it has to recover.
    pub async fn start_to_crash(&mut self) {
        self.start_with(Duration::ZERO).await;
    }

    async fn start_with(&mut self, stop_timeout: Duration) {
        let data = DataDir::At(self.dir.path().join("data"));
        let options = Options { stop_timeout, ..Options::new(data, Durability::Fsync, Install::IfMissing) };
        let started = tokio::task::spawn_blocking(move || EmbeddedPostgres::start(&options));
        self.postgres = Some(started.await.unwrap().unwrap());
    }

    pub async fn stop(&mut self) {
        let postgres = self.postgres.take().unwrap();
        tokio::task::spawn_blocking(|| postgres.stop()).await.unwrap();
    }

    /// Its directory, with `data` in it.
    pub fn directory(&self) -> PathBuf {
        self.postgres.as_ref().unwrap().directory().to_owned()
    }

    pub fn url(&self, database: &str) -> String {
        self.postgres.as_ref().unwrap().url(database)
    }
}
