//! Tests of write path.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test may panic")]

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
fn a_batch_with_unknown_outcome_is_spooled_unchanged_and_later_ones_queue_behind_it() {
    let mut path = WritePath::default();
    let first = written(path.append(unit(1)));
    assert!(path.append(unit(2)).is_none());
    let again = spooled(path.outcome_unknown());
    assert!(Arc::ptr_eq(&first, &again));
    let (acks, next) = path.done();
    assert_eq!(acks, [1], "a spooled batch is durable");
    spooled(next);
    let mark = path.begin_drain();
    assert!(!path.drained(mark), "the second is being spooled");
    assert_eq!(path.done().0, [2]);
    assert!(path.is_spooling() && path.is_idle());
    spooled(path.append(unit(3)));
    path.done();
    let mark = path.begin_drain();
    assert!(path.drained(mark));
    written(path.append(unit(4)));
}

#[test]
fn a_batch_spooled_after_the_drain_looked_is_not_overtaken() {
    let mut path = WritePath::default();
    written(path.append(unit(1)));
    spooled(path.outcome_unknown());
    path.done();
    let mark = path.begin_drain();
    // The drain takes the first batch and finds no more. Before it reports, the second is spooled and acknowledged.
    spooled(path.append(unit(2)));
    assert_eq!(path.done().0, [2]);
    assert!(!path.drained(mark), "the second may be in the spool");
    spooled(path.append(unit(3)));
    assert_eq!(path.done().0, [3]);
    let mark = path.begin_drain();
    assert!(path.drained(mark));
}

#[test]
fn nothing_is_acknowledged_while_database_and_spool_fail() {
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
fn the_running_step_is_repeated_after_a_restart_in_place() {
    let mut path = WritePath::default();
    assert!(path.in_hand().is_none());
    let first = written(path.append(unit(1)));
    assert!(Arc::ptr_eq(&first, &written(path.in_hand())));
    path.done();
    assert!(path.in_hand().is_none());
}
