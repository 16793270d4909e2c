//! A batch is unchanged after the spool.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use precall_call::At;
use serde_json::json;
use uuid::Uuid;

use super::{Content, peek, to_frame};
use crate::events::rows::{Batch, CacheUse, Entry, KeptEnd, RowWrite, Stream, Time, TranscriptDue};
use crate::spool::Spool;
use crate::spool::disk::Directory;

fn batch(seq: i64) -> Batch {
    let used = CacheUse {
        account_id: "default".into(),
        caller_id: "+441632960961".into(),
        cloned_voice_id: "v".into(),
        at: Time(At(1_700_000_000_123_456)),
    };
    let entry = Entry {
        stream: Stream::Voice,
        owner: Uuid::from_u128(7),
        seq,
        at: At(-1),
        event: json!({ "v": 1, "kind": "cloned", "cost": 0.1 + 0.2, "words": "\u{1F600}\n" }),
        pii: Some(json!({ "caller_id": "+441632960961" })),
        derived: vec![RowWrite::CacheUsed(used)],
    };
    let end = KeptEnd { pbx: "default".into(), threecx_call_id: "1".into(), ended_at: Time(At(i64::MAX)) };
    let rows =
        vec![RowWrite::EarlyEndKept(end), RowWrite::TranscriptOfLines(TranscriptDue { id: Uuid::nil() })];
    Batch { entries: vec![entry], rows }
}

#[test]
fn a_batch_is_read_back_unchanged() {
    let frame = to_frame(&batch(3), 9).unwrap();
    let (generation, read) = Batch::of(&frame).unwrap();
    assert_eq!(generation, 9);
    assert_eq!(format!("{read:?}"), format!("{:?}", batch(3)));
    assert_eq!(read.entries.first().map(|entry| &entry.event), batch(3).entries.first().map(|e| &e.event));
    assert!(Batch::of(b"{}").is_err());
    let newer = String::from_utf8(frame).unwrap().replacen("\"v\":1", "\"v\":2", 1);
    assert!(Batch::of(newer.as_bytes()).unwrap_err().to_string().contains("version 2"));
}

#[test]
fn batches_of_one_start_are_joined_and_damaged_frames_are_skipped() {
    let root = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(Directory::fresh(root.path()).unwrap(), u64::MAX).unwrap();
    spool.append(b"not ours").unwrap();
    for (seq, generation) in [(1, 9), (2, 9), (3, 10)] {
        spool.append(&to_frame(&batch(seq), generation).unwrap()).unwrap();
    }
    let first = peek(&mut spool, 0).unwrap().unwrap();
    assert_eq!((first.generation, first.frames, first.batch.entries.len()), (9, 2, 2));
    assert_eq!(first.passed_over.len(), 1);
    let second = peek(&mut spool, 2).unwrap().unwrap();
    assert_eq!((second.generation, second.frames, second.passed_over.len()), (10, 1, 0));
    assert!(peek(&mut spool, 3).unwrap().is_none());
    spool.take_out(3).unwrap();
    let left: Vec<_> = walk(root.path());
    assert!(left.iter().any(|name| name.ends_with(".damaged")), "{left:?}");
    assert!(!left.iter().any(|name| name.ends_with(".spool")), "{left:?}");
}

fn walk(root: &std::path::Path) -> Vec<String> {
    let directories = std::fs::read_dir(root).unwrap();
    let files = directories.flat_map(|entry| std::fs::read_dir(entry.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect()
}
