//! Account and agent, against a scripted server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failed test is a failed test.

use std::time::Duration;

use serde_json::json;

use crate::elevenlabs::test_server::{LONG, answer, answering, client, provider, run};

#[test]
fn account_and_agent_are_parsed_with_fields_missing() {
    run(async {
        let agent = json!({"agent_id": "agent_1", "name": "Reception", "metadata": {},
            "conversation_config": {"asr": {"user_input_audio_format": "ulaw_8000"},
                "tts": {"voice_id": "v0", "agent_output_audio_format": "pcm_8000"},
                "conversation": {"max_duration_seconds": 600}},
            "platform_settings": {"overrides": {"conversation_config_override": {"tts": {"voice_id": true},
                "agent": {"first_message": true, "language": false, "prompt": {"prompt": false}}},
                "enable_conversation_initiation_client_data_from_webhook": true}}});
        let account = json!({"tier": "creator", "status": "active", "voice_slots_used": 3, "voice_limit": 30,
            "voice_add_edit_counter": 9, "max_voice_add_edits": null, "can_use_instant_voice_cloning": true,
            "character_count": 17, "character_limit": 110_000});
        let (base, _requests) = provider(vec![
            ("GET /v1/convai/agents/agent_1", "200 OK", agent.to_string()),
            ("GET /v1/convai/agents/agent_2", "200 OK", r#"{"agent_id":"agent_2"}"#.to_owned()),
            ("GET /v1/user/subscription", "200 OK", account.to_string()),
        ])
        .await;
        let ours = client(&base);
        let agent = ours.agent("agent_1", LONG).await.unwrap();
        assert!(agent.overrides.voice && agent.overrides.first_message && agent.overrides.from_webhook);
        assert!(!agent.overrides.language && !agent.overrides.max_duration);
        assert_eq!(agent.output_format.as_deref(), Some("pcm_8000"));
        assert_eq!(agent.max_duration, Some(Duration::from_secs(600)));
        assert!(!ours.agent("agent_2", LONG).await.unwrap().overrides.voice);
        let account = ours.subscription(LONG).await.unwrap();
        assert_eq!((account.voice_slots_used, account.voice_limit), (Some(3), Some(30)));
        assert_eq!((account.can_clone, account.max_voice_add_edits), (Some(true), None));
        assert_eq!(ours.ping(LONG).await, Ok(()));
        for (status, code, up) in [
            ("401 No", "missing_permissions", true),
            ("401 No", "unauthorized", false),
            ("401 No", "detected_unusual_activity", false),
            ("503 No", "maintenance", false),
        ] {
            let body = format!(r#"{{"detail":{{"status":"{code}","message":"m"}}}}"#);
            let base = answering(answer(status, &body)).await;
            assert_eq!(client(&base).ping(LONG).await.is_ok(), up, "{code}");
        }
    });
}
