//! Tests of write path.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

use precall_store::events::rows::{RowWrite, TranscriptDue};

use super::{Arc, Batch, Next, Unit, WritePath};

fn unit(name: u32) -> Unit<u32> {
    let row = RowWrite::TranscriptOfLines(TranscriptDue { id: uuid::Uuid::nil() });
    Unit { batch: Batch { entries: Vec::new(), rows: vec![row] }, ack: name }
}

fn written(next: Option<Next>) -> Arc<Batch> {
    let Some(Next::Write(batch)) = next else { panic!("{next:?}") };
    batch
}

fn spooled(next: Option<Next>) -> Arc<Batch> {
    let Some(Next::Spool(batch)) = next else { panic!("{next:?}") };
    batch
}

#[test]
fn a_batch_of_unknown_outcome_is_spooled_unchanged_and_all_others_queue_behind_it() {
    let mut pipe = WritePath::default();
    let first = written(pipe.append(unit(1)));
    assert!(pipe.append(unit(2)).is_none());
    let again = spooled(pipe.outcome_unknown());
    assert!(Arc::ptr_eq(&first, &again));
    let (acks, next) = pipe.done();
    assert_eq!(acks, [1], "what is in the spool is durable");
    spooled(next);
    let mark = pipe.begin_drain();
    assert!(!pipe.drained(mark), "the second is on its way");
    assert_eq!(pipe.done().0, [2]);
    assert!(pipe.is_spooling() && pipe.is_idle());
    spooled(pipe.append(unit(3)));
    pipe.done();
    let mark = pipe.begin_drain();
    assert!(pipe.drained(mark));
    written(pipe.append(unit(4)));
}

#[test]
fn what_was_spooled_after_the_spool_was_seen_empty_is_not_overtaken() {
    let mut pipe = WritePath::default();
    written(pipe.append(unit(1)));
    spooled(pipe.outcome_unknown());
    pipe.done();
    let mark = pipe.begin_drain();
    // The drain takes the first out and sees nothing more. Before it says so, the second goes in and is acknowledged.
    spooled(pipe.append(unit(2)));
    assert_eq!(pipe.done().0, [2]);
    assert!(!pipe.drained(mark), "the second may be in the spool");
    spooled(pipe.append(unit(3)));
    assert_eq!(pipe.done().0, [3]);
    let mark = pipe.begin_drain();
    assert!(pipe.drained(mark));
}

#[test]
fn while_neither_database_nor_spool_takes_it_nothing_is_acknowledged() {
    let mut pipe = WritePath::default();
    written(pipe.append(unit(1)));
    spooled(pipe.outcome_unknown());
    written(pipe.not_spooled(0));
    spooled(pipe.outcome_unknown());
    spooled(pipe.not_spooled(3));
    assert!(!pipe.is_idle() && pipe.queued() == 0);
    assert_eq!(pipe.done().0, [1]);
}

#[test]
fn what_was_in_hand_is_done_again_after_a_restart_in_place() {
    let mut pipe = WritePath::default();
    assert!(pipe.in_hand().is_none());
    let first = written(pipe.append(unit(1)));
    assert!(Arc::ptr_eq(&first, &written(pipe.in_hand())));
    pipe.done();
    assert!(pipe.in_hand().is_none());
}
