//! Logs that share a row are in one group, and logs that share none are not.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::collections::BTreeSet;

use precall_call::At;
use serde_json::json;
use serde_json::value::to_raw_value;
use uuid::Uuid;

use super::Index;
use crate::events::raw::{RawBatch, RawEntry, RawRow};
use crate::events::rows::Stream;

fn row(json: &serde_json::Value) -> RawRow {
    serde_json::from_value(json.clone()).unwrap()
}

fn entry(stream: Stream, owner: u128, seq: i64, derived: Vec<RawRow>) -> RawEntry {
    let event = to_raw_value("e").unwrap();
    RawEntry { stream, owner: Uuid::from_u128(owner), seq, at: At(0), event, pii: None, derived }
}

fn cached(kind: &str, caller: &str) -> RawRow {
    row(&json!({ kind: { "account_id": "a", "caller_id": caller, "cloned_voice_id": "v", "at": "x" } }))
}

fn state(state: &str) -> RawRow {
    row(&json!({ "call_log": {
        "id": Uuid::nil(), "metadata": { "state": "released" }, "state": state, "account_id": "a", "pbx": "p",
        "threecx_call_id": "7", "caller_id": "+1", "called_number": null, "route": "callback",
        "call_started_at": "2026-01-01T00:00:00Z",
    } }))
}

fn event(entry: RawEntry, event: &serde_json::Value) -> RawEntry {
    RawEntry { event: to_raw_value(event).unwrap(), ..entry }
}

fn batch(entries: Vec<RawEntry>, rows: Vec<RawRow>) -> RawBatch {
    RawBatch { entries, rows }
}

fn index(batches: &[RawBatch]) -> Index {
    let mut index = Index::default();
    for (frame, batch) in batches.iter().enumerate() {
        index.add(0, frame, batch);
    }
    index
}

#[test]
fn logs_that_share_a_row_are_written_in_order() {
    let end = json!({ "pbx": "p", "threecx_call_id": "7", "ended_at": "x" });
    let batches = [
        batch(vec![entry(Stream::Voice, 1, 1, vec![cached("cache_filled", "+1")])], Vec::new()),
        batch(Vec::new(), vec![row(&json!({ "early_end_kept": end }))]),
        batch(vec![entry(Stream::Call, 2, 1, vec![cached("cache_used", "+1")])], Vec::new()),
        batch(vec![entry(Stream::Call, 3, 1, vec![row(&json!({ "early_end_absorbed": end }))])], Vec::new()),
        batch(vec![entry(Stream::Call, 4, 1, Vec::new())], Vec::new()),
        batch(vec![entry(Stream::Call, 5, 1, vec![cached("cache_dropped", "+2")])], Vec::new()),
        batch(
            vec![entry(Stream::Call, 6, 1, vec![cached("cache_used", "+2"), cached("cache_used", "+1")])],
            vec![],
        ),
    ];
    let index = index(&batches);
    let group = |frame: usize| index.group_of(batches.get(frame).unwrap().entries.first().unwrap());
    let rows = &batches.get(1).unwrap().rows;
    assert_eq!(BTreeSet::from([0, 2, 5, 6].map(group)).len(), 1, "linked, the last one joins two");
    assert_eq!(group(3), index.group_of_row(rows.first().unwrap()));
    assert_eq!(BTreeSet::from([0, 3, 4].map(group)).len(), 3);
    assert_eq!(index.entries(), 7);
    // The wanted call brings those that share a row with it, and the ends that wait.
    let wanted = index.groups_of([Uuid::from_u128(2)].into_iter());
    let frames: Vec<usize> = wanted.frames.iter().map(|(_, frame)| *frame).collect();
    assert_eq!(frames, [0, 1, 2, 5, 6]);
    let first = wanted.of(batches.get(3).unwrap().clone(), &index);
    assert_eq!(first.entries.len(), 0, "another call's entry in a read frame stays");
}

#[test]
fn the_index_says_which_calls_are_not_over() {
    let batches = [
        batch(vec![entry(Stream::Call, 1, 3, vec![state("conversing")])], Vec::new()),
        batch(vec![entry(Stream::Call, 2, 1, vec![state("holding")])], Vec::new()),
        batch(vec![entry(Stream::Call, 1, 4, vec![state("released")])], Vec::new()),
        batch(vec![entry(Stream::Voice, 3, 1, Vec::new())], Vec::new()),
    ];
    let index = index(&batches);
    assert_eq!(index.unfinished_calls().collect::<Vec<_>>(), [Uuid::from_u128(2)]);
    let log = &index.logs()[&Uuid::from_u128(1)];
    assert_eq!((log.stream, log.first, log.last, log.is_over()), (Stream::Call, 3, 4, true));
}

#[test]
fn the_index_knows_what_admission_needs_of_calls_that_are_over() {
    let offered = |owner: u128, admission: &serde_json::Value| {
        let event_of = json!({ "v": 1, "kind": "offered", "admission": admission });
        event(entry(Stream::Call, owner, 1, vec![state("holding")]), &event_of)
    };
    let report = row(&json!({ "conversation": {
        "provider_id": "conv_1", "duration_seconds": 9, "report": { "cost": 412 },
        "reported_at": "2026-01-01T00:01:00Z",
    } }));
    let dialled = row(&json!({ "conversation": { "provider_id": "conv_2", "reported_at": null } }));
    let batches = [
        batch(vec![offered(1, &json!("accepted")), offered(2, &json!({ "refused": "budget" }))], Vec::new()),
        batch(vec![entry(Stream::Call, 1, 2, vec![state("released"), report, dialled])], Vec::new()),
        batch(vec![entry(Stream::Call, 2, 2, vec![state("released")])], Vec::new()),
        batch(vec![offered(3, &json!("accepted"))], Vec::new()),
    ];
    let index = index(&batches);
    let mut over: Vec<_> = index.calls_over().collect();
    over.sort_by_key(|over| over.key.call);
    assert_eq!(
        over.iter().map(|over| (over.key.call.0, over.is_accepted)).collect::<Vec<_>>(),
        [(1, true), (2, false)]
    );
    let first = over.first().unwrap();
    let began = At(1_767_225_600_000_000);
    assert_eq!((first.key.threecx_call_id.as_deref(), first.key.first_seen), (Some("7"), began));
    assert!(first.is_callback && !first.key.live);
    let took: Vec<_> = index.conversations().iter().map(|took| (took.seconds, took.credits)).collect();
    assert_eq!(took, [(9, 412)], "a conversation without a report took nothing yet");
}
