//! Reports as the provider really sends them (shapes of the ElevenLabs facts, sections 5 and 6), and bodies that are
//! none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failed test is a failed test.

use std::time::Duration;

use precall_call::{Answered, At, CallId, Grade, HandoffFailure, Purpose, VoiceId};
use serde_json::{Value, json};

use super::{ConversationDetail, Webhook, parse_conversation, parse_webhook};
use crate::elevenlabs::{ConversationReport, ReportError, ReportSource, VoiceEcho, audio_head};

const OUR_CALL: &str = "01920000-0000-7000-8000-000000000001";
const OUR_ID: CallId = CallId(0x0192_0000_0000_7000_8000_0000_0000_0001);

fn report(body: &Value) -> ConversationReport {
    match parse_webhook(body.to_string().as_bytes()).unwrap() {
        Webhook::Report(report) => *report,
        other => panic!("{other:?}"),
    }
}

fn error(body: &str) -> ReportError {
    parse_webhook(body.as_bytes()).unwrap_err()
}

/// A real body of November 2025, trimmed, with our variables in it.
fn transcription() -> Value {
    json!({"type": "post_call_transcription", "event_timestamp": 1_764_425_485, "data": {
        "agent_id": "agent_1", "conversation_id": "conv_1", "status": "done", "user_id": null, "branch_id": null,
        "transcript": [
            {"role": "agent", "agent_metadata": {"agent_id": "agent_1", "branch_id": null, "workflow_node_id": null},
             "message": "Hoi! Waarmee kan ik helpen?", "multivoice_message": null, "tool_calls": [], "tool_results": [],
             "feedback": null, "llm_override": null, "time_in_call_secs": 0,
             "conversation_turn_metrics": {"metrics": {"convai_tts_service_ttfb": {"elapsed_time": 0.2206}}},
             "rag_retrieval_info": null, "llm_usage": null, "interrupted": false, "original_message": null,
             "source_medium": null},
            {"role": "user", "message": "Hallo.\nMet Anna.", "time_in_call_secs": 6, "source_medium": "audio",
                "interrupted": false},
            {"role": "agent", "message": null, "tool_calls": [{"tool_name": "end_call"}], "time_in_call_secs": 8},
            {"role": "agent", "message": "Dag", "interrupted": true, "original_message": "Dag en tot ziens",
                "time_in_call_secs": 7}],
        "metadata": {"start_time_unix_secs": 1_764_425_361, "accepted_time_unix_secs": 1_764_425_361,
            "call_duration_secs": 119, "cost": 803, "deletion_settings": {"delete_audio": false},
            "feedback": {"type": null, "likes": 0}, "authorization_method": "signed_url",
            "charging": {"dev_discount": false, "tier": "creator", "llm_price": 0.0023, "llm_charge": 10,
                "call_charge": 793},
            "phone_call": {"type": "sip_trunking", "direction": "outbound", "phone_number_id": "phnum_1",
                "agent_number": "+49", "external_number": "+49", "call_sid": "s", "call_id": null,
                "call_result": "answered", "sip_header_dynamic_variables": {}},
            "batch_call": null, "termination_reason": "Call ended by remote party", "error": null, "warnings": [],
            "main_language": "nl", "text_only": false, "conversation_initiation_source": "sip_trunk"},
        "analysis": {"evaluation_criteria_results": {}, "call_successful": "success", "transcript_summary": "..."},
        "conversation_initiation_client_data": {
            "conversation_config_override": {"agent": null, "tts": null, "turn": null, "conversation": null},
            "custom_llm_extra_body": {}, "user_id": OUR_CALL, "source_info": {"source": null, "version": null},
            "dynamic_variables": {"system__agent_id": "agent_1", "system__call_duration_secs": 119,
                "call_id": OUR_CALL, "precall_purpose": "agent"}}}})
}

