//! A database that is older than the mark lacks events, for as long as the file says so.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use uuid::Uuid;

use super::{End, Mark, Timestamp, keep_missing, missing, write};

const OURS: Uuid = Uuid::from_u128(7);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn mark(database: Uuid, position: i64) -> Mark {
    Mark { database, generation: 3, position, at: at(90) }
}

fn end(position: i64) -> End {
    End { database: OURS, position, newest: Some(at(30)) }
}

#[test]
fn a_restored_database_lacks_what_was_acknowledged_after_its_backup() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    assert_eq!(missing(&root.join("none"), end(1)).unwrap(), []);
    write(root, &mark(OURS, 50)).unwrap();
    write(root, &mark(Uuid::from_u128(8), 1_000)).unwrap();
    assert_eq!(missing(root, end(50)).unwrap(), [], "another database's mark says nothing");
    assert_eq!(missing(root, end(51)).unwrap(), [], "the mark may lack the last second");
    let found = missing(root, end(40)).unwrap();
    let words = found.first().unwrap().to_string();
    assert!(words.contains("up to position 50") && words.contains("ended at position 40"), "{words}");
    assert!(words.contains("up to 10 events of 60 s are missing"), "{words}");
    // The restored database is used, and goes on with the positions that were lost.
    assert_eq!(keep_missing(root, end(40)).unwrap().len(), 1);
    assert_eq!(missing(root, end(40)).unwrap().len(), 1, "named once");
    write(root, &mark(OURS, 60)).unwrap();
    let found = missing(root, end(60)).unwrap();
    assert_eq!(found.len(), 1);
    let kept = found.first().unwrap();
    assert!(kept.to_string().contains("ended at position 40 at"), "{kept}");
    assert_eq!(keep_missing(root, end(60)).unwrap(), found, "it stays");
    std::fs::remove_file(&kept.file).unwrap();
    assert_eq!(missing(root, end(60)).unwrap(), []);
}

#[test]
fn a_file_of_no_use_says_nothing() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join(format!("acknowledged-{OURS}.json")), "{").unwrap();
    assert_eq!(keep_missing(root.path(), end(1)).unwrap(), []);
}
