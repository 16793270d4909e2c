//! What a crash can leave in a data directory, made by hand.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use precall_embedded_postgres::{DataDir, EmbeddedError, EmbeddedPostgres};

use crate::support::{ask_plainly, open_dir, options, start_at};

/// Writes the lock files that a server with this process id leaves behind.
fn write_lock_files(data: &Path, pid: u32) {
    let lock =
        format!("{pid}\n{}\n1700000000\n5432\n/nowhere\n\n  1 2\nready   \n", data.join("data").display());
    fs::write(data.join("data/postmaster.pid"), lock).unwrap();
    fs::write(data.join("socket/.s.PGSQL.5432.lock"), format!("{pid}\n")).unwrap();
    fs::write(data.join("socket/.s.PGSQL.5432"), "").unwrap();
}

fn starts_and_serves(data: &Path) {
    let postgres = start_at(data);
    assert_eq!(ask_plainly(&postgres.url("postgres"), "select 'served'"), "served");
}

#[test]
fn a_pid_file_of_a_process_that_is_gone_is_replaced() {
    let dir = open_dir();
    let data = dir.path().join("kept");
    drop(start_at(&data));
    let mut gone = Command::new("true").spawn().unwrap();
    let pid = gone.id();
    gone.wait().unwrap();
    write_lock_files(&data, pid);
    starts_and_serves(&data);
}

#[test]
fn a_pid_file_of_a_zombie_is_replaced() {
    let dir = open_dir();
    let data = dir.path().join("kept");
    drop(start_at(&data));
    // Dead, and not yet waited for.
    let mut zombie = Command::new("true").stdout(Stdio::null()).spawn().unwrap();
    let state =
        || fs::read_to_string(format!("/proc/{}/stat", zombie.id())).unwrap_or_else(|_| ") Z".to_owned());
    crate::support::until("it is a zombie", || state().contains(") Z"));
    write_lock_files(&data, zombie.id());
    starts_and_serves(&data);
    zombie.wait().unwrap();
}

#[test]
fn a_process_that_reuses_the_recorded_pid_is_not_killed() {
    let dir = open_dir();
    let data = dir.path().join("kept");
    drop(start_at(&data));
    let mut bystander = Command::new("sleep").arg("600").spawn().unwrap();
    write_lock_files(&data, bystander.id());
    starts_and_serves(&data);
    assert!(bystander.try_wait().unwrap().is_none(), "the bystander was ended");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn a_foreign_server_on_the_same_data_is_neither_stopped_nor_used() {
    let dir = open_dir();
    let data = dir.path().join("kept");
    drop(start_at(&data));
    let pgdata = data.join("data");
    // All that can be seen of a server that an administrator started by hand.
    let mut foreign = Command::new("sh");
    foreign.args(["-c", "read -r never", "postgres", "-D"]).arg(&pgdata).stdin(Stdio::piped());
    let mut foreign = foreign.spawn().unwrap();
    write_lock_files(&data, foreign.id());
    let error = EmbeddedPostgres::start(&options(DataDir::At(data.clone()))).unwrap_err();
    let pid = foreign.id();
    assert!(matches!(error, EmbeddedError::InUse { holder: Some(holder), .. } if holder == pid), "{error}");
    assert!(foreign.try_wait().unwrap().is_none(), "it was ended");
    foreign.kill().unwrap();
    foreign.wait().unwrap();
    starts_and_serves(&data);
}

#[test]
fn an_interrupted_initdb_is_repeated() {
    let dir = open_dir();
    let data = dir.path().join("half");
    let unfinished = data.join("data.unfinished");
    fs::create_dir_all(unfinished.join("base/1")).unwrap();
    fs::write(unfinished.join("PG_VERSION"), "15\n").unwrap();
    starts_and_serves(&data);
    assert!(!unfinished.exists());
}
