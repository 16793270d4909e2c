//! The files and directories of the spool.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Directory, Segments};

#[test]
fn the_next_start_reads_a_directory_that_was_left_behind() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().join("made/when/missing");
    let mut first = Directory::fresh(&root).unwrap();
    first.append(1, b"ab").unwrap();
    first.append(1, b"cd").unwrap();
    first.append(2, b"e").unwrap();
    assert_eq!(first.read(1, 1, 2).unwrap(), b"bc");
    assert!(first.read(1, 3, 2).is_err(), "a short read is an error");
    assert!(Directory::left_behind(&root).unwrap().is_empty(), "its owner still locks it");
    let second = Directory::fresh(&root).unwrap();
    drop(first);
    let mut left = Directory::left_behind(&root).unwrap();
    assert_eq!(left.len(), 1, "the owner still locks the second");
    assert!(Directory::left_behind(&root).unwrap().is_empty(), "the first is locked again");
    let found = left.first_mut().unwrap();
    assert_eq!(found.list().unwrap(), [(1, 4), (2, 1)]);
    found.remove(1).unwrap();
    found.set_aside(2).unwrap();
    assert_eq!(found.list().unwrap(), []);
    let path = found.path().to_owned();
    drop(left);
    assert!(path.join("00000000000000000002.damaged").exists(), "a damaged segment stays");
    drop(second);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 1, "an empty directory is deleted");
}

#[test]
fn other_users_cannot_read_the_spool() {
    let root = tempfile::tempdir().unwrap();
    let mut directory = Directory::fresh(root.path()).unwrap();
    directory.append(1, b"a").unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(directory.path()), 0o700);
    assert_eq!(mode(&directory.of(1)), 0o600);
}

#[test]
fn a_directory_that_cannot_be_created_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(Directory::fresh(&file.join("spool")).is_err());
    assert!(Directory::left_behind(&root.path().join("nothing")).unwrap().is_empty());
}
