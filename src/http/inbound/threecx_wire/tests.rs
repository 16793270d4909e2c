//! Tests of threecx wire.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

use precall_actors::api::{IncomingCall, PbxNoticeKind};

use super::{Message, parse};
use crate::http::error::Code;

fn incoming(body: &str) -> IncomingCall {
    match parse(body.as_bytes()).unwrap() {
        Message::Incoming(call) => call,
        other => panic!("{other:?}"),
    }
}

fn refused(body: &str) -> Code {
    parse(body.as_bytes()).unwrap_err().code
}

#[test]
fn the_documented_body_is_parsed() {
    let call = incoming(
        r#"{"event_type":"IncomingCall","call_id":"77","caller_id":"+4930123456","called_number":"100",
            "timestamp":"2026-01-01T00:00:00Z","direction":"In","duration":0,"recording_url":"https://x/y"}"#,
    );
    assert_eq!(call.threecx_call_id.as_deref(), Some("77"));
    assert_eq!(call.caller.as_deref(), Some("+4930123456"));
    assert_eq!(call.called.as_deref(), Some("100"));
    assert_eq!(call.recording_url.as_deref(), Some("https://x/y"));
}

#[test]
fn fields_are_read_leniently() {
    let call = incoming(
        r#"{"event_type":"INCOMINGCALL","call_id":77,"caller_id":" +49 30 1\u0000\n ","called_number":null,
            "direction":"","recording_url":{"a":[1,{"b":2}]},"extra":[[[]]]}"#,
    );
    assert_eq!(call.threecx_call_id.as_deref(), Some("77"));
    assert_eq!(call.caller.as_deref(), Some("+49 30 1"));
    assert_eq!((call.called, call.recording_url), (None, None));
    assert_eq!(incoming(r#"{"event_type":"incomingcall","caller_id":-5}"#).caller.as_deref(), Some("-5"));
}

#[test]
fn a_text_that_came_too_long_is_refused_whatever_of_it_is_left_out() {
    let (longest, more) = ("1".repeat(255), ["1", " ", "\\u0000", "\\u0085"]);
    for field in ["call_id", "caller_id", "called_number"] {
        let body = |text: &str| {
            let other = if field == "call_id" { "caller_id" } else { "call_id" };
            format!(r#"{{"event_type":"IncomingCall","{other}":"7","{field}":"{text}"}}"#)
        };
        assert!(parse(body(&longest).as_bytes()).is_ok(), "{field}");
        for more in more {
            assert_eq!(refused(&body(&format!("{longest}{more}"))), Code::BadField, "{field}, {more:?}");
        }
    }
}

#[test]
fn notices_are_distinguished() {
    let kind = |body: &str| match parse(body.as_bytes()).unwrap() {
        Message::Notice(notice) => notice.kind,
        other => panic!("{other:?}"),
    };
    let ended = |duration: &str| match kind(&format!(
        r#"{{"event_type":"callENDED","call_id":1,"duration":{duration}}}"#
    )) {
        PbxNoticeKind::Ended { duration, .. } => duration.map(|d| d.as_secs()),
        other => panic!("{other:?}"),
    };
    assert_eq!(ended("0"), Some(0));
    assert_eq!(ended("\"61\""), Some(61));
    assert_eq!(ended("-1"), None);
    assert_eq!(ended("null"), None);
    let state = kind(r#"{"event_type":"CallStateChanged","call_id":1,"state":"Talking"}"#);
    assert!(matches!(state, PbxNoticeKind::StateChanged(state) if state == "Talking"));
    let state = kind(r#"{"event_type":"CallStateChanged","call_id":1}"#);
    assert!(matches!(state, PbxNoticeKind::StateChanged(state) if state == "unknown"));
}

#[test]
fn outbound_calls_are_distinguished() {
    for direction in
        ["Out", "OUTBOUND", "outbound", "Outgoing", "OutboundExternal", " out\u{200b}", "hangup-outgoing"]
    {
        let body = format!(r#"{{"event_type":"IncomingCall","direction":"{direction}"}}"#);
        assert!(matches!(parse(body.as_bytes()).unwrap(), Message::Outbound { .. }));
    }
}

#[test]
fn a_wrong_body_is_refused_with_its_code() {
    for body in ["", "{", "[]", "null", "7", "\"x\"", "{\"a\":1}x", "{\"call_id\":1,\"call_id\":2}"] {
        assert_eq!(refused(body), Code::BadJson, "{body}");
    }
    assert_eq!(parse(&[b'{', 0xff, b'}']).unwrap_err().code, Code::BadJson);
    for body in
        ["{}", r#"{"event_type":null}"#, r#"{"event_type":"Ring","call_id":1}"#, r#"{"event_type":7}"#]
    {
        assert_eq!(refused(body), Code::UnknownEventType, "{body}");
    }
    for body in [
        r#"{"event_type":"IncomingCall"}"#,
        r#"{"event_type":"CallEnded","call_id":" ","caller_id":"\u0000"}"#,
        r#"{"event_type":"CallEnded","call_id":[],"caller_id":true,"called_number":"100"}"#,
    ] {
        assert_eq!(refused(body), Code::NoCall, "{body}");
    }
    let long = format!(r#"{{"event_type":"CallEnded","call_id":"{}"}}"#, "9".repeat(256));
    assert_eq!(refused(&long), Code::BadField);
}

#[test]
fn deep_nesting_is_not_an_id_and_values_are_not_repeated() {
    let deep =
        format!(r#"{{"event_type":"CallEnded","call_id":{}{}}}"#, "[".repeat(400_000), "]".repeat(400_000));
    assert_eq!(refused(&deep), Code::NoCall, "an id that is a tower of lists is none");
    let detail = parse(b"{\"caller_id\": +4930123456}").unwrap_err().detail;
    assert!(!detail.contains("4930"), "{detail}");
}

#[test]
fn no_word_of_direction_loses_a_call() {
    for direction in [
        "In",
        "INBOUND",
        "Incoming",
        "incoming",
        "Internal",
        "Local",
        "InboundExternal",
        "Missed",
        "Notanswered",
        "Unanswered",
        "pickupincoming",
        "Outside",
        "up",
        "7",
        "\u{feff}Inbound",
        "",
    ] {
        let body = format!(r#"{{"event_type":"IncomingCall","call_id":1,"direction":"{direction}"}}"#);
        assert_eq!(incoming(&body).threecx_call_id.as_deref(), Some("1"), "{direction}");
    }
    for direction in ["0", "true", "null", "[]", "{}", "1e3"] {
        let body = format!(r#"{{"event_type":"IncomingCall","call_id":1,"direction":{direction}}}"#);
        assert_eq!(incoming(&body).threecx_call_id.as_deref(), Some("1"), "{direction}");
    }
    let long = format!(r#"{{"event_type":"CallEnded","call_id":1,"direction":"{}"}}"#, "x".repeat(5_000));
    assert!(matches!(parse(long.as_bytes()), Ok(Message::Notice(_))));
}

#[test]
fn a_byte_order_mark_is_ignored_and_utf_16_is_named() {
    let body = "\u{feff}\u{feff} {\"event_type\":\"IncomingCall\",\"call_id\":\"1001\",\"timestamp\":17}";
    assert_eq!(incoming(body).threecx_call_id.as_deref(), Some("1001"));
    assert_eq!(super::happened_at(body.as_bytes()).map(|at| at.0), Some(17_000_000));
    assert_eq!(refused("\u{feff}"), Code::BadJson);
    let wide: Vec<u8> = [0xfeff].into_iter().chain("{}".encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let problem = parse(&wide).unwrap_err();
    assert!(problem.code == Code::BadJson && problem.detail.contains("UTF-16"), "{problem}");
}

#[test]
fn two_ids_never_become_one() {
    let id = |json: &str| {
        incoming(&format!(r#"{{"event_type":"IncomingCall","caller_id":"1","call_id":{json}}}"#))
    };
    let table = [
        ("1264", Some("1264")),
        ("1264.0", Some("1264")),
        ("1264.5", Some("1264.5")),
        ("1e3", Some("1000")),
        ("-7", Some("-7")),
        ("0", Some("0")),
        ("18446744073709551616", Some("18446744073709551616")),
        ("18446744073709551617", Some("18446744073709551617")),
        ("340282366920938463463374607431768211457", Some("340282366920938463463374607431768211457")),
        ("1.8446744073709552e19", None),
        ("\" 1264 \"", Some("1264")),
        ("\"01264\"", Some("01264")),
        ("\"12 64\"", Some("12 64")),
        ("\"12\\n64\"", Some("12\u{fffd}64")),
        ("\"\u{feff}1264\u{200b}\"", Some("1264")),
        ("\"{8F1C0A3E-0000-4000-8000-00000000ABCD}\"", Some("{8F1C0A3E-0000-4000-8000-00000000ABCD}")),
        ("\"8f1c0a3e-0000-4000-8000-00000000abcd\"", Some("8f1c0a3e-0000-4000-8000-00000000abcd")),
        ("\"250917161728_41-0\"", Some("250917161728_41-0")),
    ];
    for (json, expected) in table {
        assert_eq!(id(json).threecx_call_id.as_deref(), expected, "{json}");
    }
}

#[test]
fn the_place_of_an_error_is_the_place_in_the_body() {
    let detail = parse(b"\xef\xbb\xbf{\"call_id\": 1264.0, \"caller_id\": +4930123456}").unwrap_err().detail;
    assert!(detail.contains("column 34"), "{detail}");
}
