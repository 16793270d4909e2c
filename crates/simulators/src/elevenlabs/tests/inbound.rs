//! A call that arrives at the agent.

use serde_json::{Value, json};

use super::{Options, Provider, Service, WEBHOOK_SECRET, brief, endless};

fn call() -> Value {
    json!({"called_number": "+4930222", "caller_id": "+4930111", "call_sid": "abc", "agent_id": "agent_9"})
}

#[actix_web::test]
async fn the_initiation_webhook_gives_the_voice() {
    let told = json!({
        "type": "conversation_initiation_client_data",
        "dynamic_variables": {"call_id": "c1"},
        "conversation_config_override": {"tts": {"voice_id": "v1"}},
    });
    let initiation = Service::answering(&[200], told.clone()).await;
    let postcall = Service::ready().await;
    let options = Options { initiation: initiation.target(), webhook: postcall.target(), ..brief() };
    let provider = Provider::with(options).await;
    let arrived = provider.post("/sim/inbound", &call()).await.json();
    assert_eq!(arrived["initiation"], json!({"status": 200, "body": told}));
    assert_eq!(arrived["voice_id"], "v1");

    let asked = initiation.received(1).await.remove(0);
    assert_eq!(asked.header("x-initiation-secret"), WEBHOOK_SECRET);
    assert_eq!(asked.json(), call());
    let report = postcall.received(1).await[0].json();
    assert_eq!(report["data"]["conversation_id"], arrived["conversation_id"]);
    let phone_call = &report["data"]["metadata"]["phone_call"];
    assert_eq!((&phone_call["direction"], &phone_call["call_sid"]), (&json!("inbound"), &json!("abc")));
    let variables = &report["data"]["conversation_initiation_client_data"]["dynamic_variables"];
    assert_eq!((&variables["call_id"], &variables["system__caller_id"]), (&json!("c1"), &json!("+4930111")));
}

#[actix_web::test]
async fn a_call_is_not_taken_when_the_webhook_refuses() {
    for (status, body) in [(401, json!({})), (200, json!({"type": "other"})), (503, Value::Null)] {
        let initiation = Service::answering(&[status], body).await;
        let provider = Provider::with(Options { initiation: initiation.target(), ..brief() }).await;
        let arrived = provider.post("/sim/inbound", &call()).await.json();
        assert_eq!(
            (&arrived["conversation_id"], &arrived["initiation"]["status"]),
            (&Value::Null, &json!(status))
        );
        assert_eq!(provider.get("/sim/conversations").await.json(), json!([]));
    }
}

#[actix_web::test]
async fn without_a_webhook_the_agent_speaks_for_itself() {
    let provider = Provider::with(endless()).await;
    let arrived = provider.post("/sim/inbound", &call()).await.json();
    assert_eq!(arrived["initiation"], Value::Null);
    provider.reaches(arrived["conversation_id"].as_str().unwrap(), "in-progress").await;
    assert_eq!(provider.post("/sim/inbound", &json!({"caller_id": "+1"})).await.status, 400);
}
