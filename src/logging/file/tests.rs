//! Tests of the log file.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use super::{LOOK_EVERY, RotatingFile, Written};
use crate::config::LogFile;

const LINE: &[u8] = b"0123456789012345678901234567890123456789\n";

fn file(path: &Path, max_bytes: u64, keep: usize) -> RotatingFile {
    RotatingFile::new(LogFile { path: path.to_owned(), max_bytes, keep })
}

/// Names and sizes of the visible files.
fn sizes(directory: &Path) -> Vec<(String, u64)> {
    let mut found: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
        .filter(|(name, _)| !name.starts_with('.'))
        .collect();
    found.sort();
    found
}

/// Makes the next check due now.
fn wait(file: &mut RotatingFile) {
    file.looked_at = Instant::now().checked_sub(LOOK_EVERY).unwrap();
}

#[test]
fn size_and_count_are_limited() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = file(&dir.path().join("a.log"), 100, 3);
    for _ in 0..1_000 {
        assert_eq!(log.write(LINE), Written::AsBefore);
    }
    let expected = ["a.log", "a.log.1", "a.log.2"].map(|name| (name.to_owned(), 82));
    assert_eq!(sizes(dir.path()), expected);
}

#[test]
fn one_file_is_possible() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = file(&dir.path().join("a.log"), 100, 1);
    for _ in 0..9 {
        log.write(LINE);
    }
    assert_eq!(sizes(dir.path()), [("a.log".to_owned(), 41)]);
}

#[test]
fn a_new_start_appends_and_applies_a_lower_limit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    let mut log = file(&path, 50, 6);
    for _ in 0..10 {
        log.write(LINE);
    }
    assert_eq!(sizes(dir.path()).len(), 6);
    drop(log);
    let mut log = file(&path, 100, 2);
    log.write(LINE);
    assert_eq!(sizes(dir.path()), [("a.log".to_owned(), 82), ("a.log.1".to_owned(), 41)]);
    for _ in 0..10 {
        assert_eq!(log.write(LINE), Written::AsBefore);
    }
    assert_eq!(sizes(dir.path()).len(), 2);
}

#[test]
fn a_line_longer_than_a_file_is_kept_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    let mut log = file(&path, 10, 2);
    log.write(LINE);
    log.write(LINE);
    assert_eq!(fs::read(&path).unwrap(), LINE);
}

#[test]
fn a_failing_file_is_reported_once_and_retried() {
    let dir = tempfile::tempdir().unwrap();
    let blocker = dir.path().join("logs");
    fs::write(&blocker, "not a directory").unwrap();
    let mut log = file(&blocker.join("a.log"), 100, 2);
    assert!(matches!(log.write(LINE), Written::Failed(_)));
    assert_eq!(log.write(LINE), Written::AsBefore);
    wait(&mut log);
    assert_eq!(log.write(LINE), Written::AsBefore);
    fs::remove_file(&blocker).unwrap();
    assert_eq!(log.write(LINE), Written::AsBefore, "not before its time");
    wait(&mut log);
    assert_eq!(log.write(LINE), Written::Again);
    assert_eq!(sizes(&blocker), [("a.log".to_owned(), 41)]);
}

#[test]
fn a_second_process_does_not_rotate_the_same_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    let (mut first, mut second) = (file(&path, 100, 2), file(&path, 100, 2));
    assert_eq!(first.write(LINE), Written::AsBefore);
    assert_eq!(second.write(LINE), Written::Failed("another process writes this file".to_owned()));
    drop(first);
    wait(&mut second);
    assert_eq!(second.write(LINE), Written::Again);
}

#[test]
fn a_moved_file_is_created_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    let mut log = file(&path, 1_000, 2);
    log.write(LINE);
    fs::remove_file(&path).unwrap();
    wait(&mut log);
    assert_eq!(log.write(LINE), Written::AsBefore);
    assert_eq!(fs::read(&path).unwrap(), LINE);
}

#[test]
fn foreign_files_in_the_way_do_not_end_logging() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    let mut log = file(&path, 50, 3);
    log.write(LINE);
    // The library asserts that this file, which it did not see at the start, does not exist.
    fs::write(dir.path().join("a.log.1"), "x").unwrap();
    assert!(matches!(log.write(LINE), Written::Failed(_)));
    wait(&mut log);
    assert_eq!(log.write(LINE), Written::Again);
    assert!(sizes(dir.path()).len() <= 3);
}

#[test]
fn others_cannot_read_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    file(&path, 50, 3).write(LINE);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o007, 0);
}
