//! Overrides: refused or dropped by every way into a conversation, unless the agent allows the field.

use serde_json::{Value, json};

use super::super::{Agent, OverrideRefusal};
use super::{Options, Provider, Service, brief, dial_body};

/// Every field with a flag, by its path, with a value of its type.
fn fields() -> Vec<(&'static str, Value)> {
    vec![
        ("asr.keywords", json!(["tiling"])),
        ("turn.soft_timeout_config.message", json!("One moment.")),
        ("turn.soft_timeout_config.additional_soft_timeout_messages", json!(["Still here."])),
        ("tts.model_id", json!("eleven_flash_v2_5")),
        ("tts.voice_id", json!("v1")),
        ("tts.stability", json!(0.4)),
        ("tts.speed", json!(1.1)),
        ("tts.similarity_boost", json!(0.9)),
        ("tts.pronunciation_dictionary_locators", json!([])),
        ("conversation.text_only", json!(false)),
        ("conversation.max_duration_seconds", json!(30)),
        ("agent.first_message", json!("")),
        ("agent.language", json!("nl")),
        ("agent.max_conversation_duration_message", json!("Time is up.")),
        ("agent.prompt.prompt", json!("Be kind.")),
        ("agent.prompt.llm", json!("gemini-2.5-flash")),
        ("agent.prompt.tool_ids", json!([])),
        ("agent.prompt.native_mcp_server_ids", json!([])),
        ("agent.prompt.knowledge_base", json!([])),
    ]
}

/// An override of one field, as the client's data has it.
fn asking(field: &str, value: &Value) -> Value {
    let nested = field.rsplit('.').fold(value.clone(), |value, name| json!({ name: value }));
    json!({"conversation_config_override": nested, "user_id": "u"})
}

fn echo(conversation: &Value, field: &str) -> Value {
    let overrides = &conversation["conversation_initiation_client_data"]["conversation_config_override"];
    field.split('.').fold(overrides.clone(), |value, name| value[name].clone())
}

async fn provider_of(agent: Agent) -> Provider {
    Provider::with(Options { agent, ..brief() }).await
}

/// Calls by both kinds of telephony, and gives the final conversations.
async fn dialled(provider: &Provider, data: &Value, status: &str) -> Vec<Value> {
    let mut ended = Vec::new();
    for kind in ["sip-trunk", "twilio"] {
        let body = dial_body(&format!("+49{kind}"), data.clone());
        let placed = provider.post(&format!("/v1/convai/{kind}/outbound-call"), &body).await.json();
        ended.push(provider.reaches(placed["conversation_id"].as_str().unwrap(), status).await);
    }
    ended
}

#[actix_web::test]
async fn no_field_is_allowed_by_default_on_the_telephone_or_on_a_socket() {
    let provider = provider_of(Agent::default()).await;
    let shown = provider.get("/v1/convai/agents/a").await.json();
    let flags = &shown["platform_settings"]["overrides"]["conversation_config_override"];
    for (field, value) in fields() {
        let name = field.rsplit('.').next().unwrap();
        let reason = format!("Override for field '{name}' is not allowed by config.");
        let flag = field.split('.').fold(flags, |flags, name| &flags[name]);
        assert_eq!(flag, &json!(false), "{field}");
        for failed in dialled(&provider, &asking(field, &value), "failed").await {
            assert_eq!(failed["metadata"]["error"], json!({"code": 1008, "reason": reason}), "{field}");
            assert_eq!(failed["transcript"], json!([]), "{field}");
            assert_eq!(echo(&failed, field), Value::Null, "{field}");
        }
        let mut socket = provider.sessions(asking(field, &value)).await;
        assert_eq!(socket.ends().await, (Some(1008), reason), "{field}");
        assert_eq!(socket.all("error")[0]["error_event"]["error_type"], "override_error", "{field}");
        assert_eq!(
            echo(&provider.reaches(&provider.last_talk().conversation_id, "failed").await, field),
            Value::Null
        );
    }
}

#[actix_web::test]
async fn a_flag_allows_its_own_field_alone() {
    for (field, value) in fields() {
        let provider = provider_of(Agent::allowing(&[field])).await;
        for done in dialled(&provider, &asking(field, &value), "done").await {
            assert_eq!(echo(&done, field), value, "{field}");
        }
        let mut socket = provider.sessions(asking(field, &value)).await;
        socket.until("conversation_initiation_metadata").await;
        let (other, value) = fields().into_iter().find(|(other, _)| *other != field).unwrap();
        dialled(&provider, &asking(other, &value), "failed").await;
    }
}

