//! Settings of the account and of an agent, for `precall check`, the voice slots and the health check.

use std::time::Duration;

use awc::http::Method;
use serde::Deserialize;

use super::client::{ApiRequest, ApiResponse, ElevenLabs, RequestBody};
use super::error::ProviderError;
use super::workspace::{AgentWebhooks, AgentWebhooksAnswer};
use crate::lenient::{Lenient, Scalar};
use crate::request_watch::Endpoint;

const SUBSCRIPTION_BYTES_MAX: usize = 256 * 1024;
/// An agent's body includes its prompt and the list of its knowledge base.
const AGENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// `GET /v1/user/subscription`, the fields that precall uses. A field that the provider left out is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The plan's name.
    pub tier: Option<String>,
    /// `active`, `trialing`, `past_due` ...
    pub status: Option<String>,
    /// Voices in the account.
    pub voice_slots_used: Option<i64>,
    /// Voice slots of the plan.
    pub voice_limit: Option<i64>,
    /// Voices added or edited so far.
    pub voice_add_edit_counter: Option<i64>,
    /// Limit of `voice_add_edit_counter`; none = no limit.
    pub max_voice_add_edits: Option<i64>,
    /// Whether the plan includes voice cloning.
    pub can_clone: Option<bool>,
    /// Credits used.
    pub character_count: Option<i64>,
    /// Credits of the plan.
    pub character_limit: Option<i64>,
}

/// `GET /v1/convai/agents/{agent_id}`, the fields that precall uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentDetail {
    /// Its id.
    pub agent_id: String,
    /// Its name.
    pub name: Option<String>,
    /// Settings that a conversation may override.
    pub overrides: AgentOverrides,
    /// The agent's own voice.
    pub voice: Option<String>,
    /// Its own first message; empty where it waits for the caller, none where the provider does not say.
    pub first_message: Option<String>,
    /// Audio format of its output (`ulaw_8000`, `pcm_16000`); none = the provider's default.
    pub output_format: Option<String>,
    /// Audio format of its input.
    pub input_format: Option<String>,
    /// The agent's own limit of a conversation.
    pub max_duration: Option<Duration>,
    /// Limit of concurrent conversations; none if only the account's plan limits them.
    pub concurrency: Option<u64>,
    /// Events that it sends on its WebSocket; none = the provider's default.
    pub client_events: Option<Vec<String>>,
    /// Its own webhooks, instead of those of the workspace.
    pub webhooks: AgentWebhooks,
}

/// Overrides that the agent allows. The provider's default is off for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgentOverrides {
    /// `tts.voice_id`: a conversation with a cloned voice needs it.
    pub voice: bool,
    /// `agent.first_message`: our greeting needs it.
    pub first_message: bool,
    /// `agent.language`.
    pub language: bool,
    /// `conversation.max_duration_seconds`.
    pub max_duration: bool,
    /// `enable_conversation_initiation_client_data_from_webhook`: the transfer route needs it.
    pub from_webhook: bool,
}

#[derive(Deserialize)]
struct SubscriptionAnswer {
    #[serde(default)]
    tier: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    voice_slots_used: Scalar,
    #[serde(default)]
    voice_limit: Scalar,
    #[serde(default)]
    voice_add_edit_counter: Scalar,
    #[serde(default)]
    max_voice_add_edits: Scalar,
    #[serde(default)]
    can_use_instant_voice_cloning: Scalar,
    #[serde(default)]
    character_count: Scalar,
    #[serde(default)]
    character_limit: Scalar,
}

