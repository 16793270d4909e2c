//! Which entries enter their log.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::collections::HashMap;

use precall_call::At;
use serde_json::value::to_raw_value;
use uuid::Uuid;

use super::{RawEntry, Stream, is_next};

fn entry(stream: Stream, owner: u128, seq: i64) -> RawEntry {
    let event = to_raw_value("e").unwrap();
    RawEntry { stream, owner: Uuid::from_u128(owner), seq, at: At(0), event, pii: None, derived: Vec::new() }
}

#[test]
fn an_entry_enters_its_log_only_as_the_next_one_or_again() {
    let mut ends = HashMap::from([((Stream::Call, Uuid::from_u128(1)), 4)]);
    let asked = [
        (Stream::Call, 1, 4, true),   // Written again.
        (Stream::Call, 1, 5, true),   // The next one.
        (Stream::Call, 1, 7, false),  // 6 is missing.
        (Stream::Call, 1, 6, true),   // The next one after 5.
        (Stream::Call, 1, 7, true),   // Now it is the next one.
        (Stream::Voice, 1, 5, false), // A job with the same id has no log.
        (Stream::Call, 2, 1, true),   // A log that begins here.
        (Stream::Call, 2, 2, true),
        (Stream::Call, 3, 2, false), // A log whose beginning is missing.
        (Stream::Call, 2, 0, false), // No log has an event 0.
    ];
    for (stream, owner, seq, fits) in asked {
        assert_eq!(is_next(&mut ends, &entry(stream, owner, seq)), fits, "{stream:?} {owner} {seq}");
    }
}
