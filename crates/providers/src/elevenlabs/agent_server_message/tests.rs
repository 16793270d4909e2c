//! Messages from the agent.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use super::*;

#[test]
fn every_used_message_type_is_parsed() {
    let read = |text| read_agent_message(text).unwrap();
    let begun = r#"{"type":"conversation_initiation_metadata",
        "conversation_initiation_metadata_event":{"conversation_id":"conv_1",
            "agent_output_audio_format":"ulaw_8000","user_input_audio_format":"pcm_16000"}}"#;
    let expected = AgentMessage::Begun {
        conversation: ConversationId::new("conv_1"),
        output: AudioFormat::Ulaw,
        input: AudioFormat::Pcm(16_000),
    };
    assert_eq!(read(begun), expected);
    let audio =
        r#"{"type":"audio","audio_event":{"audio_base_64":"AAE=","event_id":3,"alignment":{"chars":["H"]}}}"#;
    let AgentMessage::Audio { event: 3, base64: Cow::Borrowed("AAE=") } = read(audio) else {
        panic!("audio is not copied");
    };
    for (text, expected) in [
        (
            r#"{"interruption_event":{"event_id":5},"type":"interruption"}"#,
            AgentMessage::Interrupted { event: 5 },
        ),
        (r#"{"type":"ping","ping_event":{"event_id":12,"ping_ms":null}}"#, AgentMessage::Ping { event: 12 }),
        (
            r#"{"type":"user_transcript","user_transcription_event":{"user_transcript":"Hall\u00f6","event_id":4}}"#,
            AgentMessage::Heard { text: "Hallö".into() },
        ),
        (
            r#"{"type":"agent_response","agent_response_event":{"agent_response":"Yes.","event_id":3}}"#,
            AgentMessage::Said { text: "Yes.".into(), event: Some(3) },
        ),
        (
            r#"{"type":"agent_response_correction","agent_response_correction_event":{
                "original_agent_response":"Yes, of course","corrected_agent_response":"Yes","event_id":3}}"#,
            AgentMessage::Corrected { text: "Yes".into(), event: Some(3) },
        ),
        (
            r#"{"type":"client_tool_call","client_tool_call":{"tool_name":"t","tool_call_id":"i",
                "parameters":{"name":"sales"},"event_id":6}}"#,
            AgentMessage::ToolCalled {
                id: "i".into(),
                name: "t".into(),
                parameters: Map::from_iter([("name".to_owned(), Value::from("sales"))]),
            },
        ),
        (
            r#"{"type":"error","error_event":{"code":1008,"error_type":"override_error","message":"not allowed"}}"#,
            AgentMessage::Failed {
                code: Some(1008),
                kind: "override_error".into(),
                message: "not allowed".into(),
            },
        ),
        (r#"{"type":"vad_score","vad_score_event":{"vad_score":0.95}}"#, AgentMessage::Other),
        (r#"{"type":"something_of_next_year"}"#, AgentMessage::Other),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn an_unreadable_message_gives_the_reason_without_a_quote() {
    let error = |text| read_agent_message(text).unwrap_err();
    for text in ["", "[]", r#"{"type":"audio"}"#, r#"{"type":"audio","audio_event":{"event_id":"secret"}}"#] {
        let error = error(text).to_string();
        assert!(error.starts_with("the agent's message is not the expected JSON"), "{error}");
        assert!(!error.contains("secret"));
    }
    let opus = r#"{"type":"conversation_initiation_metadata",
        "conversation_initiation_metadata_event":{"conversation_id":"c","agent_output_audio_format":"opus_48000"}}"#;
    assert_eq!(error(opus), UnreadableMessage::Format("opus_48000".into()));
}

#[test]
fn a_long_text_is_cut() {
    let long = format!(
        r#"{{"type":"user_transcript","user_transcription_event":{{"user_transcript":"{}"}}}}"#,
        "ä".repeat(TEXT_MAX)
    );
    let AgentMessage::Heard { text } = read_agent_message(&long).unwrap() else { panic!() };
    assert!(text.len() <= TEXT_MAX + 6 && text.ends_with(" [cut]"));
}

#[test]
fn ids_and_names_are_bounded() {
    let long = "x".repeat(ID_BYTES_MAX + 1);
    let begun = |id: &str, format: &str| {
        format!(
            r#"{{"type":"conversation_initiation_metadata","conversation_initiation_metadata_event":
                {{"conversation_id":"{id}","agent_output_audio_format":"{format}"}}}}"#
        )
    };
    let unreadable = Err(UnreadableMessage::Json { line: 1, column: 1 });
    for id in ["", long.as_str(), r"a\u0000"] {
        assert_eq!(read_agent_message(&begun(id, "pcm_8000")), unreadable, "{id}");
    }
    let Err(UnreadableMessage::Format(name)) = read_agent_message(&begun("c", &long)) else { panic!() };
    assert!(name.len() <= NAME_MAX + 6 && name.ends_with(" [cut]"));
    let called = |id: &str| {
        format!(
            r#"{{"type":"client_tool_call","client_tool_call":{{"tool_name":"{long}","tool_call_id":"{id}"}}}}"#
        )
    };
    assert_eq!(read_agent_message(&called(&long)), unreadable);
    let text = called("i");
    let AgentMessage::ToolCalled { name, .. } = read_agent_message(&text).unwrap() else { panic!() };
    assert!(name.len() <= NAME_MAX + 6);
}