#[test]
fn a_transcription_is_parsed_completely() {
    let report = report(&transcription());
    assert_eq!(report.source, ReportSource::Transcription);
    assert_eq!((report.conversation.as_str(), report.agent_id.as_deref()), ("conv_1", Some("agent_1")));
    assert_eq!((report.our_call, report.purpose), (Some(OUR_ID), Some(Purpose::Agent)));
    assert_eq!((report.grade, report.failure), (Grade::Completed, None));
    assert_eq!(report.duration, Some(Duration::from_secs(119)));
    assert_eq!(
        report.transcript.as_ref().unwrap().as_str(),
        "agent: Hoi! Waarmee kan ik helpen?\nuser: Hallo. Met Anna.\nagent: Dag"
    );
    assert_eq!(report.started_at, Some(At(1_764_425_361_000_000)));
    assert_eq!(report.ended_at, Some(At(1_764_425_480_000_000)));
    assert_eq!(report.event_timestamp, Some(At(1_764_425_485_000_000)));
    assert_eq!(report.cost, Some(803));
    assert_eq!(report.termination_reason.as_deref(), Some("Call ended by remote party"));
    assert!(!format!("{report:?}").contains("Hallo"), "a transcript is not for logs");
    assert_eq!(report.fact().grade, Grade::Completed);
}

#[test]
fn three_fields_are_enough() {
    let report = report(
        &json!({"type": "post_call_transcription", "data": {"agent_id": "a", "conversation_id": "c"}}),
    );
    assert_eq!((report.grade, report.transcript, report.duration), (Grade::Completed, None, None));
    assert_eq!((report.our_call, report.purpose, report.event_timestamp), (None, None, None));
}

#[test]
fn optional_fields_of_a_wrong_type_count_as_missing() {
    let mut body = transcription();
    let data = &mut body["data"];
    data["metadata"]["cost"] = json!(803.7);
    data["metadata"]["call_duration_secs"] = json!("119");
    data["metadata"]["start_time_unix_secs"] = json!([1]);
    data["metadata"]["error"] = json!("text");
    data["status"] = json!(5);
    data["transcript"][1]["message"] = json!({"text": "x"});
    data["transcript"][2] = json!("not a turn");
    data["conversation_initiation_client_data"]["dynamic_variables"] = json!("none");
    let read = report(&body);
    assert_eq!(
        (read.cost, read.duration, read.started_at),
        (Some(803), Some(Duration::from_secs(119)), None)
    );
    assert_eq!(read.transcript.unwrap().as_str(), "agent: Hoi! Waarmee kan ik helpen?\nagent: Dag");
    assert_eq!(read.our_call, Some(OUR_ID), "user_id stands in");
    for field in ["metadata", "transcript", "conversation_initiation_client_data", "analysis"] {
        for value in
            [json!(null), json!(1), json!("x"), json!([[]]), json!(true), json!(-1.5), json!({"a": []})]
        {
            let mut body = transcription();
            body["data"][field] = value;
            assert_eq!(report(&body).conversation.as_str(), "conv_1");
        }
    }
}

#[test]
fn our_call_comes_from_the_variable_or_the_user_id() {
    let with = |variable: Value, user: Value, outer: Value| {
        report(&json!({"type": "post_call_transcription", "data": {"agent_id": "a", "conversation_id": "c",
            "user_id": outer,
            "conversation_initiation_client_data": {"user_id": user, "dynamic_variables": {"call_id": variable}}}}))
        .our_call
    };
    let other = "01920000-0000-7000-8000-000000000002";
    assert_eq!(with(json!(OUR_CALL), json!(other), json!(other)), Some(OUR_ID));
    assert_eq!(with(json!("1264"), json!(OUR_CALL), json!(null)), Some(OUR_ID));
    assert_eq!(with(json!(null), json!(null), json!(OUR_CALL)), Some(OUR_ID));
    assert_eq!(with(json!(7), json!("anna"), json!("")), None);
}

