//! Each fault of a disk has advice of its own.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::collections::BTreeSet;
use std::path::Path;

use nix::errno::Errno;

use super::{FLOOR_BYTES, MIB, Room, advice, at, fault, may_pass, shortage};

const FULL: Room = Room { bytes: 3 * MIB, no_inodes: false };

fn said(errno: Errno, room: Room) -> String {
    advice("/srv/spool", &errno.into(), Some(room), 1024 * MIB)
}

#[test]
fn each_fault_names_the_directory_and_its_own_remedy() {
    let faults = [
        (Errno::ENOSPC, "is full, 3 MiB are free and up to 1024 MiB", true),
        (Errno::EDQUOT, "quota", true),
        (Errno::EROFS, "read-only", true),
        (Errno::EIO, "look at the disk", true),
        (Errno::EACCES, "may not write", false),
        (Errno::ENOENT, "does not exist", false),
        (Errno::ENOTDIR, "is a file", false),
    ];
    let mut all = BTreeSet::new();
    for (errno, words, passes) in faults {
        let text = said(errno, FULL);
        assert!(text.contains(words) && text.starts_with("/srv/spool: "), "{text}");
        assert!(text.chars().count() < 290, "health shows 300 characters: {text}");
        assert_eq!(may_pass(&errno.into()), passes, "{text}");
        assert!(all.insert(text));
    }
    let inodes = said(Errno::ENOSPC, Room { bytes: 1 << 40, no_inodes: true });
    assert!(inodes.contains("inodes") && !inodes.contains("MiB"), "{inodes}");
}

#[test]
fn too_little_room_is_said_before_it_is_needed() {
    let (max, room) = (1024 * MIB, |bytes| Room { bytes, no_inodes: false });
    assert_eq!(shortage(room(1024 * MIB), 0, max), None);
    assert_eq!(shortage(room(24 * MIB), 1000 * MIB, max), None, "what waits already has its place");
    let small = shortage(room(1023 * MIB), 0, max).unwrap();
    assert!(small.contains("too small") && small.contains("1023 MiB are free and 1024 MiB"), "{small}");
    let full = shortage(room(FLOOR_BYTES - 1), 0, max).unwrap();
    assert!(full.contains("is full") && full.contains("refused"), "{full}");
    assert!(shortage(Room { bytes: max, no_inodes: true }, 0, max).unwrap().contains("inodes"));
}

#[test]
fn the_room_is_that_of_the_place_where_a_missing_directory_would_be() {
    let root = tempfile::tempdir().unwrap();
    let missing = root.path().join("a/b/c");
    assert!(at(&missing).unwrap().bytes > 0);
    let text = fault(&missing, &Errno::ENOSPC.into(), 0);
    assert!(text.starts_with(&missing.display().to_string()), "{text}");
    assert!(at(Path::new("")).is_ok(), "a relative path");
}
