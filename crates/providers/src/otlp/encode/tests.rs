//! Tests of the wire forms: both are read back, and the JSON has the published shape.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test may panic")]

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use precall_call::{At, CallId};
use prost::Message;
use serde_json::{Value, json};

use super::super::settings::Protocol;
use super::super::span::{Span, SpanEvent, SpanKind, SpanValue};
use super::{Rejected, rejected, request};
use crate::trace_context::{TracedPart, span_id, trace_id};

const CALL: CallId = CallId(0x0190_a1b2_c3d4_7e5f_8123_4567_89ab_cdef);

fn spans() -> Vec<Span> {
    let root = Span {
        trace: trace_id(CALL),
        id: span_id(CALL, TracedPart::Call),
        parent: None,
        name: "call",
        kind: SpanKind::Server,
        start: At(1_700_000_000_000_001),
        end: At(1_700_000_001_000_000),
        attributes: vec![("precall.line", "default".into()), ("precall.attempt", SpanValue::Whole(2))],
        events: vec![SpanEvent { name: "leg_connected", at: At(1_700_000_000_500_000) }],
        events_dropped: 3,
        error: Some("handoff_failed"),
    };
    let child = Span {
        id: span_id(CALL, TracedPart::Greeting),
        parent: Some(root.id),
        name: "greeting",
        kind: SpanKind::Internal,
        error: None,
        // A clock that was set back gives no negative duration.
        end: At(0),
        ..root.clone()
    };
    vec![root, child]
}

fn resource() -> Vec<(String, String)> {
    vec![("service.name".to_owned(), "precall".to_owned())]
}

#[test]
fn json_has_the_published_shape() {
    let body = request(Protocol::Json, &resource(), &spans()).unwrap();
    let json: Value = serde_json::from_slice(&body).unwrap();
    let of_process = &json["resourceSpans"][0];
    assert_eq!(
        of_process["resource"]["attributes"],
        json!([{ "key": "service.name", "value": { "stringValue": "precall" } }])
    );
    let root = &of_process["scopeSpans"][0]["spans"][0];
    // Ids in hex, 64-bit numbers as text, enumerations as numbers (OTLP specification, "JSON Protobuf Encoding").
    assert_eq!(root["traceId"], json!("0190a1b2c3d47e5f8123456789abcdef"));
    assert_eq!(root["spanId"], json!(span_id(CALL, TracedPart::Call).to_string()));
    assert_eq!(root["startTimeUnixNano"], json!("1700000000000001000"));
    assert_eq!(root["kind"], json!(2));
    assert_eq!(root["status"], json!({ "message": "handoff_failed", "code": 2 }));
    assert_eq!(root["events"][0]["name"], json!("leg_connected"));
    let attributes = root["attributes"].as_array().unwrap();
    assert!(
        attributes.contains(&json!({ "key": "precall.attempt", "value": { "intValue": "2" } })),
        "{root}"
    );
    assert!(
        attributes.contains(&json!({ "key": "error.type", "value": { "stringValue": "handoff_failed" } })),
        "{root}"
    );
    let child = &of_process["scopeSpans"][0]["spans"][1];
    assert_eq!(child["parentSpanId"], root["spanId"]);
    assert_eq!(child["endTimeUnixNano"], child["startTimeUnixNano"]);
}

#[test]
fn protobuf_and_json_say_the_same() {
    let read = |protocol| request(protocol, &resource(), &spans()).unwrap();
    let binary = ExportTraceServiceRequest::decode(read(Protocol::Protobuf)).unwrap();
    let text: ExportTraceServiceRequest = serde_json::from_slice(&read(Protocol::Json)).unwrap();
    assert_eq!(binary, text);
    let spans = &binary.resource_spans[0].scope_spans[0].spans;
    assert_eq!(spans[0].trace_id, CALL.0.to_be_bytes());
    assert_eq!((spans[0].parent_span_id.len(), spans[1].parent_span_id.len()), (0, 8));
    assert_eq!(spans[0].dropped_events_count, 3);
}

#[test]
fn a_partial_success_is_read_and_other_answers_reject_nothing() {
    let partial = ExportTracePartialSuccess { rejected_spans: 4, error_message: "too old".to_owned() };
    let answer = ExportTraceServiceResponse { partial_success: Some(partial) };
    let wanted = Rejected { spans: 4, message: "too old".to_owned() };
    assert_eq!(rejected("application/x-protobuf", &answer.encode_to_vec()), wanted);
    let json = br#"{"partialSuccess":{"rejectedSpans":"4","errorMessage":"too old"}}"#;
    assert_eq!(rejected("application/json", json), wanted);
    let json = br#"{"partialSuccess":{"rejectedSpans":4,"errorMessage":null}}"#;
    assert_eq!(rejected("application/json", json), Rejected { spans: 4, message: String::new() });
    for (kind, body) in [
        ("application/json", "{}"),
        ("application/json", r#"{"partialSuccess":null}"#),
        ("application/x-protobuf", ""),
        ("text/html", "<p>fine"),
    ] {
        assert_eq!(rejected(kind, body.as_bytes()), Rejected::default(), "{kind}");
    }
}
