//! Post-call webhooks: signature, shape, tries.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Options, Provider, Service, WEBHOOK_SECRET, brief, eventually};

/// The statuses of the tries, once there are this many.
async fn tries(provider: &Provider, count: usize) -> Vec<Value> {
    eventually(&format!("{count} tries"), || async {
        let shown = provider.get("/sim/webhooks").await.json();
        let shown = shown.as_array().unwrap();
        (shown.len() >= count).then(|| shown.iter().map(|one| one["status"].clone()).collect())
    })
    .await
}

#[actix_web::test]
async fn the_signature_covers_time_and_raw_body() {
    let service = Service::ready().await;
    let provider = Provider::with(Options { webhook: service.target(), ..brief() }).await;
    provider.call("+1", Value::Null).await;
    let received = service.received(1).await.remove(0);
    let signature = received.header("elevenlabs-signature");
    let (time, tag) = signature.strip_prefix("t=").unwrap().split_once(",v0=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
    mac.update(format!("{time}.").as_bytes());
    mac.update(&received.raw);
    mac.verify_slice(&hex::decode(tag).unwrap()).unwrap();
    assert_eq!(tag, tag.to_lowercase());
    let age = jiff::Timestamp::now().as_second() - time.parse::<i64>().unwrap();
    assert!((0..60).contains(&age));
    assert_eq!(received.header("content-type"), "application/json");
}

#[actix_web::test]
async fn a_transcription_has_the_real_shape_and_echoes_what_was_asked() {
    let service = Service::ready().await;
    let provider = Provider::with(Options { webhook: service.target(), ..brief() }).await;
    let overrides = json!({"tts": {"voice_id": "v1"}, "agent": {"first_message": "Hello Ann."}});
    let asked = json!({
        "conversation_config_override": overrides,
        "dynamic_variables": {"call_id": "c1", "n": 1, "ok": true},
        "user_id": "u1",
    });
    let id = provider.call("+4930111", asked).await;
    let report = service.received(1).await[0].json();
    assert_eq!(report["type"], "post_call_transcription");
    assert!(report["event_timestamp"].is_i64());
    let data = &report["data"];
    assert_eq!(data["conversation_id"], id.as_str());
    assert_eq!(data["agent_id"], "agent_1");
    assert_eq!(data["status"], "done");
    assert_eq!(data["user_id"], "u1");
    assert_eq!(data["transcript"][0]["role"], "agent");
    assert_eq!(data["transcript"][0]["message"], "Hello Ann.");
    assert_eq!(data["transcript"][1]["role"], "user");
    assert_eq!(data["metadata"]["call_duration_secs"], 1);
    assert_eq!(data["metadata"]["termination_reason"], "Call ended by remote party");
    assert_eq!(data["metadata"]["phone_call"]["direction"], "outbound");
    assert_eq!(data["analysis"]["call_successful"], "success");
    assert!(data.get("has_audio").is_none(), "absent in the real body");
    let echo = &data["conversation_initiation_client_data"];
    assert_eq!(echo["conversation_config_override"]["tts"], overrides["tts"]);
    assert_eq!(echo["conversation_config_override"]["turn"], Value::Null);
    assert_eq!(echo["user_id"], "u1");
    assert_eq!(echo["dynamic_variables"]["call_id"], "c1");
    assert_eq!(echo["dynamic_variables"]["ok"], true);
    assert_eq!(echo["dynamic_variables"]["system__conversation_id"], id.as_str());
    assert_eq!(echo["dynamic_variables"]["system__called_number"], "+4930111");
}

#[actix_web::test]
async fn a_transcription_is_tried_again_with_the_same_body() {
    let service = Service::answering(&[503, 429, 408, 200], json!({})).await;
    let spacing = vec![Duration::from_millis(5); 4];
    let options = Options { webhook: service.target(), retry_spacing: spacing, ..brief() };
    let provider = Provider::with(options).await;
    provider.call("+1", Value::Null).await;
    assert_eq!(tries(&provider, 4).await, [503, 429, 408, 200]);
    let received = service.received(4).await;
    assert!(received.iter().all(|one| one.raw == received[0].raw));
    provider.delete("/sim/webhooks").await;
    assert_eq!(provider.get("/sim/webhooks").await.json(), json!([]));
}

#[actix_web::test]
async fn a_refused_transcription_and_a_failure_are_tried_once() {
    let service = Service::answering(&[401, 503, 200], json!({})).await;
    let spacing = vec![Duration::ZERO; 4];
    let options = Options { webhook: service.target(), retry_spacing: spacing, ..brief() };
    let provider = Provider::with(options).await;
    provider.call("+1", Value::Null).await;
    assert_eq!(tries(&provider, 1).await, [401]);
    provider.put("/sim/faults", &json!([{"path": "/v1/convai", "call": "busy", "times": 1}])).await;
    provider.call("+1", Value::Null).await;
    assert_eq!(tries(&provider, 2).await, [401, 503]);
    provider.call("+1", Value::Null).await;
    assert_eq!(tries(&provider, 3).await, [401, 503, 200]);
    let kinds: Vec<Value> = service.received(3).await.iter().map(|one| one.json()["type"].clone()).collect();
    assert_eq!(kinds, ["post_call_transcription", "call_initiation_failure", "post_call_transcription"]);
}

#[actix_web::test]
async fn a_service_that_is_away_gets_every_try_and_no_more() {
    let gone = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/hook", gone.local_addr().unwrap());
    drop(gone);
    let target = super::Target { url: url.parse().unwrap(), secret: "s".parse().unwrap() };
    let options = Options { webhook: Some(target), retry_spacing: vec![Duration::ZERO; 2], ..brief() };
    let provider = Provider::with(options).await;
    let id = provider.call("+1", Value::Null).await;
    assert_eq!(tries(&provider, 3).await, [Value::Null, Value::Null, Value::Null]);
    provider.reaches(&id, "done").await;
}

#[actix_web::test]
async fn the_target_can_be_told_after_the_start() {
    let provider = Provider::default().await;
    let service = Service::ready().await;
    provider.simulator.set_webhook(service.target());
    provider.call("+1", Value::Null).await;
    service.received(1).await;
    eventually("the delivery is noted", || async {
        (provider.simulator.webhooks().len() == 1).then_some(())
    })
    .await;
}
