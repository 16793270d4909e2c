//! Tests of jsonb safe.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]
use std::borrow::Cow;

use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use serde_json::Value;

use super::{TooDeep, jsonb_safe};

fn cleaned(json: &str) -> String {
    String::from_utf8(jsonb_safe(json.as_bytes()).unwrap().into_owned()).unwrap()
}

#[test]
fn safe_json_is_unchanged() {
    for json in [
        r#"{"a":[1,-2.5e10,true,null],"b":"\u00e4 \ud83d\ude00 \\u0000 \" \\","c":{}}"#,
        "",
        "{",
        "\"open",
        "\"\\",
        "\"\\u12",
        "é",
    ] {
        assert!(matches!(jsonb_safe(json.as_bytes()).unwrap(), Cow::Borrowed(_)), "{json}");
    }
}

#[test]
fn json_that_jsonb_refuses_is_replaced() {
    for (json, right) in [
        (r#""a\u0000b""#, r#""a\ufffdb""#),
        (r#""\\\u0000""#, r#""\\\ufffd""#),
        (r#""\ud83d""#, r#""\ufffd""#),
        (r#""\ude00\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
        (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
        (r#""\ud83d\u0041""#, r#""\ufffd\u0041""#),
        (r#"{"\u0000":1}"#, r#"{"\ufffd":1}"#),
        (r"[1e400000,1E-999,2]", r"[null,null,2]"),
        (r"[1e99999999999999999999]", r"[null]"),
    ] {
        assert_eq!(cleaned(json), right, "{json}");
    }
    assert_eq!(cleaned(&format!("[{}]", "9".repeat(200_000))), "[null]");
}

#[test]
fn deep_nesting_is_refused_and_brackets_in_text_do_not_count() {
    let tower = "[".repeat(101);
    assert_eq!(jsonb_safe(tower.as_bytes()), Err(TooDeep));
    let text = format!("\"{}\"", "[".repeat(5_000));
    assert!(jsonb_safe(text.as_bytes()).is_ok());
    let wide = "[],".repeat(5_000);
    assert!(jsonb_safe(wide.as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn no_bytes_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(jsonb_safe(&bytes));
    }

    #[test]
    fn json_stays_json(
        text in "[ -~\u{e4}\u{1f600}]{0,40}",
        escapes in prop::collection::vec(any::<u16>().prop_map(|unit| format!("\\u{unit:04x}")), 0..8),
    ) {
        let quoted = serde_json::to_string(&text).unwrap();
        let json = format!("{{\"plain\":{quoted},\"odd\":\"{}\"}}", escapes.concat());
        let clean = cleaned(&json);
        let value: Value = serde_json::from_str(&clean).unwrap();
        prop_assert_eq!(value["plain"].as_str().unwrap(), text);
        prop_assert!(!value["odd"].as_str().unwrap().contains('\0'));
        prop_assert_eq!(cleaned(&clean), clean);
    }
}
