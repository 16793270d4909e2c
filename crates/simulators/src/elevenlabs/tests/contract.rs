//! What the simulator answers, against the provider's OpenAPI file where that is at hand.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Provider, Service, brief, dial_body};
use crate::elevenlabs::Options;

/// The provider's schemas.
struct Contract(Value);

impl Contract {
    /// None, said aloud, where the file is not at hand: it is not ours to pass on.
    fn load() -> Option<Self> {
        let folder = std::env::var_os("PRECALL_PROVIDER_FACTS")
            .map(PathBuf::from)
            .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/providers"));
        let file = folder.join("elevenlabs-openapi.json");
        let Ok(text) = std::fs::read_to_string(&file) else {
            eprintln!(
                "SKIPPED: answers are not compared with the provider's OpenAPI file: {} is missing",
                file.display()
            );
            return None;
        };
        Some(Self(serde_json::from_str(&text).expect("the OpenAPI file is JSON")))
    }

    #[track_caller]
    fn holds(&self, schema: &str, answer: &Value) {
        assert!(self.0["components"]["schemas"].get(schema).is_some(), "no schema {schema}");
        let schema_of = json!({
            "$ref": format!("#/components/schemas/{schema}"),
            "components": self.0["components"],
        });
        let validator = jsonschema::validator_for(&schema_of).expect("the schema compiles");
        let errors: Vec<String> = validator
            .iter_errors(answer)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{schema}: {errors:#?}\n{answer:#}");
    }
}

#[actix_web::test]
async fn answers_are_what_the_openapi_file_says() {
    let Some(contract) = Contract::load() else { return };
    let service = Service::ready().await;
    let provider = Provider::with(Options { webhook: service.target(), ..brief() }).await;

    let form =
        super::Form::new().text("name", "n").text("labels", "{\"a\":\"b\"}").file("a.wav", &super::wav("n"));
    let added = provider.upload(form).await.json();
    contract.holds("AddVoiceIVCResponseModel", &added);
    let voice = added["voice_id"].as_str().unwrap();
    contract.holds("VoiceResponseModel", &provider.get(&format!("/v1/voices/{voice}")).await.json());
    contract.holds("VoiceResponseModel", &provider.get("/v1/voices/library").await.json());
    contract.holds("GetVoicesV2ResponseModel", &provider.get("/v2/voices").await.json());
    contract.holds("ExtendedSubscriptionResponseModel", &provider.get("/v1/user/subscription").await.json());
    contract.holds("GetAgentResponseModel", &provider.get("/v1/convai/agents/agent_1").await.json());
    contract.holds("WorkspaceWebhookListResponseModel", &provider.get("/v1/workspace/webhooks").await.json());
    let number = provider.get("/v1/convai/phone-numbers/phnum_1").await.json();
    contract.holds("GetPhoneNumberSIPTrunkResponseModel", &number);
    let settings = provider.get("/v1/convai/settings").await.json();
    contract.holds("ConvAIWebhooks", &settings["webhooks"]);
    let assigned = json!([
        {"phone_number_id": "phnum_1", "agent_id": "agent_1"},
        {"phone_number_id": "phnum_2", "agent_id": "agent_1", "provider": "twilio"},
    ]);
    provider.put("/sim/account", &json!({"phone_numbers": assigned})).await;
    let numbers = provider.get("/v1/convai/phone-numbers").await.json();
    contract.holds("GetPhoneNumberTwilioResponseModel", &numbers[1]);
    contract.holds("GetAgentResponseModel", &provider.get("/v1/convai/agents/agent_1").await.json());

    let asked = json!({
        "conversation_config_override": {"tts": {"voice_id": voice}, "agent": {"first_message": "Hi."}},
        "dynamic_variables": {"call_id": "c"},
        "user_id": "u",
    });
    let sip = provider.dial("+1", asked).await.json();
    contract.holds("SIPTrunkOutboundCallResponse", &sip);
    let twilio = provider.post("/v1/convai/twilio/outbound-call", &dial_body("+2", Value::Null)).await.json();
    contract.holds("TwilioOutboundCallResponse", &twilio);
    let sip = sip["conversation_id"].as_str().unwrap();
    contract.holds(
        "GetConversationResponseModel",
        &provider.get(&format!("/v1/convai/conversations/{sip}")).await.json(),
    );
    contract.holds("GetConversationResponseModel", &provider.reaches(sip, "done").await);
    let twilio = provider.reaches(twilio["conversation_id"].as_str().unwrap(), "done").await;
    contract.holds("GetConversationResponseModel", &twilio);
    contract
        .holds("GetConversationsPageResponseModel", &provider.get("/v1/convai/conversations").await.json());

    let person = json!({
        "type": "client",
        "name": "transfer_to_person",
        "description": "Brings the caller to a person.",
        "expects_response": true,
        "parameters": {"type": "object", "required": ["name"],
                       "properties": {"name": {"type": "string", "description": "The person."}}},
    });
    provider.put("/sim/agent", &json!({"tools": [person]})).await;
    let agent = provider.get("/v1/convai/agents/agent_1").await.json();
    contract.holds("GetAgentResponseModel", &agent);
    assert_eq!(agent["conversation_config"]["agent"]["prompt"]["tools"][0]["name"], "transfer_to_person");
    let told = json!({"report": {
        "evaluation_criteria_results": {"polite": {"result": "success"}},
        "data_collection_results": {"order": {"value": 1}},
        "cost_fiat": 0.5,
        "call_result": "voicemail",
        "multivoice": true,
    }});
    provider.put("/sim/agent", &told).await;
    let reported = provider.reaches(&provider.call("+4", json!({})).await, "done").await;
    contract.holds("GetConversationResponseModel", &reported);

    contract.holds("DeleteVoiceResponseModel", &provider.delete(&format!("/v1/voices/{voice}")).await.json());
    let again = json!({"conversation_config_override": {"tts": {"voice_id": voice}}});
    let failed = provider.call("+3", again).await;
    contract.holds("GetConversationResponseModel", &provider.reaches(&failed, "failed").await);
    contract.holds("HTTPValidationError", &provider.upload(super::Form::new()).await.json());
    contract.holds("HTTPValidationError", &provider.dial("+1", json!(5)).await.json());
}

#[actix_web::test]
async fn conversations_over_a_socket_are_what_the_openapi_file_says() {
    let Some(contract) = Contract::load() else { return };
    let provider = Provider::with(brief()).await;
    let path = "/v1/convai/conversation/get-signed-url?agent_id=agent_1";
    let signed = provider.get(path).await.json();
    contract.holds("ConversationSignedUrlResponseModel", &signed);
    let mut socket = provider.opens(signed["signed_url"].as_str().unwrap()).await;
    socket.initiate(json!({"user_id": "u", "dynamic_variables": {"call_id": "c"}})).await;
    socket.ends().await;
    let done = provider.reaches(&provider.last_talk().conversation_id, "done").await;
    contract.holds("GetConversationResponseModel", &done);
    assert_eq!(done["metadata"]["authorization_method"], "signed_url");
    let all = provider.get("/v1/convai/conversations").await.json();
    contract.holds("GetConversationsPageResponseModel", &all);
}

#[test]
fn the_contract_refuses_what_is_wrong() {
    let Some(contract) = Contract::load() else { return };
    let refused =
        std::panic::catch_unwind(|| contract.holds("AddVoiceIVCResponseModel", &json!({"voice_id": 1})));
    assert!(refused.is_err());
}
