//! A PostgreSQL server that a test can stop and start.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use precall_embedded_postgres::{DataDir, Durability, EmbeddedPostgres, Install, Options};
use tempfile::TempDir;

use crate::harness::usage::postmaster;

/// A cluster for one test. Committed data survive a crash: it runs with fsync.
pub struct Cluster {
    dir: TempDir,
    postgres: Option<EmbeddedPostgres>,
}

impl Cluster {
    pub async fn new() -> Self {
        let mut cluster = Self { dir: server_dir(), postgres: None };
        cluster.start().await;
        cluster
    }

    pub async fn start(&mut self) {
        self.start_with(Duration::from_secs(10), Vec::new()).await;
    }

    /// The next stop is an immediate one, without a checkpoint: the start after it has to recover.
    pub async fn start_to_crash(&mut self) {
        self.start_with(Duration::ZERO, Vec::new()).await;
    }

    async fn start_with(&mut self, stop_timeout: Duration, settings: Vec<(String, String)>) {
        let data = DataDir::At(self.dir.path().join("data"));
        let options =
            Options { stop_timeout, settings, ..Options::new(data, Durability::Fsync, Install::IfMissing) };
        let started = tokio::task::spawn_blocking(move || EmbeddedPostgres::start(&options));
        self.postgres = Some(started.await.unwrap().unwrap());
    }

    pub async fn stop(&mut self) {
        let postgres = self.postgres.take().unwrap();
        tokio::task::spawn_blocking(|| postgres.stop()).await.unwrap();
    }

    /// A hot standby that streams from this cluster. This one is stopped while its data are copied.
    pub async fn replica(&mut self) -> Self {
        self.stop().await;
        let mut replica = Self { dir: server_dir(), postgres: None };
        let (from, to) = (self.dir.path().join("data"), replica.dir.path().join("data"));
        // With the owners of the files: the server runs as another account when root runs the tests.
        let copied = Command::new("cp").arg("-a").arg(from).arg(&to).status().unwrap();
        assert!(copied.success());
        std::fs::write(to.join("data").join("standby.signal"), "").unwrap();
        self.start().await;
        let source = ("primary_conninfo".to_owned(), self.url("postgres"));
        replica.start_with(Duration::from_secs(10), vec![source]).await;
        replica
    }

    /// Stops every process of the server where it stands (SIGSTOP), until the value is dropped: its connections stay
    /// open, and nothing answers.
    pub fn freeze(&self) -> Frozen {
        Frozen::server_of(postmaster(&self.directory().join("data")).unwrap())
    }

    /// Its directory, with `data` in it.
    pub fn directory(&self) -> PathBuf {
        self.postgres.as_ref().unwrap().directory().to_owned()
    }

    pub fn url(&self, database: &str) -> String {
        self.postgres.as_ref().unwrap().url(database)
    }
}

fn server_dir() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    // When root runs the tests, PostgreSQL runs as another account, which must be able to enter.
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

/// A server that does nothing.
pub struct Frozen {
    processes: Vec<u32>,
}

impl Frozen {
    /// The server with this postmaster.
    pub(crate) fn server_of(postmaster: u32) -> Self {
        let mut processes = vec![postmaster];
        // The postmaster first: it must not start others meanwhile.
        signal("STOP", &processes);
        processes.extend(children_of(postmaster));
        signal("STOP", &processes);
        Self { processes }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal("CONT", &self.processes);
    }
}

fn signal(name: &str, processes: &[u32]) {
    let ids = processes.iter().map(u32::to_string);
    // A child may have ended meanwhile, so the outcome says nothing.
    let _ = Command::new("kill").arg(format!("-{name}")).args(ids).output().unwrap();
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name of a process may hold spaces: what follows its last bracket does not.
        let (_, fields) = stat.rsplit_once(')')?;
        (fields.split_whitespace().nth(1)?.parse() == Ok(parent)).then_some(id)
    });
    processes.collect()
}
