//! Tests of events.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use jiff::Timestamp;
use precall_store::reads::events::EventRow;
use serde_json::value::RawValue;

use super::frame;

#[test]
fn a_frame_is_one_event_with_its_position() {
    let event = RawValue::from_string(r#"{"v": 1,"kind":"x","text":"a\nb"}"#.to_owned()).unwrap();
    let row = EventRow {
        position: 41,
        stream: "call",
        owner: uuid::Uuid::nil(),
        seq: 3,
        at: Timestamp::from_microsecond(1_764_425_485_000_001).unwrap(),
        event,
        detail: None,
    };
    let text = String::from_utf8(frame(&row).unwrap().to_vec()).unwrap();
    assert!(text.starts_with("id: 41\nevent: call\ndata: {\"position\":41,"), "{text}");
    assert!(text.ends_with("}\n\n") && text.matches('\n').count() == 4, "{text}");
    assert!(text.contains("\"at\":\"2025-11-29T14:11:25.000001Z\""), "{text}");
}