#[test]
fn a_failed_conversation_with_a_transcript_took_place() {
    let mut body = transcription();
    body["data"]["status"] = json!("failed");
    assert_eq!(report(&body).grade, Grade::Completed);
    body["data"]["transcript"] = json!([]);
    body["data"]["metadata"]["termination_reason"] = json!("");
    body["data"]["metadata"]["error"] =
        json!({"code": 1008, "reason": "Override for field 'voice_id' is not allowed by config."});
    let failed = report(&body);
    assert_eq!((failed.grade, failed.failure), (Grade::Failed, Some(HandoffFailure::Unknown)));
    assert!(failed.termination_reason.unwrap().starts_with("Override for field"));
    body["data"]["metadata"]["phone_call"]["call_result"] = json!("no_answer");
    assert_eq!(report(&body).failure, Some(HandoffFailure::NoAnswer));
    body["data"]["metadata"]["phone_call"]["call_result"] = json!("busy");
    assert_eq!(report(&body).failure, Some(HandoffFailure::Busy));
}

#[test]
fn an_initiation_failure_has_a_reason() {
    let sip = |reason: &str, code: Value| {
        report(&json!({"type": "call_initiation_failure", "event_timestamp": 1_759_931_652, "data": {
            "agent_id": "xyz", "conversation_id": "abc", "failure_reason": reason, "metadata": {"type": "sip", "body": {
            "from_number": "+441111111111", "to_number": "+11111111111", "sip_status_code": code,
            "error_reason": "INVITE failed: sip status: 486: Busy here (SIP 486)", "call_sid": "d8e7f6a5",
            "sip_status": "Busy here", "twirp_code": "unavailable"}}}}))
    };
    let twilio = |reason: &str, status: &str, code: &str| {
        report(&json!({"type": "call_initiation_failure", "event_timestamp": 1_759_931_652, "data": {
            "agent_id": "xyz", "conversation_id": "abc", "failure_reason": reason,
                "metadata": {"type": "twilio", "body": {
            "CallSid": "CA83", "CallStatus": status, "SipResponseCode": code, "To": "+44", "From": "+1",
            "Direction": "outbound-api", "Timestamp": "Wed, 08 Oct 2025 13:54:12 +0000", "CallDuration": "0"}}}}))
        .failure
        .unwrap()
    };
    let busy = sip("busy", json!(486));
    assert_eq!(busy.source, ReportSource::InitiationFailure);
    assert_eq!((busy.grade, busy.failure), (Grade::Failed, Some(HandoffFailure::Busy)));
    assert_eq!(busy.event_timestamp, Some(At(1_759_931_652_000_000)));
    assert!(busy.termination_reason.unwrap().contains("SIP 486"));
    assert_eq!(sip("no-answer", json!(408)).failure, Some(HandoffFailure::NoAnswer));
    assert_eq!(sip("unknown", json!(486)).failure, Some(HandoffFailure::Busy));
    assert_eq!(sip("unknown", json!(603)).failure, Some(HandoffFailure::Busy));
    assert_eq!(sip("unknown", json!(480)).failure, Some(HandoffFailure::NoAnswer));
    assert_eq!(sip("unknown", json!(503)).failure, Some(HandoffFailure::Unknown));
    assert_eq!(sip("brand new", json!(null)).failure, Some(HandoffFailure::Unknown));
    assert_eq!(twilio("busy", "busy", "487"), HandoffFailure::Busy);
    assert_eq!(twilio("unknown", "no-answer", "487"), HandoffFailure::NoAnswer);
    assert_eq!(twilio("unknown", "failed", "486"), HandoffFailure::Busy);
    assert_eq!(twilio("unknown", "failed", "404"), HandoffFailure::Unknown);
    let bare = report(
        &json!({"type": "call_initiation_failure", "data": {"agent_id": "a", "conversation_id": "c"}}),
    );
    assert_eq!(bare.failure, Some(HandoffFailure::Unknown));
}

