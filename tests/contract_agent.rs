//! Checks precall's messages on the agent's WebSocket against ElevenLabs' AsyncAPI file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failed test is a failed test.

use precall_call::{CallId, VoiceId};
use precall_providers::elevenlabs::{
    Initiation, ToolOutcome, contextual_update_text, initiation_text, tool_result_text, write_audio_chunk,
    write_pong,
};
use precall_providers::trace_context::{TraceParent, TracedPart};
use precall_test_support::provider_files;
use serde_json::{Value, json};

/// The schemas of the AsyncAPI file; unknown fields are errors.
fn schemas() -> Option<Value> {
    let text =
        provider_files::read("elevenlabs-agent-asyncapi.yaml", "the contract of the agent's WebSocket")?;
    // `no` is the language Norwegian, not false.
    let options = serde_saphyr::options! { strict_booleans: true };
    let mut document: Value = serde_saphyr::from_str_with_options(&text, options).expect("it is YAML");
    provider_files::refuse_unknown_fields(&mut document["components"]["schemas"]);
    Some(document["components"].take())
}

fn schema_errors(components: &Value, schema: &str, message: &Value) -> Vec<String> {
    assert!(components["schemas"][schema].is_object(), "no schema {schema}");
    let document = json!({ "$ref": format!("#/components/schemas/{schema}"), "components": components });
    let validator = jsonschema::draft202012::new(&document).unwrap();
    validator.iter_errors(message).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn written(write: impl FnOnce(&mut String)) -> Value {
    let mut text = String::new();
    write(&mut text);
    parsed(&text)
}

fn initiations() -> Vec<Value> {
    let voice = VoiceId::new("voice");
    let variables = [("shop".to_owned(), "Bern".to_owned())];
    let bare = Initiation {
        call: CallId(7),
        threecx_call_id: None,
        caller_id: None,
        voice: None,
        first_message: None,
        language: None,
        trace: None,
        variables: &[],
    };
    let full = Initiation {
        threecx_call_id: Some("17"),
        caller_id: Some("+4930111222"),
        voice: Some(&voice),
        first_message: Some("How can I help you?"),
        language: Some("de"),
        trace: Some(TraceParent::sampled(CallId(7), TracedPart::Conversation(1))),
        variables: &variables,
        ..bare.clone()
    };
    [bare, full].iter().map(|initiation| parsed(&initiation_text(initiation))).collect()
}

#[test]
fn every_message_matches_the_schema() {
    let Some(components) = schemas() else { return };
    let result = |outcome| parsed(&tool_result_text("tool_1", "nobody \"answered\"", outcome));
    let mut messages = vec![
        ("UserAudioPayload", written(|text| write_audio_chunk(&[0, 1, 2, 3], text))),
        ("PongPayload", written(|text| write_pong(12, text))),
        ("ContextualUpdatePayload", parsed(&contextual_update_text("The caller said: \"hello\""))),
        ("ClientToolResultPayload", result(ToolOutcome::Failed)),
    ];
    messages.extend(initiations().into_iter().map(|message| ("ConversationInitiationPayload", message)));
    for (schema, message) in messages {
        assert_eq!(schema_errors(&components, schema, &message), Vec::<String>::new(), "{message}");
    }
}

#[test]
fn a_misspelt_field_fails() {
    let Some(components) = schemas() else { return };
    for mut message in initiations() {
        message["dynamic_variable"] = json!({});
        assert_ne!(
            schema_errors(&components, "ConversationInitiationPayload", &message),
            Vec::<String>::new()
        );
    }
    let mut voiced = initiations().pop().unwrap();
    voiced["conversation_config_override"]["tts"]["voice"] = json!("another");
    assert_ne!(schema_errors(&components, "ConversationInitiationPayload", &voiced), Vec::<String>::new());
}
