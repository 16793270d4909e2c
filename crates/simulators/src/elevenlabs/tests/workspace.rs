//! What `precall check` asks the account: plan, numbers, webhooks, settings; and what follows from them.

use serde_json::{Value, json};

use super::super::{Agent, Options};
use super::{Form, Provider, Service, brief, dial_body, open_agent, wav};

async fn told(provider: &Provider, account: Value) {
    let reply = provider.put("/sim/account", &account).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

fn code(reply: &crate::shared::test_client::Reply) -> (u16, Value) {
    (reply.status, reply.json()["detail"]["code"].clone())
}

#[actix_web::test]
async fn every_endpoint_of_the_account_needs_the_key() {
    let provider = Provider::with(Options { api_key: Some("k".parse().unwrap()), ..brief() }).await;
    for path in [
        "/v1/user/subscription",
        "/v1/voices/v",
        "/v1/convai/agents/a",
        "/v1/convai/phone-numbers",
        "/v1/convai/phone-numbers/p",
        "/v1/convai/conversation/get-signed-url?agent_id=a",
        "/v1/workspace/webhooks",
        "/v1/convai/settings",
    ] {
        assert_eq!(code(&provider.get(path).await), (401, json!("missing_api_key")), "{path}");
    }
}

#[actix_web::test]
async fn a_plan_without_cloning_refuses_clones() {
    let provider = Provider::default().await;
    told(&provider, json!({"tier": "free", "can_use_instant_voice_cloning": false, "voice_slots": 3})).await;
    let subscription = provider.get("/v1/user/subscription").await.json();
    assert_eq!((&subscription["tier"], &subscription["voice_limit"]), (&json!("free"), &json!(3)));
    assert_eq!(subscription["can_use_instant_voice_cloning"], false);
    let refused = provider.upload(Form::new().text("name", "n").file("a.wav", &wav("n"))).await;
    let detail = &refused.json()["detail"];
    assert_eq!((refused.status, &detail["code"]), (400, &json!("paid_plan_required")));
    assert_eq!(detail["status"], "can_not_use_instant_voice_cloning");
    assert_eq!(detail["type"], "payment_required");
    provider.delete("/sim/account").await;
    provider.clone_voice("n").await;
}

#[actix_web::test]
async fn ids_that_the_account_lacks_are_not_found() {
    let provider = Provider::default().await;
    let clone = provider.clone_voice("n").await;
    let number = json!({"phone_number_id": "phnum_1", "phone_number": "+4930", "agent_id": "agent_1"});
    told(&provider, json!({"agents": ["agent_1"], "voices": ["v1"], "phone_numbers": [number]})).await;
    for path in [
        "/v1/convai/agents/agent_1".to_owned(),
        "/v1/voices/v1".to_owned(),
        format!("/v1/voices/{clone}"),
        "/v1/convai/phone-numbers/phnum_1".to_owned(),
        "/v1/convai/conversation/get-signed-url?agent_id=agent_1".to_owned(),
    ] {
        assert_eq!(provider.get(&path).await.status, 200, "{path}");
    }
    for (path, why) in [
        ("/v1/convai/agents/agent_2", "agent_not_found"),
        ("/v1/voices/v2", "voice_not_found"),
        ("/v1/convai/phone-numbers/phnum_2", "phone_number_not_found"),
        ("/v1/convai/conversation/get-signed-url?agent_id=agent_2", "agent_not_found"),
    ] {
        assert_eq!(code(&provider.get(path).await), (404, json!(why)), "{path}");
    }
    let mut wrong = dial_body("+1", Value::Null);
    wrong["agent_id"] = json!("agent_2");
    let dial = "/v1/convai/sip-trunk/outbound-call";
    assert_eq!(code(&provider.post(dial, &wrong).await), (404, json!("agent_not_found")));
    wrong["agent_id"] = json!("agent_1");
    wrong["agent_phone_number_id"] = json!("phnum_2");
    assert_eq!(code(&provider.post(dial, &wrong).await), (404, json!("phone_number_not_found")));

    let listed = provider.get("/v1/convai/phone-numbers").await.json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["assigned_agent"]["agent_id"], "agent_1");
    assert_eq!(listed[0]["provider"], "sip_trunk");
    let agent = provider.get("/v1/convai/agents/agent_1").await.json();
    assert_eq!(agent["phone_numbers"], listed);
    let unknown = json!({"conversation_config_override": {"tts": {"voice_id": "v2"}}});
    provider.reaches(&provider.call("+1", unknown).await, "failed").await;
}