#[test]
fn the_flat_form_is_parsed() {
    let flat = report(
        &json!({"call_id": "conv_9", "agent_id": "agent_1", "transcript": "agent: Hi\r\n\nuser: Hello",
        "duration_seconds": 42.5, "status": "completed", "timestamp": "2026-11-22T10:11:12Z",
        "custom_variables": {"call_id": OUR_CALL, "precall_purpose": "greeting", "x": [1, {"y": 2}]}}),
    );
    assert_eq!((flat.source, flat.conversation.as_str()), (ReportSource::Flat, "conv_9"));
    assert_eq!(
        (flat.our_call, flat.purpose, flat.grade),
        (Some(OUR_ID), Some(Purpose::Greeting), Grade::Completed)
    );
    assert_eq!(flat.duration, Some(Duration::from_millis(42_500)));
    assert_eq!(flat.transcript.unwrap().as_str(), "agent: Hi\nuser: Hello");
    assert_eq!(flat.event_timestamp, Some(At(1_795_342_272_000_000)));
    let grade = |body: Value| {
        let read = report(&body);
        (read.grade, read.failure)
    };
    let failed = |why| (Grade::Failed, Some(why));
    assert_eq!(
        grade(json!({"call_id": "c", "status": "missed", "duration_seconds": 0})),
        failed(HandoffFailure::NoAnswer)
    );
    assert_eq!(grade(json!({"call_id": "c", "status": "Busy"})), failed(HandoffFailure::Busy));
    assert_eq!(grade(json!({"call_id": "c", "status": "failed"})), failed(HandoffFailure::Unknown));
    assert_eq!(grade(json!({"call_id": "c"})), failed(HandoffFailure::Unknown));
    assert_eq!(grade(json!({"call_id": "c", "duration_seconds": 3})), (Grade::Completed, None));
    assert_eq!(
        grade(json!({"call_id": "c", "status": "failed", "transcript": [{"role": "user", "message": "hi"}]})),
        (Grade::Completed, None)
    );
}

#[test]
fn a_fetched_conversation_is_the_same_report() {
    let webhook = transcription();
    let mut body = webhook["data"].clone();
    body["has_audio"] = json!(true);
    let ConversationDetail::Reported(fetched) = parse_conversation(body.to_string().as_bytes()).unwrap()
    else {
        panic!("it is done")
    };
    let mut expected = report(&webhook);
    expected.source = ReportSource::Fetched;
    expected.event_timestamp = None;
    assert_eq!(*fetched, expected);
    for status in ["initiated", "in-progress", "processing", "something new"] {
        body["status"] = json!(status);
        let detail = parse_conversation(body.to_string().as_bytes()).unwrap();
        assert_eq!(detail, ConversationDetail::NotYet { status: status.to_owned() });
    }
    assert_eq!(parse_conversation(b"{}").unwrap_err(), ReportError::Missing { field: "status" });
    let nameless = parse_conversation(br#"{"status":"done","agent_id":"a"}"#).unwrap_err();
    assert_eq!(nameless, ReportError::Missing { field: "conversation_id" });
}

#[test]
fn an_audio_webhook_is_recognised_by_its_beginning() {
    let body = json!({"type": "post_call_audio", "event_timestamp": 1_739_537_319,
        "data": {"agent_id": "xyz", "conversation_id": "abc", "full_audio": "x".repeat(100_000)}})
    .to_string();
    // serde_json orders keys by name, so data comes first here; the provider's own order is tried below.
    let theirs = format!(
        r#"{{"type":"post_call_audio","event_timestamp":1739537319,"data":{{"agent_id":"xyz",
            "conversation_id":"abc","full_audio":"{}"}}}}"#,
        "x".repeat(100_000)
    );
    for body in [&body, &theirs] {
        let Webhook::Audio(whole) = parse_webhook(body.as_bytes()).unwrap() else { panic!("audio") };
        assert_eq!(whole, audio_head(body.as_bytes()));
        assert_eq!(whole.conversation.unwrap().as_str(), "abc");
    }
    let head = audio_head(&theirs.as_bytes()[..4096]);
    assert_eq!(head.kind.as_deref(), Some("post_call_audio"));
    assert_eq!(head.conversation.unwrap().as_str(), "abc");
    assert_eq!(head.agent_id.as_deref(), Some("xyz"));
    assert_eq!(head.event_timestamp, Some(At(1_739_537_319_000_000)));
    for end in 0..300 {
        let _ = audio_head(&theirs.as_bytes()[..end]);
    }
    assert_eq!(audio_head(b"[1,2"), crate::elevenlabs::AudioHead::default());
}

