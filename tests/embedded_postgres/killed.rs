//! SIGKILL of a program that embeds PostgreSQL. This test binary starts itself again as the program to be killed.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use precall_embedded_postgres::{DataDir, EmbeddedPostgres, template::TestCluster};

use crate::support::{ask_plainly, open_dir, options, postmaster_pid, processes_with, start_at, until};

/// What the copy is to do: `temporary`, `template`, or the path of a data directory.
const ROLE: &str = "PRECALL_TEST_ROLE";

/// Not a test but the program to be killed; without a role it has nothing to do.
#[test]
fn the_program_to_be_killed() {
    let Ok(role) = env::var(ROLE) else { return };
    let template;
    let postgres;
    let serving = match role.as_str() {
        "template" => {
            template = TestCluster::shared(|_url| async { Ok(()) }).unwrap();
            template.postgres()
        }
        "temporary" => {
            postgres = EmbeddedPostgres::start(&options(DataDir::Temporary)).unwrap();
            &postgres
        }
        path => {
            postgres = start_at(Path::new(path));
            &postgres
        }
    };
    // Past the test harness, which keeps what tests print to itself.
    writeln!(std::io::stderr().lock(), "serving {}", serving.directory().display()).unwrap();
    // Until it is killed, or until the one that started it is gone or lets go.
    let _end = std::io::stdin().lines().next();
    if role == "template" {
        // As every test binary ends: without a word to its statics.
        std::process::exit(0);
    }
}

fn start_copy(role: &str) -> (Child, PathBuf) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "killed::the_program_to_be_killed", "--nocapture"])
        .env(ROLE, role)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut serving =
        lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("serving ").map(PathBuf::from));
    let base = serving.next().expect("the copy did not start");
    (child, base)
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn nothing_is_left_of(base: &Path) {
    let text = base.to_str().unwrap();
    until(&format!("{text} without a process"), || processes_with(text).is_empty());
    until(&format!("{text} gone"), || !base.exists());
}

#[test]
fn a_killed_program_leaves_neither_a_server_nor_its_directory() {
    let (child, base) = start_copy("temporary");
    assert!(!processes_with(base.to_str().unwrap()).is_empty());
    kill(child);
    nothing_is_left_of(&base);
}

#[test]
fn a_test_binary_that_exits_leaves_neither_a_server_nor_its_directory() {
    let (mut child, base) = start_copy("template");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    nothing_is_left_of(&base);
}

#[test]
fn the_data_of_a_killed_program_are_shut_down_cleanly() {
    let dir = open_dir();
    let data = dir.path().join("kept");
    let (child, base) = start_copy(data.to_str().unwrap());
    kill(child);
    until("the guardian has done its work", || processes_with(base.to_str().unwrap()).is_empty());
    let _next = start_at(&data);
    let log = fs::read_to_string(base.join("postgres.log")).unwrap();
    assert!(log.contains("database system was shut down at"), "{log}");
}

#[test]
fn after_a_kill_the_same_data_directory_can_be_used_at_once() {
    let dir = open_dir();
    let data = dir.path().join("kept");
    let (child, base) = start_copy(data.to_str().unwrap());
    let orphan = postmaster_pid(&base);
    kill(child);
    // Its guardian is stopping it at this very moment.
    let next = start_at(&data);
    assert_ne!(postmaster_pid(&base), orphan);
    assert_eq!(ask_plainly(&next.url("postgres"), "select 'served'"), "served");
}

#[test]
fn a_server_without_its_guardian_is_found_and_stopped() {
    let dir = open_dir();
    let data = dir.path().join("kept");
    let (child, base) = start_copy(data.to_str().unwrap());
    let orphan = postmaster_pid(&base);
    let guardians = processes_with(&format!("precall-guardian {}", base.display()));
    assert_eq!(guardians.len(), 1, "{guardians:?}");
    let guardian = guardians[0].split_whitespace().next().unwrap();
    assert!(Command::new("kill").args(["-KILL", guardian]).status().unwrap().success());
    until("the guardian is gone", || {
        processes_with(&format!("precall-guardian {}", base.display())).is_empty()
    });
    kill(child);
    assert!(processes_with(base.to_str().unwrap()).iter().any(|line| line.contains(&orphan.to_string())));
    let next = start_at(&data);
    assert_ne!(postmaster_pid(&base), orphan);
    assert_eq!(ask_plainly(&next.url("postgres"), "select 'served'"), "served");
}
