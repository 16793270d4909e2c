//! The rows of one batch: the last one of a call or conversation, with what only an earlier one has.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use serde_json::{Value, json};
use uuid::Uuid;

use super::{CALL_LOG, CONVERSATIONS, DerivedRows, RawRow};

/// The rows that a statement gets.
fn written(rows: &[Value], statement: &str) -> Vec<Value> {
    let rows: Vec<RawRow> = rows.iter().map(|row| serde_json::from_value(row.clone()).unwrap()).collect();
    let mut derived = DerivedRows::default();
    for row in &rows {
        derived.add(row).unwrap();
    }
    let writes = derived.writes().unwrap();
    let json = writes.iter().find(|(found, _)| *found == statement).map(|(_, json)| json.0.to_string());
    json.map(|json| serde_json::from_str(&json).unwrap()).unwrap_or_default()
}

fn call(id: u128, transcript: Option<&str>, call_id: Option<&str>, metadata: Value, seq: i64) -> Value {
    let id = Uuid::from_u128(id);
    json!({ "call_log": { "id": id, "transcript": transcript, "call_id": call_id, "metadata": metadata,
        "last_seq": seq } })
}

#[test]
fn the_last_row_of_a_call_keeps_what_only_an_earlier_one_has() {
    let rows = [
        call(1, None, Some("conv"), json!({ "a": 1 }), 1),
        call(1, Some("words"), Some("conv"), json!({ "a": 1, "source": "report" }), 2),
        call(2, None, None, json!({}), 1),
        call(1, None, None, json!({ "a": 2 }), 3),
        call(1, None, Some("other"), json!({ "b": "x\u{0}y" }), 4),
    ];
    let mut found = written(&rows, CALL_LOG);
    found.sort_by_key(|row| row["id"].to_string());
    let expected = [
        json!({ "id": Uuid::from_u128(1), "transcript": "words", "call_id": "other", "last_seq": 4,
            "metadata": { "a": 2, "b": "x\u{fffd}y", "source": "report" } }),
        json!({ "id": Uuid::from_u128(2), "transcript": null, "call_id": null, "metadata": {}, "last_seq": 1 }),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_last_row_of_a_conversation_keeps_what_only_an_earlier_one_has() {
    let row = |ordinal: i32, report: Value, reported: Option<&str>| {
        json!({ "conversation": { "call": Uuid::nil(), "purpose": "agent", "ordinal": ordinal, "report": report,
            "reported_at": reported, "provider_id": null } })
    };
    let rows = [
        row(1, json!({ "cost": 3, "analysis": "a" }), Some("t")),
        row(2, Value::Null, None),
        row(1, json!({ "cost": null, "extra": 1 }), None),
    ];
    let mut found = written(&rows, CONVERSATIONS);
    found.sort_by_key(|row| row["ordinal"].to_string());
    let first = found.first().unwrap();
    assert_eq!(first["report"], json!({ "cost": 3, "analysis": "a", "extra": 1 }));
    assert_eq!((&first["reported_at"], found.len()), (&json!("t"), 2));
}