#[test]
fn a_new_type_is_not_an_error() {
    for kind in
        ["post_call_new", "unredacted_transcript", "voice_removal_notice", "answering_machine_detection"]
    {
        let body = json!({"type": kind, "data": {"agent_id": "a"}}).to_string();
        assert_eq!(parse_webhook(body.as_bytes()), Ok(Webhook::Other { kind: kind.to_owned() }));
    }
}

/// The words of a report with these turns.
fn words(turns: Value) -> Option<String> {
    let mut body = transcription();
    body["data"]["transcript"] = turns;
    let mut fetched = body["data"].clone();
    fetched["status"] = json!("done");
    let ConversationDetail::Reported(polled) = parse_conversation(fetched.to_string().as_bytes()).unwrap()
    else {
        panic!("not done")
    };
    let flat = json!({"call_id": "conv_1", "status": "completed", "transcript": body["data"]["transcript"]});
    let webhook = report(&body).transcript.map(|words| words.as_str().to_owned());
    for other in [polled.transcript, report(&flat).transcript] {
        assert_eq!(webhook, other.map(|words| words.as_str().to_owned()));
    }
    webhook
}

#[test]
fn words_outside_of_message_are_in_the_transcript() {
    let several = |message: Value| {
        json!({"role": "agent", "message": message, "multivoice_message": {"parts": [
            {"text": "Once upon a time.", "voice_label": "Narrator", "time_in_call_secs": 1},
            {"text": "  ", "voice_label": null, "time_in_call_secs": null},
            {"text": "Who is\nthere?", "voice_label": null, "time_in_call_secs": 3}]}})
    };
    let caller = json!({"role": "user", "message": "Hello", "time_in_call_secs": 2});
    for missing in [Value::Null, json!("")] {
        let turns = words(json!([several(missing), caller]));
        assert_eq!(turns.as_deref(), Some("agent: Once upon a time. Who is there?\nuser: Hello"));
    }
    assert_eq!(words(json!([several(json!("all in one"))])).as_deref(), Some("agent: all in one"));
    assert_eq!(
        words(json!([{"role": "agent", "message": null, "original_message": "Good morning"},
            {"role": "agent", "message": "Good", "original_message": "Good morning", "interrupted": true}]))
        .as_deref(),
        Some("agent: Good morning\nagent: Good")
    );
    let silent = json!([
        {"role": "agent", "message": null, "tool_calls": [{"tool_name": "end_call"}], "tool_results": []},
        {"role": "agent", "message": null, "multivoice_message": {"parts": []}},
        {"role": "agent", "message": null, "multivoice_message": {"parts": [{"text": null}, 7, null, "text"]}},
        {"role": "agent", "multivoice_message": {"parts": {"text": "no list"}}},
        {"role": "agent", "multivoice_message": ["text"], "tool_results": {"result": 1}}]);
    assert_eq!(words(silent), None);
}

