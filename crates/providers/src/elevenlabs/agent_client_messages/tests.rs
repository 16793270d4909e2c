//! Messages to the agent.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A failed test is a failed test.

use super::*;

fn initiation<'a>() -> Initiation<'a> {
    Initiation {
        call: CallId(7),
        threecx_call_id: None,
        caller_id: None,
        voice: None,
        first_message: None,
        language: None,
        trace: None,
        variables: &[],
    }
}

#[test]
fn the_first_message_has_only_fields_with_a_value() {
    let said: Value = serde_json::from_str(&initiation_text(&initiation())).unwrap();
    assert_eq!(said.get("conversation_config_override"), None);
    assert_eq!(said["user_id"], "00000000-0000-0000-0000-000000000007");
    assert_eq!(said["dynamic_variables"]["caller_id"], "");
    let voice = VoiceId::new("v1");
    let variables = [("shop".to_owned(), "Bern".to_owned()), ("call_id".to_owned(), "mine".to_owned())];
    let full = Initiation {
        voice: Some(&voice),
        first_message: Some(""),
        language: Some("nl"),
        caller_id: Some("+4930111222"),
        threecx_call_id: Some("17"),
        variables: &variables,
        ..initiation()
    };
    let said: Value = serde_json::from_str(&initiation_text(&full)).unwrap();
    assert_eq!(
        said["conversation_config_override"],
        json!({ "tts": { "voice_id": "v1" }, "agent": { "first_message": "", "language": "nl" } })
    );
    assert_eq!(said["dynamic_variables"]["shop"], "Bern");
    assert_eq!(said["dynamic_variables"]["call_id"], "00000000-0000-0000-0000-000000000007");
}

#[test]
fn audio_chunks_and_pongs_have_the_documented_shape() {
    let mut text = String::new();
    write_audio_chunk(&[0, 1, 2], &mut text);
    assert_eq!(text, r#"{"user_audio_chunk":"AAEC"}"#);
    text.clear();
    write_pong(12, &mut text);
    assert_eq!(text, r#"{"type":"pong","event_id":12}"#);
    let result: Value =
        serde_json::from_str(&tool_result_text("t", "nobody \"answered\"", ToolOutcome::Failed)).unwrap();
    assert_eq!(result["is_error"], true);
    assert_eq!(result["result"], "nobody \"answered\"");
}