#[actix_web::test]
async fn webhooks_and_settings_are_those_of_the_flags_until_told() {
    let (service, initiation) = (Service::ready().await, Service::ready().await);
    let options = Options { webhook: service.target(), initiation: initiation.target(), ..brief() };
    let provider = Provider::with(options).await;
    let webhooks = provider.get("/v1/workspace/webhooks").await.json();
    assert_eq!(webhooks["webhooks"][0]["webhook_url"], service.url);
    let settings = provider.get("/v1/convai/settings").await.json();
    assert_eq!(settings["webhooks"]["post_call_webhook_id"], webhooks["webhooks"][0]["webhook_id"]);
    assert_eq!(settings["conversation_initiation_client_data_webhook"]["url"], initiation.url);

    let webhook = json!({
        "webhook_id": "w1",
        "is_auto_disabled": true,
        "most_recent_failure_error_code": 401,
        "most_recent_failure_timestamp": 1_790_000_000,
    });
    let settings = json!({"post_call_webhook_id": "w1", "events": ["transcript"]});
    told(&provider, json!({"webhooks": [webhook], "settings": settings})).await;
    let shown = provider.get("/v1/workspace/webhooks").await.json();
    assert_eq!(shown["webhooks"][0]["is_auto_disabled"], true);
    assert_eq!(shown["webhooks"][0]["most_recent_failure_error_code"], 401);
    let wrong = provider.put("/sim/account", &json!({"settings": {"events": ["transcripts"]}})).await;
    assert_eq!(wrong.status, 400);

    // A webhook that is off is not posted, nor is an event that nobody asked for.
    provider.reaches(&provider.call("+1", Value::Null).await, "done").await;
    let events = |events: &[&str]| {
        let settings = json!({"post_call_webhook_id": "w1", "events": events});
        json!({"webhooks": [{"webhook_id": "w1"}], "settings": settings})
    };
    told(&provider, events(&["audio"])).await;
    provider.reaches(&provider.call("+1", Value::Null).await, "done").await;
    told(&provider, events(&["transcript"])).await;
    let last = provider.call("+1", Value::Null).await;
    assert_eq!(service.received(1).await[0].json()["data"]["conversation_id"], last.as_str());
}

#[actix_web::test]
async fn the_agent_shows_what_it_was_told() {
    let overrides = json!({"webhooks": {"post_call_webhook_id": "w9", "events": ["transcript"]}});
    let agent = Agent {
        language: "nl".to_owned(),
        initiation_webhook: false,
        workspace_overrides: overrides.as_object().unwrap().clone(),
        concurrency_limit: 5,
        ..open_agent()
    };
    let initiation = Service::ready().await;
    let provider = Provider::with(Options { agent, initiation: initiation.target(), ..brief() }).await;
    let shown = provider.get("/v1/convai/agents/a").await.json();
    assert_eq!(shown["conversation_config"]["agent"]["language"], "nl");
    assert_eq!(shown["conversation_config"]["agent"]["first_message"], "Hello, how can I help you?");
    let platform = &shown["platform_settings"];
    assert_eq!(platform["overrides"]["enable_conversation_initiation_client_data_from_webhook"], false);
    assert_eq!(platform["workspace_overrides"], overrides);
    assert_eq!(platform["call_limits"]["agent_concurrency_limit"], 5);
    let call = json!({"called_number": "+4930222", "caller_id": "+4930111", "call_sid": "abc"});
    assert_eq!(provider.post("/sim/inbound", &call).await.json()["initiation"], Value::Null);
}