#[actix_web::test]
async fn a_refused_call_fails_to_start_and_is_reported_without_what_was_asked() {
    let service = Service::ready().await;
    let provider =
        Provider::with(Options { webhook: service.target(), agent: Agent::default(), ..brief() }).await;
    let placed = provider.dial("+4930111", asking("tts.voice_id", &json!("v1"))).await;
    assert_eq!((placed.status, &placed.json()["success"]), (200, &json!(true)), "it is refused later");
    let report = service.received(1).await[0].json();
    assert_eq!(report["type"], "post_call_transcription");
    assert_eq!(report["data"]["status"], "failed");
    assert_eq!(report["data"]["metadata"]["call_duration_secs"], 0);
    assert_eq!(report["data"]["user_id"], "u", "the rest is echoed");
    assert_eq!(echo(&report["data"], "tts"), Value::Null);
}

#[actix_web::test]
async fn a_call_that_comes_in_is_checked_as_well() {
    let told = json!({
        "type": "conversation_initiation_client_data",
        "dynamic_variables": {},
        "conversation_config_override": {"agent": {"language": "nl"}},
    });
    let initiation = Service::answering(&[200], told).await;
    let options = Options { initiation: initiation.target(), agent: Agent::default(), ..brief() };
    let provider = Provider::with(options).await;
    let call = json!({"called_number": "+4930222", "caller_id": "+4930111", "call_sid": "abc"});
    let arrived = provider.post("/sim/inbound", &call).await.json();
    let failed = provider.reaches(arrived["conversation_id"].as_str().unwrap(), "failed").await;
    assert!(failed["metadata"]["error"]["reason"].as_str().unwrap().contains("'language'"), "{failed}");
}

#[actix_web::test]
async fn dropped_fields_are_not_used_and_not_echoed() {
    let agent = Agent { override_refusal: OverrideRefusal::Drop, ..Agent::allowing(&["tts.speed"]) };
    let provider = provider_of(agent).await;
    let data = json!({"conversation_config_override": {
        "tts": {"voice_id": "v1", "speed": 1.1},
        "agent": {"first_message": "Hello Ann.", "prompt": {"prompt": "Be kind."}},
        "conversation": {"max_duration_seconds": 1},
    }});
    for done in dialled(&provider, &data, "done").await {
        let overrides = &done["conversation_initiation_client_data"]["conversation_config_override"];
        let expected = json!({"tts": {"speed": 1.1}, "agent": null, "conversation": null, "turn": null});
        assert_eq!(overrides, &expected);
        assert_eq!(done["transcript"][0]["message"], "Hello, how can I help you?");
    }
    let mut socket = provider.sessions(data).await;
    let said = socket.until("agent_response").await;
    assert_eq!(said["agent_response_event"]["agent_response"], "Hello, how can I help you?");
    let session = provider.last_talk();
    assert_eq!(session.voice_id, Some(Agent::default().voice_id));
}

#[actix_web::test]
async fn a_missing_variable_ends_a_telephone_call_too() {
    let provider =
        provider_of(Agent { required_variables: vec!["call_id".to_owned()], ..Agent::default() }).await;
    for failed in dialled(&provider, &json!({}), "failed").await {
        assert_eq!(failed["metadata"]["error"]["reason"], "Missing required dynamic variable: call_id");
    }
    dialled(&provider, &json!({"dynamic_variables": {"call_id": "c"}}), "done").await;
}

#[actix_web::test]
async fn the_control_api_switches_flags() {
    let provider = provider_of(Agent::default()).await;
    let flag = async || {
        let agent = provider.get("/v1/convai/agents/a").await.json();
        agent["platform_settings"]["overrides"]["conversation_config_override"]["tts"]["voice_id"].clone()
    };
    assert_eq!(flag().await, false);
    provider.put("/sim/agent", &json!({"allowed_overrides": ["tts.voice_id"]})).await;
    assert_eq!(flag().await, true);
    let wrong = provider.put("/sim/agent", &json!({"allowed_overrides": ["voice_id"]})).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.json()["detail"].as_str().unwrap().contains("tts.voice_id"), "{wrong:?}");
    assert_eq!(flag().await, true);
}
