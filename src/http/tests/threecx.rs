//! `/webhook/3cx`: requests and answers.

use precall_actors::api::{Busy, Outcome, PbxNoticeKind, Taken};
use precall_call::Cause;

use super::harness::{THREECX, run};
use super::scripted::{Asked, CALL};

const INCOMING: &str =
    r#"{"event_type":"IncomingCall","call_id":"77","caller_id":"+4930123456","called_number":"100"}"#;

#[actix_web::test]
async fn an_accepted_call_gets_a_full_answer() {
    let server = run();
    let answer = server.post(THREECX, INCOMING).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    assert_eq!(json["status"], "accepted");
    assert_eq!(json["call_id"], CALL.to_string());
    assert_eq!(json["cloned_voice_id"], "v1");
    assert_eq!(json["threecx_call_id"], "77");
    assert!(json["message"].is_string());
    assert_eq!(json.as_object().unwrap().len(), 5);
    let asked = server.engine.asked();
    let [Asked::Incoming(call)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(call.caller.as_deref(), Some("+4930123456"));
}

#[actix_web::test]
async fn every_outcome_has_its_status_word() {
    let server = run();
    for (outcome, word) in [
        (Outcome::Duplicate, "duplicate"),
        (Outcome::Ended, "ended"),
        (Outcome::Rejected(Cause::DialRefused), "rejected"),
        (Outcome::Rejected(Cause::Loop), "rejected"),
    ] {
        server.engine.change(|script| {
            script.taken = Ok(Taken { call: None, outcome, cached_voice: None, is_kept: false })
        });
        let answer = server.post(THREECX, INCOMING).await;
        assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some(word)));
        assert!(answer.json()["cloned_voice_id"].is_null() && answer.json()["call_id"].is_null());
        if let Outcome::Rejected(cause) = outcome {
            assert!(answer.json()["message"].as_str().unwrap().contains(cause.name()));
        }
    }
}

#[actix_web::test]
async fn a_webhook_goes_to_the_engine_with_its_event_and_is_kept_alone_if_there_was_none() {
    let server = run();
    for (is_kept, outcome) in [(true, Outcome::Accepted), (false, Outcome::Duplicate)] {
        let taken = Taken { call: Some(CALL), outcome, cached_voice: None, is_kept };
        server.engine.change(|script| script.taken = Ok(taken));
        assert_eq!(server.post(THREECX, INCOMING).await.status, 200);
    }
    let sent = server.engine.sent_with_events();
    assert_eq!(sent.iter().map(|row| row.provider_id.as_str()).collect::<Vec<_>>(), ["77", "77"]);
    assert_eq!(server.engine.kept().iter().map(|row| &*row.outcome).collect::<Vec<_>>(), ["duplicate"]);
}

#[actix_web::test]
async fn notices_reach_the_engine() {
    let server = run();
    server.post(THREECX, r#"{"event_type":"CALLENDED","call_id":77}"#).await;
    server.post(THREECX, r#"{"event_type":"callstatechanged","caller_id":"x","state":"Held"}"#).await;
    let asked = server.engine.asked();
    let [Asked::Notice(ended), Asked::Notice(changed)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(ended.threecx_call_id.as_deref(), Some("77"));
    assert!(matches!(ended.kind, PbxNoticeKind::Ended { .. }));
    assert!(matches!(&changed.kind, PbxNoticeKind::StateChanged(state) if state == "Held"));
}

#[actix_web::test]
async fn outbound_calls_are_ignored() {
    let server = run();
    let answer =
        server.post(THREECX, r#"{"event_type":"IncomingCall","call_id":"5","direction":"Out"}"#).await;
    assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("ignored")));
    assert_eq!(answer.json()["threecx_call_id"], "5");
    assert!(server.engine.asked().is_empty());
}

#[actix_web::test]
async fn an_unusable_body_is_400_with_a_code() {
    let server = run();
    for (body, code) in [
        ("", "bad_json"),
        ("{\"event_type\":", "bad_json"),
        ("[1]", "bad_json"),
        (r#"{"event_type":"Ringing","call_id":1}"#, "unknown_event_type"),
        (r#"{"event_type":"IncomingCall"}"#, "no_call"),
    ] {
        let answer = server.post(THREECX, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{body}");
    }
    assert!(server.engine.asked().is_empty());
}

#[actix_web::test]
async fn no_field_value_causes_a_500() {
    let server = run();
    let fields = [
        "event_type",
        "call_id",
        "caller_id",
        "called_number",
        "direction",
        "state",
        "duration",
        "recording_url",
    ];
    let values = [
        "null",
        "true",
        "-1",
        "1e400",
        "0.1",
        "\"\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "[[]]",
        "{\"a\":{}}",
        "18446744073709551616",
    ];
    let long = format!("\"{}\"", "9".repeat(100_000));
    for kind in ["IncomingCall", "CallStateChanged", "CallEnded"] {
        for field in fields {
            for value in values.iter().copied().chain([long.as_str()]) {
                let mut body = vec![format!("\"{field}\":{value}")];
                let rest = [("event_type", kind), ("call_id", "77"), ("direction", "In")];
                let rest = rest.iter().filter(|(name, _)| *name != field);
                body.extend(rest.map(|(name, value)| format!("\"{name}\":\"{value}\"")));
                let answer = server.post(THREECX, &format!("{{{}}}", body.join(","))).await;
                assert!(matches!(answer.status, 200 | 400), "{kind} {field}: {answer:?}");
            }
        }
    }
    for asked in server.engine.asked() {
        assert!(!format!("{asked:?}").contains("\\0"), "{asked:?}");
    }
}

#[actix_web::test]
async fn a_call_that_cannot_be_stored_is_503_with_retry_after() {
    let server = run();
    for (busy, code) in [
        (Busy::AtCapacity, "at_capacity"),
        (Busy::CannotKeep, "cannot_keep"),
        (Busy::TooSlow, "not_in_time"),
        (Busy::Draining, "draining"),
    ] {
        server.engine.change(|script| script.taken = Err(busy));
        for body in [INCOMING, r#"{"event_type":"CallEnded","call_id":"77"}"#] {
            let answer = server.post(THREECX, body).await;
            assert_eq!((answer.status, answer.code().as_str()), (503, code));
            assert!(answer.headers["retry-after"].parse::<u32>().unwrap() >= 1);
        }
    }
}

#[actix_web::test]
async fn a_stuck_engine_is_503_before_3cx_times_out() {
    let server = run();
    server.engine.change(|script| script.hangs = true);
    let begun = std::time::Instant::now();
    let answer = server.post(THREECX, INCOMING).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "not_in_time"));
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
}

#[actix_web::test]
async fn webhooks_are_counted_by_outcome() {
    let server = run();
    server.post(THREECX, INCOMING).await;
    server.post(THREECX, "{").await;
    let page = super::client::get(server.address, "/metrics", &[]).await;
    assert_eq!(page.status, 200);
    for line in [
        "precall_answered_webhooks_total{webhook=\"3cx\",outcome=\"accepted\"} 1",
        "precall_answered_webhooks_total{webhook=\"3cx\",outcome=\"bad_json\"} 1",
        "precall_live_calls 1",
    ] {
        assert!(page.body.contains(line), "no {line} in {}", page.body);
    }
}
