//! The endpoint of the agent: its configuration, as `precall check` reads it.

use serde_json::{Value, json};

use super::answer::Answer;
use super::context::Context;
use super::overrides;
use super::session::agent_settings::Agent;

/// `GET /v1/convai/agents/{agent_id}`: the agent as it was told. A badly set up one is also a fault with a body.
///
/// # Errors
/// 404 for an agent that the account does not have.
pub(super) fn get(context: &Context, agent_id: &str) -> Result<Answer, Answer> {
    let world = context.world();
    if !world.account.has_agent(agent_id) {
        return Err(Answer::agent_not_found(agent_id));
    }
    let numbers = world.account.phone_numbers.iter().flatten();
    let numbers: Vec<Value> = numbers
        .filter(|number| number.agent_id.as_deref() == Some(agent_id))
        .map(super::account::PhoneNumber::json)
        .collect();
    Ok(Answer::ok(shown(agent_id, &world.agent, numbers)))
}

fn shown(agent_id: &str, agent: &Agent, phone_numbers: Vec<Value>) -> Value {
    json!({
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
                "text_only": agent.text_only,
                "max_duration_seconds": agent.max_duration_ms.div_ceil(1_000),
                "client_events": agent.client_events,
            },
            "agent": {
                "first_message": agent.first_message(),
                "language": agent.language,
                "prompt": {"prompt": "You are a helpful assistant.", "llm": "gemini-2.5-flash",
                           "tools": agent.tools, "tool_ids": []},
            },
        },
        "metadata": {"created_at_unix_secs": 1_760_000_000, "updated_at_unix_secs": 1_760_000_000},
        "platform_settings": {
            "overrides": {
                "conversation_config_override": overrides::flags(&agent.allowed_overrides),
                "enable_conversation_initiation_client_data_from_webhook": agent.initiation_webhook,
            },
            "queueing_config": {"enabled": agent.queue.is_some(), "wait_timeout_seconds": 300},
            "workspace_overrides": agent.workspace_overrides,
            "auth": {"enable_auth": agent.is_private()},
            "call_limits": {"agent_concurrency_limit": agent.concurrency_limit, "daily_limit": 100_000,
                            "bursting_enabled": true},
        },
        "phone_numbers": phone_numbers,
        "tags": [],
    })
}
