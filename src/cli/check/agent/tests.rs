//! Tests of check agent.
#![allow(clippy::indexing_slicing)] // A failed test is a failed test.

use precall_providers::elevenlabs::{AgentOverrides, AgentWebhooks};

use super::*;

fn agent() -> AgentDetail {
    let events = ["audio", "interruption", "user_transcript", "agent_response", "ping", "client_tool_call"];
    AgentDetail {
        agent_id: "agent".to_owned(),
        name: None,
        overrides: AgentOverrides { voice: true, from_webhook: true, ..AgentOverrides::default() },
        voice: None,
        first_message: None,
        output_format: Some("pcm_8000".to_owned()),
        input_format: Some("pcm_8000".to_owned()),
        webhooks: AgentWebhooks::default(),
        max_duration: None,
        concurrency: None,
        client_events: Some(events.map(str::to_owned).to_vec()),
    }
}

fn bad(needs: Needs, agent: &AgentDetail) -> Vec<String> {
    let is_bad = |finding| match finding {
        Judgement::Good(_) => None,
        Judgement::Note(text) | Judgement::Wrong(text) => Some(text),
    };
    needs.look_at(agent).into_iter().filter_map(is_bad).collect()
}

const BRIDGE: Needs = Needs { route: Route::Bridge, first_message: false, language: false, persons: true };

#[test]
fn a_well_configured_agent_has_no_wrong_findings() {
    assert_eq!(bad(BRIDGE, &agent()), Vec::<String>::new());
    assert_eq!(bad(Needs { route: Route::Transfer, ..BRIDGE }, &agent()), Vec::<String>::new());
}

#[test]
fn each_missing_setting_is_named_with_the_change() {
    let overrides = AgentOverrides::default();
    let said = bad(Needs { first_message: true, ..BRIDGE }, &AgentDetail { overrides, ..agent() });
    assert!(said[0].starts_with("override tts.voice_id is off: switch it on"), "{said:?}");
    assert!(said[1].starts_with("override agent.first_message is off"), "{said:?}");
    let said = bad(Needs { language: true, ..BRIDGE }, &agent());
    assert!(said.len() == 1 && said[0].starts_with("override agent.language is off"), "{said:?}");
    let defaults = AgentDetail { client_events: None, ..agent() };
    let said = bad(BRIDGE, &defaults);
    assert!(said.len() == 1 && said[0].contains("client_tool_call"), "{said:?}");
    assert_eq!(bad(Needs { persons: false, ..BRIDGE }, &defaults), Vec::<String>::new());
    let deaf = AgentDetail { client_events: Some(Vec::new()), ..agent() };
    assert_eq!(bad(BRIDGE, &deaf).len(), 5);
}

#[test]
fn telephone_audio_formats_need_no_conversion() {
    let formats = |output: Option<&str>| AgentDetail { output_format: output.map(str::to_owned), ..agent() };
    assert!(bad(BRIDGE, &formats(None))[0].contains("pcm_16000 is converted"));
    assert!(bad(BRIDGE, &formats(Some("mp3_44100")))[0].contains("cannot be converted"));
}

#[test]
fn a_callback_needs_neither_formats_nor_events() {
    let needs = Needs { route: Route::Callback, first_message: true, language: false, persons: false };
    let deaf = AgentDetail { client_events: Some(Vec::new()), output_format: None, ..agent() };
    assert_eq!(bad(needs, &deaf).len(), 1, "the first message alone");
}
