//! Tests of `binaries.rs`.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// An installation whose `postgres` only knows its version.
fn install(dir: &Path, version: &str) {
    fs::create_dir_all(dir).unwrap();
    let script = format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n");
    for program in ["initdb", "postgres"] {
        fs::write(dir.join(program), &script).unwrap();
        fs::set_permissions(dir.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn search(path: &[&Path], known: Vec<PathBuf>) -> Search {
    Search { explicit: None, path: env::join_paths(path).unwrap(), known }
}

#[test]
fn versions_of_every_packager_are_read() {
    for (line, version, major) in [
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "15.18", 15),
        ("postgres (PostgreSQL) 18.0", "18.0", 18),
        ("postgres (PostgreSQL) 19beta1", "19beta1", 19),
    ] {
        assert_eq!(parse_version(line), Some((version.to_owned(), major)), "{line}");
    }
    for line in ["", "postgres", "postgres (PostgreSQL)", "postgres (PostgreSQL) devel"] {
        assert_eq!(parse_version(line), None, "{line}");
    }
}

#[test]
fn the_path_comes_first_and_links_are_followed_home() {
    let temp = tempfile::tempdir().unwrap();
    let (real, links, later) =
        (temp.path().join("17/bin"), temp.path().join("links"), temp.path().join("18/bin"));
    install(&real, "17.2");
    install(&later, "18.1");
    fs::create_dir(&links).unwrap();
    symlink(real.join("initdb"), links.join("initdb")).unwrap();
    let found = search(&[&links], vec![later]).find(None, RunAs::Ourselves).unwrap();
    assert_eq!(found, Binaries { dir: fs::canonicalize(real).unwrap(), major: 17, version: "17.2".into() });
}

#[test]
fn the_data_decide_which_of_two_versions_is_taken() {
    let temp = tempfile::tempdir().unwrap();
    for version in ["9", "15", "16", "18"] {
        install(&temp.path().join(version).join("bin"), &format!("{version}.1"));
    }
    let known = versioned(temp.path(), "", "bin");
    let search = search(&[], known);
    assert_eq!(search.find(None, RunAs::Ourselves).unwrap().major, 18, "newest first");
    assert_eq!(search.find(Some(15), RunAs::Ourselves).unwrap().major, 15);
    let error = search.find(Some(17), RunAs::Ourselves).unwrap_err().to_string();
    assert!(error.contains("18.1 in") && error.contains("9.1 is older than 15"), "{error}");
}

#[test]
fn an_explicit_directory_is_taken_or_refused_but_never_bypassed() {
    let temp = tempfile::tempdir().unwrap();
    let (good, old) = (temp.path().join("good"), temp.path().join("old"));
    install(&good, "17.2");
    install(&old, "13.9");
    let with = |dir: &Path| Search { explicit: Some(dir.to_owned()), ..search(&[&good], vec![]) };
    assert_eq!(with(&good).find(Some(17), RunAs::Ourselves).unwrap().major, 17);
    for (dir, said) in [(&old, "13.9 is older than 15"), (&temp.path().join("none"), "No such file")] {
        let error = with(dir).find(None, RunAs::Ourselves).unwrap_err().to_string();
        assert!(error.starts_with("PG_BIN_DIR is") && error.contains(said), "{error}");
    }
    let error = with(&good).find(Some(16), RunAs::Ourselves).unwrap_err().to_string();
    assert!(error.contains("written by PostgreSQL 16"), "{error}");
}
