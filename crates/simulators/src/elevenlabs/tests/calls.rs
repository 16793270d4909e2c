//! Outbound calls: bodies, busy lines, voices that are gone, maximum durations.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Options, Provider, Service, brief, dial_body, endless};

#[actix_web::test]
async fn a_sip_call_lives_to_done() {
    let provider = Provider::default().await;
    let placed = provider.dial("+4930111", json!({"user_id": "call-1"})).await.json();
    assert_eq!(placed["success"], true);
    assert!(placed["sip_call_id"].is_string());
    let id = placed["conversation_id"].as_str().unwrap();
    assert!(id.starts_with("conv_"));
    let done = provider.reaches(id, "done").await;
    assert_eq!(done["has_audio"], true);
    assert_eq!(done["metadata"]["phone_call"]["type"], "sip_trunking");
    assert_eq!(done["metadata"]["phone_call"]["external_number"], "+4930111");
    assert_eq!(done["metadata"]["call_duration_secs"], 1);
}

#[actix_web::test]
async fn a_twilio_call_has_twilio_s_shapes() {
    let provider = Provider::default().await;
    let body = dial_body("+4930111", Value::Null);
    let placed = provider.post("/v1/convai/twilio/outbound-call", &body).await.json();
    assert!(placed["callSid"].as_str().unwrap().starts_with("CA"));
    assert!(placed.get("sip_call_id").is_none());
    let done = provider.reaches(placed["conversation_id"].as_str().unwrap(), "done").await;
    let phone_call = &done["metadata"]["phone_call"];
    assert_eq!(phone_call["type"], "twilio");
    assert_eq!(phone_call["call_sid"], placed["callSid"]);
    assert_eq!(done["metadata"]["conversation_initiation_source"], "twilio");
}

#[actix_web::test]
async fn what_is_missing_or_of_the_wrong_type_is_listed() {
    let provider = Provider::default().await;
    let post = async |body: Value| provider.post("/v1/convai/sip-trunk/outbound-call", &body).await;
    let empty = post(json!({})).await;
    assert_eq!(empty.status, 422);
    let missing: Vec<Value> =
        empty.json()["detail"].as_array().unwrap().iter().map(|p| p["loc"][1].clone()).collect();
    assert_eq!(missing, ["agent_id", "agent_phone_number_id", "to_number"]);
    assert_eq!(post(json!([1])).await.status, 422);

    let wrong = [
        json!("text"),
        json!({"user_id": 5}),
        json!({"dynamic_variables": {"a": [1]}}),
        json!({"source_info": {"source": "precall"}}),
        json!({"conversation_config_override": {"tts": {"voice_id": 1}}}),
        json!({"conversation_config_override": {"agent": {"first_message": 1}}}),
        json!({"conversation_config_override": {"conversation": {"max_duration_seconds": "15"}}}),
    ];
    for data in wrong {
        assert_eq!(post(dial_body("+1", data.clone())).await.status, 422, "{data}");
    }
    let mut ringing = dial_body("+1", Value::Null);
    ringing["telephony_call_config"] = json!({"ringing_timeout_secs": 1000});
    assert_eq!(post(ringing).await.status, 422);
    let unknown = json!({"unknown": 1, "conversation_config_override": {"tts": null, "new": {}}});
    assert_eq!(post(dial_body("+1", unknown)).await.status, 200, "unknown fields are ignored");
}

#[actix_web::test]
async fn a_number_in_a_call_is_busy_until_it_hangs_up() {
    let service = Service::ready().await;
    let provider = Provider::with(Options { webhook: service.target(), ..endless() }).await;
    let first = provider.call("+4930111", Value::Null).await;
    let second = provider.dial("+4930111", Value::Null).await;
    assert_eq!((second.status, second.json()["success"].clone()), (200, json!(true)));
    let second = second.json()["conversation_id"].as_str().unwrap().to_owned();

    let failure = service.received(1).await[0].json();
    assert_eq!(failure["type"], "call_initiation_failure");
    assert_eq!(failure["data"]["conversation_id"], second.as_str());
    assert_eq!(failure["data"]["failure_reason"], "busy");
    assert_eq!(failure["data"]["metadata"]["type"], "sip");
    assert_eq!(failure["data"]["metadata"]["body"]["sip_status_code"], 486);
    assert_eq!(failure["data"]["metadata"]["body"]["to_number"], "+4930111");
    provider.reaches(&second, "failed").await;

    provider.reaches(&first, "in-progress").await;
    provider.post(&format!("/sim/conversations/{first}/hangup"), &Value::Null).await;
    provider.reaches(&first, "done").await;
    let third = provider.call("+4930111", Value::Null).await;
    provider.reaches(&third, "in-progress").await;
}

#[actix_web::test]
async fn a_busy_twilio_call_reports_as_twilio_does() {
    let service = Service::ready().await;
    let provider = Provider::with(Options { webhook: service.target(), ..endless() }).await;
    provider.call("+4930111", Value::Null).await;
    let body = dial_body("+4930111", Value::Null);
    let placed = provider.post("/v1/convai/twilio/outbound-call", &body).await.json();
    let failure = service.received(1).await[0].json();
    let metadata = &failure["data"]["metadata"];
    assert_eq!(metadata["type"], "twilio");
    assert_eq!(metadata["body"]["CallStatus"], "busy");
    assert_eq!(metadata["body"]["CallSid"], placed["callSid"]);
}

