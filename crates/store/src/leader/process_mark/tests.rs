//! Tests of the file that shows whether a process has ended.
#![allow(clippy::unwrap_used)] // A failing test may panic.

use super::*;

#[test]
fn a_process_has_ended_when_its_file_is_there_and_free() {
    let folder = tempfile::tempdir().unwrap();
    let mark = || ProcessMark::make(folder.path()).unwrap();
    let (running, ended) = (mark(), mark());
    let id = ended.id();
    assert!(!running.has_ended(id), "its lock is held");
    drop(ended);
    assert!(running.has_ended(id));
    assert!(!running.has_ended(running.id()), "its own lock is held");
    assert!(!running.has_ended(Uuid::now_v7()), "nothing is known of a process of another host");
    running.remove_ended();
    assert!(!running.has_ended(id), "nothing is known once the file is gone");
    assert!(!mark().has_ended(running.id()), "the file of a running process stays");
}
