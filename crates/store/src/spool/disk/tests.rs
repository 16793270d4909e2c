//! The files and directories of the spool.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use uuid::Uuid;

use super::{Belongs, Directory, Looked, Segments};

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
    assert!(Directory::left_behind(&root).unwrap().directories.is_empty(), "its owner still locks it");
    let second = Directory::fresh(&root).unwrap();
    drop(first);
    let mut left = Directory::left_behind(&root).unwrap().directories;
    assert_eq!(left.len(), 1, "the owner still locks the second");
    assert!(Directory::left_behind(&root).unwrap().directories.is_empty(), "the first is locked again");
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
    assert!(Directory::left_behind(&root.path().join("nothing")).unwrap().directories.is_empty());
}

#[test]
fn a_directory_says_which_database_its_frames_are_of_before_the_first_one() {
    let root = tempfile::tempdir().unwrap();
    let database = Uuid::from_u128(7);
    let mut early = Directory::fresh(root.path()).unwrap();
    early.append(1, b"a").unwrap();
    assert_eq!(early.belongs(), Belongs::Unsaid, "as an earlier version leaves it");
    let mut directory = Directory::fresh(root.path()).unwrap();
    directory.belong_to(database);
    assert_eq!(directory.belongs(), Belongs::Unsaid, "nothing to say yet");
    // Where the name cannot be written, no frame is written either.
    let name = directory.path().join("database.new");
    fs::create_dir(&name).unwrap();
    assert!(directory.append(1, b"a").is_err());
    assert_eq!(directory.list().unwrap(), []);
    fs::remove_dir(&name).unwrap();
    directory.append(1, b"a").unwrap();
    assert_eq!(directory.belongs(), Belongs::To(database));
    let looked = Looked::all(root.path()).unwrap();
    assert_eq!(
        looked.iter().map(Looked::belongs).collect::<Vec<_>>(),
        [Belongs::Unsaid, Belongs::To(database)]
    );
    assert!(looked.iter().all(Looked::is_held));
    let path = directory.path().to_owned();
    fs::write(path.join("database"), "half").unwrap();
    assert_eq!(directory.belongs(), Belongs::Unreadable);
    directory.remove(1).unwrap();
    drop(directory);
    assert!(!path.exists(), "a name alone is nothing to keep");
    drop(early);
    assert!(!looked.first().unwrap().is_held());
}

#[test]
fn what_is_read_is_what_was_appended_meanwhile() {
    let root = tempfile::tempdir().unwrap();
    let mut directory = Directory::fresh(root.path()).unwrap();
    directory.append(1, b"ab").unwrap();
    assert_eq!(directory.read(1, 0, 2).unwrap(), b"ab");
    directory.append(1, b"cd").unwrap();
    assert_eq!(directory.read(1, 1, 3).unwrap(), b"bcd", "the cached bytes grow with the file");
    directory.append(2, b"xyz").unwrap();
    assert_eq!(directory.read(2, 0, 3).unwrap(), b"xyz");
    assert_eq!(directory.read(1, 0, 4).unwrap(), b"abcd");
    directory.remove(1).unwrap();
    assert!(directory.read(1, 0, 4).is_err());
}