#[actix_web::test]
async fn a_deleted_voice_keeps_the_conversation_from_starting() {
    let service = Service::ready().await;
    let provider = Provider::with(Options { webhook: service.target(), ..brief() }).await;
    let voice = provider.clone_voice("v").await;
    provider.delete(&format!("/v1/voices/{voice}")).await;
    let id = provider.call("+1", json!({"conversation_config_override": {"tts": {"voice_id": voice}}})).await;
    let failed = provider.reaches(&id, "failed").await;
    assert_eq!(failed["metadata"]["error"]["code"], 1008);
    assert_eq!(failed["transcript"], json!([]));
    let report = service.received(1).await[0].json();
    assert_eq!(
        (&report["type"], &report["data"]["status"]),
        (&json!("post_call_transcription"), &json!("failed"))
    );
}

#[actix_web::test]
async fn deleting_a_voice_in_use_breaks_the_conversation() {
    let provider = Provider::with(endless()).await;
    let voice = provider.clone_voice("v").await;
    let id = provider.call("+1", json!({"conversation_config_override": {"tts": {"voice_id": voice}}})).await;
    provider.reaches(&id, "in-progress").await;
    provider.delete(&format!("/v1/voices/{voice}")).await;
    let failed = provider.reaches(&id, "failed").await;
    assert_eq!(failed["metadata"]["error"], json!({"code": 1002, "reason": "tts_cascade_error"}));
}

#[actix_web::test]
async fn a_shorter_maximum_ends_the_conversation() {
    let provider = Provider::with(endless()).await;
    let begun = Instant::now();
    let maximum = json!({"conversation_config_override": {"conversation": {"max_duration_seconds": 1}}});
    let id = provider.call("+1", maximum).await;
    let done = provider.reaches(&id, "done").await;
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(done["metadata"]["termination_reason"], "max_duration_exceeded");
    assert_eq!(done["metadata"]["call_duration_secs"], 1);
}

#[actix_web::test]
async fn a_call_s_fate_can_be_ordered() {
    let service = Service::ready().await;
    let provider = Provider::with(Options { webhook: service.target(), ..brief() }).await;
    let faults = json!([
        {"path": "/v1/convai/sip-trunk", "call": "no-answer", "times": 1},
        {"path": "/v1/convai/sip-trunk", "call": "failed", "times": 1},
        {"path": "/v1/convai/sip-trunk", "report": "twice", "times": 1},
        {"path": "/v1/convai/sip-trunk", "report": "none", "times": 1},
    ]);
    assert_eq!(provider.put("/sim/faults", &faults).await.status, 200);
    let unanswered = provider.call("+1", Value::Null).await;
    assert_eq!(service.received(1).await[0].json()["data"]["failure_reason"], "no-answer");
    provider.reaches(&unanswered, "failed").await;
    provider.call("+1", Value::Null).await;
    assert_eq!(service.received(2).await[1].json()["data"]["status"], "failed");
    provider.call("+1", Value::Null).await;
    let received = service.received(4).await;
    assert_eq!(received[2].raw, received[3].raw);
    let silent = provider.call("+1", Value::Null).await;
    provider.reaches(&silent, "done").await;
    let last = provider.call("+1", Value::Null).await;
    let received = service.received(5).await;
    assert_eq!(
        received[4].json()["data"]["conversation_id"],
        last.as_str(),
        "the silent one was not reported"
    );
}

#[actix_web::test]
async fn many_calls_at_once_are_each_reported_once() {
    const CALLS: usize = 200;
    let service = Service::ready().await;
    let provider = Provider::with(Options { webhook: service.target(), ..brief() }).await;
    let numbers: Vec<String> = (0..CALLS).map(|n| format!("+49301{n:04}")).collect();
    let dials = numbers.iter().map(|number| provider.call(number, Value::Null));
    let mut placed: Vec<String> = futures_util::future::join_all(dials).await;
    let received = service.received(CALLS).await;
    let mut reported: Vec<String> = received
        .iter()
        .map(|one| one.json()["data"]["conversation_id"].as_str().unwrap().to_owned())
        .collect();
    placed.sort();
    reported.sort();
    assert_eq!(placed, reported);
}

#[actix_web::test]
async fn hanging_up_early_is_the_person_s_doing() {
    let provider = Provider::with(endless()).await;
    let id = provider.call("+1", Value::Null).await;
    provider.reaches(&id, "in-progress").await;
    let hung_up = provider.post(&format!("/sim/conversations/{id}/hangup"), &Value::Null).await;
    assert_eq!(hung_up.json(), json!({"ok": true}));
    let done = provider.reaches(&id, "done").await;
    assert_eq!(done["metadata"]["termination_reason"], "Call ended by remote party");
    let again = provider.post(&format!("/sim/conversations/{id}/hangup"), &Value::Null).await;
    assert_eq!(again.json(), json!({"ok": false}));
}
