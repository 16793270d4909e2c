//! What these tests share: directories, queries, processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use precall_embedded_postgres::{DataDir, Durability, EmbeddedPostgres, Install, Options};
use tempfile::TempDir;
use tokio_postgres::NoTls;

pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn options(data: DataDir) -> Options {
    Options::new(data, Durability::NoFsync, Install::IfMissing)
}

pub fn start_at(dir: &Path) -> EmbeddedPostgres {
    EmbeddedPostgres::start(&options(DataDir::At(dir.to_owned()))).unwrap()
}

/// A directory that another account can enter too, should root run the tests.
pub fn open_dir() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

/// Runs a statement and returns its one text value.
pub async fn ask(url: &str, statement: &str) -> String {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect(url);
    let connection = tokio::spawn(connection);
    let row = client.query_one(statement, &[]).await.expect(statement);
    drop(client);
    connection.await.unwrap().unwrap();
    row.get(0)
}

/// [`ask`] from a test without a runtime.
pub fn ask_plainly(url: &str, statement: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(ask(url, statement))
}

/// Waits until a statement returns this text.
pub async fn until_answered(url: &str, statement: &str, text: &str) {
    let started = Instant::now();
    while ask(url, statement).await != text {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {statement} = {text}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Living processes with this text in their command line.
pub fn processes_with(text: &str) -> Vec<String> {
    let listed = Command::new("ps").args(["-eo", "pid=,stat=,command="]).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let living = |line: &&str| line.split_whitespace().nth(1).is_some_and(|state| !state.starts_with('Z'));
    listed.lines().filter(living).filter(|line| line.contains(text)).map(str::to_owned).collect()
}

pub fn postmaster_pid(base: &Path) -> u32 {
    let lock = fs::read_to_string(base.join("data/postmaster.pid")).unwrap();
    lock.lines().next().unwrap().trim().parse().unwrap()
}
