//! Tests of threecx crm.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

use precall_call::At;

use super::*;

fn looked_up(query: &str) -> Result<Message, Problem> {
    actix_web::web::Query::<LookupQuery>::from_query(query).unwrap().into_inner().message()
}

fn caller_of(message: Result<Message, Problem>) -> String {
    match message.unwrap() {
        Message::Notice(PbxNotice { caller: Some(caller), threecx_call_id: None, called: None, .. }) => {
            caller
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_number_of_a_look_up_is_read_in_every_encoding() {
    for query in [
        "number=%2B4930123456&direction=Inbound",
        "number=+4930123456&direction=Inbound",
        "direction=Inbound&number=+4930123456+",
        "number=%2B4930123456",
    ] {
        assert_eq!(caller_of(looked_up(query)), "+4930123456", "{query}");
    }
    assert_eq!(caller_of(looked_up("number=0301234")), "0301234");
    assert_eq!(caller_of(looked_up("number=anonymous&direction=")), "anonymous");
    for (query, code) in [("direction=Inbound", Code::NoCall), ("number=+", Code::NoCall)] {
        assert_eq!(looked_up(query).unwrap_err().code, code, "{query}");
    }
    // What is left out counts too.
    for (digits, more) in [(256, ""), (255, "%C2%85"), (255, "+")] {
        let query = format!("number={}{more}", "1".repeat(digits));
        assert_eq!(looked_up(&query).unwrap_err().code, Code::BadField, "{query}");
    }
    assert!(matches!(looked_up("number=1&direction=Outbound").unwrap(), Message::Outbound { .. }));
}

const REPORT: [(&str, &str); 6] = [
    ("caller_id", "+4930123456"),
    ("direction", "Inbound"),
    ("call_type", "Missed"),
    ("duration", "01:02:03"),
    ("timestamp", "2026-11-22T10:11:12Z"),
    ("ended_at", "2026-11-22T11:13:15Z"),
];

/// The report with one field changed, or left out.
fn report(field: &str, value: Option<&str>) -> Result<Message, Problem> {
    let mut fields: serde_json::Map<_, _> =
        REPORT.iter().map(|(field, value)| ((*field).to_owned(), serde_json::json!(value))).collect();
    match value {
        Some(value) => fields.insert(field.to_owned(), serde_json::json!(value)),
        None => fields.remove(field),
    };
    parse_report(&serde_json::to_vec(&fields).unwrap())
}

fn reported(field: &str, value: Option<&str>) -> (At, At, Option<u64>) {
    match report(field, value).unwrap() {
        Message::Notice(PbxNotice { kind: PbxNoticeKind::Reported { began, ended, duration }, .. }) => {
            (began, ended, duration.map(|duration| duration.as_secs()))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_report_is_read() {
    let (began, ended, duration) = reported("", Some(""));
    assert_eq!(began, At(1_795_342_272_000_000));
    assert_eq!((ended.since(began).as_secs(), duration), (3723, Some(3723)));
    assert_eq!(caller_of(report("", Some(""))), "+4930123456");
    for duration in
        [None, Some(""), Some("12"), Some("1:60:00"), Some("0:0:61"), Some("1:2:3:4"), Some("-1:0:0")]
    {
        assert_eq!(reported("duration", duration).2, None, "{duration:?}");
    }
    assert_eq!(reported("duration", Some("4294967295:59:59")).2, Some(4_294_967_295 * 3600 + 3599));
}

#[test]
fn a_report_that_says_too_little_is_refused_by_field() {
    for (field, value, code) in [
        ("caller_id", None, Code::NoCall),
        ("caller_id", Some(" "), Code::NoCall),
        ("timestamp", None, Code::BadField),
        ("timestamp", Some("yesterday"), Code::BadField),
        ("ended_at", None, Code::BadField),
        ("ended_at", Some("2026-11-22T10:11:11Z"), Code::BadField),
    ] {
        let problem = report(field, value).unwrap_err();
        assert_eq!(problem.code, code, "{field} {value:?}");
        assert!(problem.to_string().contains(field), "{field}: {problem}");
    }
    for body in ["", "[]", "{", "\"x\"", r#"{"caller_id":"1","caller_id":"2"}"#] {
        assert_eq!(parse_report(body.as_bytes()).unwrap_err().code, Code::BadJson, "{body}");
    }
}

#[test]
fn what_the_pbx_dialled_itself_is_ignored() {
    for (field, value) in [("direction", "Outbound"), ("direction", "outbound")] {
        assert!(matches!(report(field, Some(value)).unwrap(), Message::Outbound { .. }), "{field}");
    }
    let by_type = br#"{"caller_id":"1","call_type":"Outbound"}"#;
    assert!(matches!(parse_report(by_type).unwrap(), Message::Outbound { .. }));
}
