//! Tests of the file that says when an engine last acted.
#![allow(clippy::unwrap_used)] // A failing test may panic.

use std::fs;

use precall_base::clock;

use super::{LastActed, NAME};

#[actix::test]
async fn only_a_recent_engine_that_is_dead_has_a_successor() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!LastActed::in_folder(folder.path()).succeeds().await, "nobody acted here");
    let acting = LastActed::in_folder(folder.path());
    acting.mark().await.unwrap();
    let next = LastActed::in_folder(folder.path());
    assert!(!next.succeeds().await, "the other engine is alive");
    drop(acting);
    assert!(next.succeeds().await);
    drop(next);
    let path = folder.path().join(NAME);
    for age_s in [61, -61, 3_600] {
        fs::write(&path, (clock::now().0 - age_s * 1_000_000).to_string()).unwrap();
        assert!(!LastActed::in_folder(folder.path()).succeeds().await, "{age_s} s ago");
    }
    for damaged in ["", "x", "99999999999999999999999"] {
        fs::write(&path, damaged).unwrap();
        assert!(!LastActed::in_folder(folder.path()).succeeds().await, "{damaged:?}");
    }
}

#[actix::test]
async fn an_engine_that_was_taken_over_has_no_successor() {
    let folder = tempfile::tempdir().unwrap();
    let acting = LastActed::in_folder(folder.path());
    acting.mark().await.unwrap();
    acting.forget();
    // A mark that was under way.
    acting.mark().await.unwrap();
    drop(acting);
    assert!(!LastActed::in_folder(folder.path()).succeeds().await);
}

#[actix::test]
async fn a_folder_that_cannot_be_written_has_no_successor() {
    let acted = LastActed::in_folder(std::path::Path::new("/proc/none"));
    acted.mark().await.unwrap_err();
    assert!(!acted.succeeds().await);
}
