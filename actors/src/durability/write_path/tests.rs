//! Tests of write path.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

use precall_store::events::rows::{RowWrite, TranscriptDue};

use super::{Arc, Batch, Unit, WritePath, WriteStep};

fn unit(name: u32) -> Unit<u32> {
    let row = RowWrite::TranscriptOfLines(TranscriptDue { id: uuid::Uuid::nil() });
    Unit { batch: Batch { entries: Vec::new(), rows: vec![row] }, ack: name }
}

fn written(next: Option<WriteStep>) -> Arc<Batch> {
    let Some(WriteStep::Write(batch)) = next else { panic!("{next:?}") };
    batch
}

fn spooled(next: Option<WriteStep>) -> Arc<Batch> {
    let Some(WriteStep::Spool(batch)) = next else { panic!("{next:?}") };
    batch
}

#[test]
fn a_batch_of_unknown_outcome_is_spooled_unchanged_and_all_others_queue_behind_it() {
    let mut path = WritePath::default();
    let first = written(path.append(unit(1)));
    assert!(path.append(unit(2)).is_none());
    let again = spooled(path.outcome_unknown());
    assert!(Arc::ptr_eq(&first, &again));
    let (acks, next) = path.done();
    assert_eq!(acks, [1], "what is in the spool is durable");
    spooled(next);
    let mark = path.begin_drain();
    assert!(!path.drained(mark), "the second is on its way");
    assert_eq!(path.done().0, [2]);
    assert!(path.is_spooling() && path.is_idle());
    spooled(path.append(unit(3)));
    path.done();
    let mark = path.begin_drain();
    assert!(path.drained(mark));
    written(path.append(unit(4)));
}

#[test]
fn what_was_spooled_after_the_spool_was_seen_empty_is_not_overtaken() {
    let mut path = WritePath::default();
    written(path.append(unit(1)));
    spooled(path.outcome_unknown());
    path.done();
    let mark = path.begin_drain();
    // The drain takes the first out and sees nothing more. Before it says so, the second goes in and is acknowledged.
    spooled(path.append(unit(2)));
    assert_eq!(path.done().0, [2]);
    assert!(!path.drained(mark), "the second may be in the spool");
    spooled(path.append(unit(3)));
    assert_eq!(path.done().0, [3]);
    let mark = path.begin_drain();
    assert!(path.drained(mark));
}

#[test]
fn while_neither_database_nor_spool_takes_it_nothing_is_acknowledged() {
    let mut path = WritePath::default();
    written(path.append(unit(1)));
    spooled(path.outcome_unknown());
    written(path.not_spooled(0));
    spooled(path.outcome_unknown());
    spooled(path.not_spooled(3));
    assert!(!path.is_idle() && path.queued() == 0);
    assert_eq!(path.done().0, [1]);
}

#[test]
fn what_was_in_hand_is_done_again_after_a_restart_in_place() {
    let mut path = WritePath::default();
    assert!(path.in_hand().is_none());
    let first = written(path.append(unit(1)));
    assert!(Arc::ptr_eq(&first, &written(path.in_hand())));
    path.done();
    assert!(path.in_hand().is_none());
}