#[test]
fn an_analysis_and_a_cost_in_dollars_are_kept() {
    let analysis = json!({"call_successful": "success", "call_summary_title": "Opening hours",
        "transcript_summary": "Anna asked.", "evaluation_criteria_results": {"polite": {"criteria_id": "polite",
        "result": "success", "rationale": "She was."}}, "data_collection_results": {"name": {
        "data_collection_id": "name", "value": null, "rationale": "-"}}, "a\u{0}b": "c\u{0}d", "new": [1.5]});
    let mut body = transcription();
    body["data"]["analysis"] = analysis.clone();
    for (cost, expected) in [(json!(0.1234), Some("0.1234")), (json!(2), Some("2")), (Value::Null, None)] {
        body["data"]["metadata"]["cost_fiat"] = cost;
        let webhook = report(&body);
        assert_eq!(webhook.cost_usd.as_ref().map(ToString::to_string).as_deref(), expected);
        let kept = webhook.analysis.clone().unwrap();
        assert_eq!(kept.value()["data_collection_results"], analysis["data_collection_results"]);
        assert_eq!(kept.value()["a\u{fffd}b"], "c\u{fffd}d");
        assert!(webhook.fact().has_analysis);
        assert!(!format!("{webhook:?}").contains("Anna"), "it is personal");
        let polled = parse_conversation(body["data"].to_string().as_bytes()).unwrap();
        let ConversationDetail::Reported(polled) = polled else { panic!("not done") };
        assert_eq!((polled.analysis, polled.cost_usd), (webhook.analysis, webhook.cost_usd));
    }
    for none in [Value::Null, json!({}), json!([]), json!("text"), json!(7)] {
        body["data"]["analysis"] = none;
        assert_eq!(report(&body).analysis, None);
    }
    let mut wide = transcription().to_string();
    wide = wide.replace(r#""transcript_summary":"...""#, r#""transcript_summary":1e999"#);
    let Webhook::Report(wide) = parse_webhook(wide.as_bytes()).unwrap() else { panic!("no report") };
    assert!(wide.analysis.is_none() && wide.transcript.is_some());
}

#[test]
fn a_voicemail_box_is_not_a_caller() {
    let mut by_result = transcription();
    by_result["data"]["metadata"]["phone_call"]["call_result"] = json!("voicemail");
    let mut by_tool = transcription();
    by_tool["data"]["transcript"][2]["tool_results"] = json!([{"type": "system", "tool_name": "voicemail_detection",
        "is_error": false, "result": {"result_type": "voicemail_detection_success", "status": "success"}}]);
    for body in [by_result, by_tool] {
        let report = report(&body);
        assert_eq!(
            (report.grade, report.failure, report.answered),
            (Grade::Failed, None, Answered::Voicemail)
        );
        assert!(report.transcript.is_some(), "what the agent said to the box is kept");
    }
    let answered = report(&transcription());
    assert_eq!((answered.grade, answered.answered), (Grade::Completed, Answered::Unknown));
}

#[test]
fn a_dial_that_nobody_answered_did_not_take_place_whatever_its_status() {
    for (result, failure) in [
        ("busy", HandoffFailure::Busy),
        ("no_answer", HandoffFailure::NoAnswer),
        ("failed", HandoffFailure::Unknown),
    ] {
        let mut body = transcription();
        body["data"]["transcript"] = json!([]);
        body["data"]["metadata"]["phone_call"]["call_result"] = json!(result);
        assert_eq!((report(&body).grade, report(&body).failure), (Grade::Failed, Some(failure)));
    }
}

#[test]
fn a_voicemail_test_is_a_report_of_a_conversation_that_may_still_run() {
    let test = |data: Value| {
        let body =
            json!({"type": "answering_machine_detection", "event_timestamp": 1_764_425_485, "data": data});
        report(&body)
    };
    for (word, answered) in [
        ("machine_start", Answered::Voicemail),
        ("machine_end_beep", Answered::Voicemail),
        ("voicemail", Answered::Voicemail),
        ("human", Answered::Tested),
        ("unknown", Answered::Tested),
    ] {
        let data = json!({"agent_id": "a", "conversation_id": "c", "any": {"field": word}});
        let report = test(data.clone());
        assert_eq!((report.grade, report.answered), (Grade::Initiated, answered), "{word}");
        assert_eq!(report.machine_detection.unwrap().value(), &data);
        assert_eq!(
            (report.source.name(), report.agent_id.as_deref()),
            ("answering_machine_detection", Some("a"))
        );
    }
}

#[test]
fn an_invalid_report_gives_the_reason_without_a_quote() {
    assert_eq!(error("{\"type\":"), ReportError::NotJson { line: 1, column: 8 });
    assert_eq!(error(""), ReportError::NotJson { line: 1, column: 0 });
    for body in ["[]", "null", "5", "\"secret\"", "[{\"type\":\"post_call_transcription\"}]"] {
        assert_eq!(error(body), ReportError::NotAnObject, "{body}");
    }
    assert_eq!(error("{}"), ReportError::Missing { field: "type (or call_id of the flat form)" });
    let missing = |field| ReportError::Missing { field };
    assert_eq!(error(r#"{"type":"post_call_transcription"}"#), missing("data.conversation_id"));
    assert_eq!(
        error(r#"{"type":"post_call_transcription","data":{"conversation_id":7,"agent_id":"a"}}"#),
        missing("data.conversation_id")
    );
    assert_eq!(
        error(r#"{"type":"call_initiation_failure","data":{"conversation_id":"c"}}"#),
        missing("data.agent_id")
    );
    assert_eq!(
        error(r#"{"type":"post_call_audio","data":{"agent_id":"c"}}"#),
        missing("data.conversation_id")
    );
    let nul = r#"{"type":"post_call_transcription","data":{"conversation_id":"a\u0000b","agent_id":"a"}}"#;
    assert_eq!(error(nul), ReportError::BadId { field: "data.conversation_id" });
    let long = json!({"call_id": "x".repeat(300)}).to_string();
    assert_eq!(error(&long), ReportError::BadId { field: "call_id" });
    assert!(matches!(error(&"[".repeat(100_000)), ReportError::NotJson { .. }));
    assert!(matches!(
        error(&format!("{{\"data\":{}", "{\"data\":".repeat(100_000))),
        ReportError::NotJson { .. }
    ));
}

#[test]
fn texts_have_no_line_breaks_and_no_nul() {
    let mut body = transcription();
    body["data"]["transcript"] =
        json!([{"role": "user\nadmin", "message": "a\u{0}b\r\nagent: forged\u{2028}c"}]);
    assert_eq!(report(&body).transcript.unwrap().as_str(), "user admin: a b  agent: forged c");
}

proptest::proptest! {
    #[test]
    fn no_body_panics(text in "\\PC{0,200}", cut in 0_usize..3000) {
        let _ = parse_webhook(text.as_bytes());
        let _ = parse_conversation(text.as_bytes());
        let _ = audio_head(text.as_bytes());
        let whole = transcription().to_string();
        let cut = &whole.as_bytes()[..cut.min(whole.len())];
        let _ = parse_webhook(cut);
        let _ = audio_head(cut);
    }
}

#[test]
fn ids_that_cannot_be_stored_are_not_taken() {
    let voice = |id: &str| {
        let mut body = transcription();
        body["data"]["conversation_initiation_client_data"] =
            json!({"conversation_config_override": {"tts": {"voice_id": id}}});
        report(&body).voice_echo
    };
    assert_eq!(voice("v1"), VoiceEcho::Voice(VoiceId::new("v1")));
    for bad in ["", "a\0", &"x".repeat(257)] {
        assert_eq!(voice(bad), VoiceEcho::None, "{bad:?}");
    }
    let body = json!({"type": "answering_machine_detection",
        "data": {"conversation_id": "c", "agent_id": "a\0", "result": "human"}});
    let read = parse_webhook(body.to_string().as_bytes());
    assert_eq!(read, Ok(Webhook::Other { kind: "answering_machine_detection".to_owned() }));
}
