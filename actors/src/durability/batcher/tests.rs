//! Tests of batcher.
#![allow(clippy::unwrap_used)] // A failing test may panic.

use precall_call::At;
use precall_store::events::rows::{Entry, Stream};
use uuid::Uuid;

use super::*;

fn unit(name: u32, entries: usize) -> Unit<u32> {
    let entry = |seq| Entry {
        stream: Stream::Call,
        owner: Uuid::from_u128(u128::from(name)),
        seq,
        at: At(0),
        event: serde_json::Value::Null,
        pii: None,
        derived: Vec::new(),
    };
    let entries = (1..).take(entries).map(entry).collect();
    Unit { batch: Batch { entries, rows: Vec::new() }, ack: name }
}

#[test]
fn the_first_unit_is_flushed_at_once_and_later_ones_together() {
    let mut batcher = Batcher::default();
    assert_eq!(batcher.append(unit(1, 2)).unwrap().len(), 2);
    assert!(batcher.append(unit(2, 1)).is_none());
    assert!(batcher.append(unit(3, 3)).is_none());
    assert_eq!(batcher.queued(), 4);
    let (acks, batch) = batcher.flushed();
    assert_eq!((acks, batch.unwrap().len()), (vec![1], 4));
    let (acks, batch) = batcher.flushed();
    assert_eq!((acks, batch.is_none()), (vec![2, 3], true));
    assert!(batcher.is_idle());
}

#[test]
fn a_batch_is_bounded_but_never_splits_a_unit() {
    let mut batcher = Batcher::default();
    batcher.append(unit(0, 1));
    batcher.append(unit(1, BATCH_MAX - 1));
    batcher.append(unit(2, 2));
    batcher.append(unit(3, BATCH_MAX + 5));
    assert_eq!(batcher.flushed().1.unwrap().len(), BATCH_MAX - 1);
    assert_eq!(batcher.flushed().1.unwrap().len(), 2);
    assert_eq!(batcher.flushed().1.unwrap().len(), BATCH_MAX + 5, "a single unit may exceed the limit");
}
