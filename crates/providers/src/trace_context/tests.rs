//! Tests of trace ids, span ids and the header.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::collections::HashSet;

use precall_call::{CallId, CloneJobId};

use super::{TraceParent, TracedPart, span_id, trace_id};

const CALL: CallId = CallId(0x0190_a1b2_c3d4_7e5f_8123_4567_89ab_cdef);

#[test]
fn the_trace_id_is_the_call_id_without_its_dashes() {
    assert_eq!(trace_id(CALL).to_string(), CALL.to_string().replace('-', ""));
    assert_eq!(trace_id(CALL).to_bytes(), CALL.0.to_be_bytes());
    assert_ne!(trace_id(CallId(0)).to_bytes(), [0; 16]);
}

#[test]
fn span_ids_are_fixed_and_differ() {
    // Fixed: a provider may have stored them.
    assert_eq!(span_id(CALL, TracedPart::Call), span_id(CALL, TracedPart::Call));
    let parts = [
        TracedPart::Call,
        TracedPart::Greeting,
        TracedPart::GreetingDial,
        TracedPart::Clone(1),
        TracedPart::Clone(2),
        TracedPart::CloneQueue(1),
        TracedPart::CloneUpload(CloneJobId(1)),
        TracedPart::CloneUpload(CloneJobId(2)),
        TracedPart::CloneReady(1),
        TracedPart::Handoff(1),
        TracedPart::AgentDial(1),
        TracedPart::Conversation(1),
        TracedPart::Conversation(2),
    ];
    let ids: HashSet<_> = parts.iter().map(|part| span_id(CALL, *part)).collect();
    assert_eq!(ids.len(), parts.len());
    assert_ne!(span_id(CallId(7), TracedPart::Call), span_id(CALL, TracedPart::Call));
}

#[test]
fn the_header_has_the_form_of_the_w3c() {
    let header = TraceParent::sampled(CALL, TracedPart::Handoff(1)).to_string();
    let parts: Vec<&str> = header.split('-').collect();
    let span = span_id(CALL, TracedPart::Handoff(1)).to_string();
    assert_eq!(parts, ["00", "0190a1b2c3d47e5f8123456789abcdef", &span, "01"]);
    assert_eq!((header.len(), span.len()), (55, 16));
    assert!(header.bytes().all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
}