#[derive(Deserialize)]
struct AgentAnswer {
    agent_id: String,
    #[serde(default)]
    name: Scalar,
    #[serde(default)]
    conversation_config: Lenient<ConversationConfig>,
    #[serde(default)]
    platform_settings: Lenient<PlatformSettings>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConversationConfig {
    agent: Lenient<SpeechConfig>,
    asr: Lenient<AsrConfig>,
    tts: Lenient<TtsConfig>,
    conversation: Lenient<TalkConfig>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpeechConfig {
    first_message: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TalkConfig {
    max_duration_seconds: Scalar,
    client_events: Option<Vec<Scalar>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AsrConfig {
    user_input_audio_format: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TtsConfig {
    voice_id: Scalar,
    agent_output_audio_format: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LimitsConfig {
    max_duration_seconds: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PlatformSettings {
    overrides: Lenient<OverridesConfig>,
    call_limits: Lenient<CallLimits>,
    workspace_overrides: Lenient<AgentWebhooksAnswer>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CallLimits {
    agent_concurrency_limit: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OverridesConfig {
    conversation_config_override: Lenient<OverrideFlags>,
    enable_conversation_initiation_client_data_from_webhook: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OverrideFlags {
    tts: Lenient<TtsFlags>,
    agent: Lenient<AgentFlags>,
    conversation: Lenient<LimitsConfig>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TtsFlags {
    voice_id: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AgentFlags {
    first_message: Scalar,
    language: Scalar,
}

impl ElevenLabs {
    /// `GET /v1/user/subscription`.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn subscription(&self, within: Duration) -> Result<Subscription, ProviderError> {
        let said: SubscriptionAnswer = self
            .get(Endpoint::Account, &["v1", "user", "subscription"], SUBSCRIPTION_BYTES_MAX, within)
            .await?
            .json()?;
        Ok(Subscription {
            tier: said.tier.into_text(),
            status: said.status.into_text(),
            voice_slots_used: said.voice_slots_used.integer(),
            voice_limit: said.voice_limit.integer(),
            voice_add_edit_counter: said.voice_add_edit_counter.integer(),
            max_voice_add_edits: said.max_voice_add_edits.integer(),
            can_clone: truth(&said.can_use_instant_voice_cloning),
            character_count: said.character_count.integer(),
            character_limit: said.character_limit.integer(),
        })
    }

    /// `GET /v1/convai/agents/{agent_id}`.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn agent(&self, agent_id: &str, within: Duration) -> Result<AgentDetail, ProviderError> {
        let answer =
            self.get(Endpoint::Agent, &["v1", "convai", "agents", agent_id], AGENT_BYTES_MAX, within).await?;
        let said: AgentAnswer = answer.json()?;
        let (config, platform) = (said.conversation_config.0, said.platform_settings.0);
        let overrides = platform.overrides.0;
        let flags = overrides.conversation_config_override.0;
        let on = |flag: &Scalar| truth(flag).unwrap_or(false);
        Ok(AgentDetail {
            agent_id: said.agent_id,
            name: said.name.into_text(),
            overrides: AgentOverrides {
                voice: on(&flags.tts.0.voice_id),
                first_message: on(&flags.agent.0.first_message),
                language: on(&flags.agent.0.language),
                max_duration: on(&flags.conversation.0.max_duration_seconds),
                from_webhook: on(&overrides.enable_conversation_initiation_client_data_from_webhook),
            },
            voice: config.tts.0.voice_id.into_text(),
            first_message: match config.agent.0.first_message {
                Scalar::Text(words) => Some(words),
                Scalar::Nothing | Scalar::Integer(_) | Scalar::Fraction(_) | Scalar::Truth(_) => None,
            },
            output_format: config.tts.0.agent_output_audio_format.into_text(),
            input_format: config.asr.0.user_input_audio_format.into_text(),
            max_duration: config.conversation.0.max_duration_seconds.seconds(),
            // -1: the agent has no limit.
            concurrency: platform
                .call_limits
                .0
                .agent_concurrency_limit
                .integer()
                .and_then(|limit| u64::try_from(limit).ok()),
            webhooks: platform.workspace_overrides.0.into(),
            client_events: config
                .conversation
                .0
                .client_events
                .map(|events| events.into_iter().filter_map(Scalar::into_text).collect()),
        })
    }

    /// Health check: the provider answers and accepts the key. A key without permission to read the subscription is
    /// accepted too.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn ping(&self, within: Duration) -> Result<(), ProviderError> {
        match self
            .get(Endpoint::Account, &["v1", "user", "subscription"], SUBSCRIPTION_BYTES_MAX, within)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if error.lacks_permission() => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn get(
        &self,
        endpoint: Endpoint,
        path: &[&str],
        answer_bytes_max: usize,
        within: Duration,
    ) -> Result<ApiResponse, ProviderError> {
        let url = self.settings().endpoint(path);
        self.send(ApiRequest {
            endpoint,
            method: Method::GET,
            url,
            body: RequestBody::Empty,
            answer_bytes_max,
            within,
        })
        .await
    }
}

fn truth(value: &Scalar) -> Option<bool> {
    match value {
        Scalar::Truth(truth) => Some(*truth),
        Scalar::Nothing | Scalar::Text(_) | Scalar::Integer(_) | Scalar::Fraction(_) => None,
    }
}

#[cfg(test)]
mod tests;
