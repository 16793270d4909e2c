//! The text of a batch is what its types would have written.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use precall_call::At;
use serde_json::value::RawValue;

use super::{RawRow, RowKind, storable_text};
use crate::events::rows::{CacheUse, EarlyEnd, RowWrite, Time, TranscriptDue};

#[test]
fn a_row_keeps_its_kind_and_its_text() {
    let used = CacheUse {
        account_id: "default".into(),
        caller_id: "+441632960961".into(),
        cloned_voice_id: "v".into(),
        at: Time(At(0)),
    };
    let rows = [
        (RowWrite::CacheUsed(used.clone()), RowKind::CacheUsed),
        (RowWrite::CacheDropped(used), RowKind::CacheDropped),
        (
            RowWrite::EarlyEndAbsorbed(EarlyEnd { pbx: "p".into(), threecx_call_id: "\u{1F600}\"".into() }),
            RowKind::EarlyEndAbsorbed,
        ),
        (RowWrite::TranscriptOfLines(TranscriptDue { id: uuid::Uuid::nil() }), RowKind::TranscriptOfLines),
    ];
    for (row, kind) in rows {
        let raw = RawRow::of(&row).unwrap();
        assert_eq!(raw.kind, kind);
        assert_eq!(format!("{:?}", raw.typed().unwrap()), format!("{row:?}"));
        assert_eq!(serde_json::to_string(&raw).unwrap(), serde_json::to_string(&row).unwrap());
    }
    assert!(serde_json::from_str::<RawRow>("{}").is_err());
    assert!(serde_json::from_str::<RawRow>(r#"{"sung":{}}"#).is_err());
}

#[test]
fn only_a_nul_is_replaced() {
    let text = |json: &str| {
        let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
        storable_text(&raw).unwrap().into_owned()
    };
    assert_eq!(text(r#"{"a":0.30000000000000004, "b":"x"}"#), r#"{"a":0.30000000000000004, "b":"x"}"#);
    assert_eq!(text(r#"{"a":"x\u0000y"}"#), "{\"a\":\"x\u{fffd}y\"}");
    assert_eq!(text(r#""\\u0000""#), r#""\\u0000""#, "a backslash and letters");
}
