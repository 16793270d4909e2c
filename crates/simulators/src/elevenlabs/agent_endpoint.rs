//! The endpoint of the agent: its configuration, as `precall check` reads it.

use serde_json::json;

use super::answer::Answer;
use super::overrides;
use super::session::agent_settings::Agent;

/// `GET /v1/convai/agents/{agent_id}`: the agent as it was told. A badly set up one is also a fault with a body.
pub(super) fn get(agent_id: &str, agent: &Agent) -> Answer {
    Answer::ok(json!({
        "agent_id": agent_id,
        "name": "Simulated agent",
        "conversation_config": {
            "asr": {
                "quality": "high",
                "user_input_audio_format": agent.user_input_audio_format.name(),
                "keywords": [],
            },
            "tts": {
                "model_id": "eleven_flash_v2_5",
                "voice_id": agent.voice_id,
                "agent_output_audio_format": agent.agent_output_audio_format.name(),
                "stability": 0.5,
                "speed": 1.0,
                "similarity_boost": 0.8,
            },
            "conversation": {
                "text_only": false,
                "max_duration_seconds": agent.max_duration_ms.div_ceil(1_000),
                "client_events": agent.client_events,
            },
            "agent": {
                "first_message": "Hello, how can I help you?",
                "language": "en",
                "prompt": {"prompt": "You are a helpful assistant.", "llm": "gemini-2.5-flash"},
            },
        },
        "metadata": {"created_at_unix_secs": 1_760_000_000, "updated_at_unix_secs": 1_760_000_000},
        "platform_settings": {
            "overrides": {
                "conversation_config_override": overrides::flags(agent),
                "enable_conversation_initiation_client_data_from_webhook": true,
            },
            "auth": {"enable_auth": true},
            "call_limits": {"agent_concurrency_limit": -1, "daily_limit": 100_000, "bursting_enabled": true},
        },
        "phone_numbers": [],
        "tags": [],
    }))
}
