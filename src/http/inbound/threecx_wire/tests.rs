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
fn notices_are_distinguished() {
    let kind = |body: &str| match parse(body.as_bytes()).unwrap() {
        Message::Notice(notice) => notice.kind,
        other => panic!("{other:?}"),
    };
    let ended = |duration: &str| match kind(&format!(
        r#"{{"event_type":"callENDED","call_id":1,"duration":{duration}}}"#
    )) {
        PbxNoticeKind::Ended { duration, .. } => duration.map(|d| d.as_secs()),
        PbxNoticeKind::StateChanged(state) => panic!("{state}"),
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
    for direction in ["Out", "OUTBOUND", "outbound"] {
        let body = format!(r#"{{"event_type":"IncomingCall","direction":"{direction}"}}"#);
        assert!(matches!(parse(body.as_bytes()).unwrap(), Message::Outbound { .. }));
    }
}

#[test]
fn a_wrong_body_is_refused_with_its_code() {
    for body in
        ["", "{", "[]", "null", "7", "\"x\"", "{\"a\":1}x", "\u{feff}{}", "{\"call_id\":1,\"call_id\":2}"]
    {
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
    assert_eq!(refused(r#"{"event_type":"CallEnded","call_id":1,"direction":"up"}"#), Code::BadField);
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
