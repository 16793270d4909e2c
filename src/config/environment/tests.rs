//! The process environment and `.env`.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
use std::fs;

use super::read_environment;

#[test]
fn a_missing_file_is_no_problem() {
    let dir = tempfile::tempdir().unwrap();
    let map = read_environment(&dir.path().join(".env")).unwrap();
    assert!(map.contains_key("PATH"));
}

#[test]
fn the_environment_wins_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".env");
    fs::write(&file, "PATH=from-the-file\n# comment\nGREETING_MESSAGE='costs $5'\n").unwrap();
    let map = read_environment(&file).unwrap();
    assert_ne!(map.get("PATH").map(String::as_str), Some("from-the-file"));
    assert_eq!(map.get("GREETING_MESSAGE").map(String::as_str), Some("costs $5"));
}

#[test]
fn a_broken_line_is_located_and_not_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".env");
    fs::write(&file, "PORT=3006\nWEBHOOK_SECRET='topsecret\n").unwrap();
    let message = read_environment(&file).unwrap_err().to_string();
    assert!(message.contains("after PORT"), "{message}");
    assert!(!message.contains("topsecret"), "{message}");
}

#[test]
fn a_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(read_environment(dir.path()).is_err());
}
