//! Start, use, refusal of a second start, stop.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::thread;
use std::time::Instant;

use precall_embedded_postgres::{DataDir, EmbeddedError, EmbeddedPostgres, Install, Stopped, installed};

use crate::support::{ask, ask_plainly, open_dir, options, processes_with, start_at};

#[test]
fn a_temporary_cluster_works_and_leaves_nothing_behind() {
    let started = Instant::now();
    let postgres = EmbeddedPostgres::start(&options(DataDir::Temporary)).unwrap();
    println!("cold start {:?} with PostgreSQL {}", started.elapsed(), postgres.version());
    let (base, url) = (postgres.directory().to_owned(), postgres.url("postgres"));
    assert!(url.starts_with("postgresql://postgres@%2F") && url.ends_with(":5432/postgres"), "{url}");
    for (setting, value) in [
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
        ("listen_addresses", ""),
        ("fsync", "off"),
        ("lc_messages", "C"),
    ] {
        assert_eq!(ask_plainly(&url, &format!("select current_setting('{setting}')")), value, "{setting}");
    }
    assert_eq!(ask_plainly(&url, "select current_user::text"), "postgres");
    assert!(ask_plainly(&url, "select version()").contains(postgres.version()));
    for dir in [base.clone(), base.join("socket")] {
        let mode = fs::metadata(&dir).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "trust is for whoever can reach the socket: us");
    }
    assert_eq!(postgres.stop(), Stopped::Cleanly);
    assert!(!base.exists(), "{} is left", base.display());
    assert_eq!(processes_with(base.to_str().unwrap()), Vec::<String>::new());
}

#[test]
fn dropping_the_value_stops_the_server() {
    let postgres = EmbeddedPostgres::start(&options(DataDir::Temporary)).unwrap();
    let base = postgres.directory().to_owned();
    drop(postgres);
    assert!(!base.exists());
    assert_eq!(processes_with(base.to_str().unwrap()), Vec::<String>::new());
}

#[tokio::test]
async fn the_server_outlives_the_thread_that_started_it() {
    // What a runtime does to a blocking thread that has been idle: it ends.
    let start = || EmbeddedPostgres::start(&options(DataDir::Temporary)).unwrap();
    let postgres = tokio::task::spawn_blocking(move || thread::spawn(start).join().unwrap()).await.unwrap();
    assert_eq!(ask(&postgres.url("postgres"), "select 'still here'").await, "still here");
    assert_eq!(tokio::task::spawn_blocking(|| postgres.stop()).await.unwrap(), Stopped::Cleanly);
}

#[test]
fn kept_data_are_there_at_the_next_start() {
    let dir = open_dir();
    let data = dir.path().join("new/and/deep");
    let identity = "select system_identifier::text from pg_control_system()";
    let first = start_at(&data);
    let before = ask_plainly(&first.url("postgres"), identity);
    assert_eq!(first.stop(), Stopped::Cleanly);
    let started = Instant::now();
    let second = start_at(&data);
    println!("warm start {:?}", started.elapsed());
    assert_eq!(ask_plainly(&second.url("postgres"), identity), before);
    drop(second);
    assert!(data.join("data/PG_VERSION").exists(), "kept data stay");
}

#[test]
fn a_second_start_on_the_same_data_is_refused_and_names_the_holder() {
    let dir = open_dir();
    let data = dir.path().join("data dir");
    let first = start_at(&data);
    let error = EmbeddedPostgres::start(&options(DataDir::At(data.clone()))).unwrap_err();
    assert!(
        matches!(error, EmbeddedError::InUse { holder: Some(pid), .. } if pid == std::process::id()),
        "{error}"
    );
    assert!(error.to_string().contains("is in use by another process"), "{error}");
    assert_eq!(ask_plainly(&first.url("postgres"), "select 'unharmed'"), "unharmed");
    drop(first);
    drop(start_at(&data));
}

#[test]
fn a_path_too_long_for_a_socket_is_replaced_by_a_short_one() {
    let dir = open_dir();
    let data = dir.path().join("x".repeat(120));
    let postgres = start_at(&data);
    let url = postgres.url("postgres");
    let socket_dir = ask_plainly(&url, "select current_setting('unix_socket_directories')");
    assert!(!socket_dir.contains("xxx"), "{socket_dir}");
    drop(postgres);
    assert!(!std::path::Path::new(&socket_dir).exists(), "{socket_dir} is left");
    assert!(data.join("data/PG_VERSION").exists());
}

#[test]
fn data_of_another_major_version_are_refused_unchanged() {
    let dir = open_dir();
    let data = dir.path().join("old");
    drop(start_at(&data));
    fs::write(data.join("data/PG_VERSION"), "12\n").unwrap();
    let error = EmbeddedPostgres::start(&options(DataDir::At(data.clone()))).unwrap_err().to_string();
    let here = installed().unwrap().version;
    assert!(error.contains("written by PostgreSQL 12") && error.contains(&here), "{error}");
    assert_eq!(fs::read_to_string(data.join("data/PG_VERSION")).unwrap(), "12\n");
}

#[test]
fn a_world_writable_directory_is_refused() {
    let dir = open_dir();
    let data = dir.path().join("everybodys");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    let error = EmbeddedPostgres::start(&options(DataDir::At(data))).unwrap_err();
    assert!(matches!(error, EmbeddedError::UnsafeDirectory { .. }), "{error}");
}

#[test]
fn below_a_closed_parent_the_data_of_root_go_to_one_fixed_other_place() {
    if !nix::unistd::Uid::effective().is_root() {
        println!("SKIPPED: only root runs the server as somebody else");
        return;
    }
    let closed = open_dir();
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let data = closed.path().join("inner");
    fs::DirBuilder::new().mode(0o755).create(&data).unwrap();
    let first = start_at(&data);
    let real = first.directory().to_owned();
    assert!(!real.starts_with(closed.path()), "{} cannot be entered", real.display());
    drop(first);
    assert_eq!(start_at(&data).directory(), real);
    fs::remove_dir_all(real).unwrap();
}

#[test]
fn a_failed_start_says_why_and_leaves_nothing_behind() {
    let mut wrong = options(DataDir::Temporary);
    wrong.install = Install::Never;
    wrong.settings.push(("shared_buffers".to_owned(), "nonsense".to_owned()));
    let error = EmbeddedPostgres::start(&wrong).unwrap_err();
    assert!(matches!(&error, EmbeddedError::Ended { log, .. } if log.contains("shared_buffers")), "{error}");
}
