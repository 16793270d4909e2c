//! What a line sets, as clients of the API write it.

use precall_call::VoicePolicy;
use precall_store::lines::LineSettings;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::api::callers::Policy;
use crate::http::api::fields::{self, DescriptionText, NAME_MAX, NameText, TEXT_MAX};
use crate::http::error::{Code, Problem};

/// Limits of the columns.
const COUNT_MAX: i32 = 1_000_000;

/// What a line sets. A missing field takes the value of the default line, from the environment.
#[derive(Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// The account; `default` when missing.
    #[schema(value_type = Option<NameText>)]
    pub(crate) account_id: Option<String>,
    /// The agent's id at ElevenLabs.
    #[schema(value_type = Option<NameText>)]
    pub(crate) agent_id: Option<String>,
    /// ElevenLabs' id of the number that the agent calls from, for route `callback`.
    #[schema(value_type = Option<NameText>)]
    pub(crate) phone_number_id: Option<String>,
    /// The greeting. NOTICE_MESSAGE is put in front of it.
    #[schema(value_type = Option<DescriptionText>)]
    pub(crate) greeting_message: Option<String>,
    /// The voice of the greeting.
    #[schema(value_type = Option<NameText>)]
    pub(crate) greeting_voice_id: Option<String>,
    /// The agent's language, as `de`.
    #[schema(value_type = Option<NameText>)]
    pub(crate) language: Option<String>,
    /// The voice where there is no cloned one.
    #[schema(value_type = Option<NameText>)]
    pub(crate) fallback_voice_id: Option<String>,
    /// A person or queue at the PBX for callers whom no agent can serve.
    #[schema(value_type = Option<NameText>)]
    pub(crate) fallback_destination: Option<String>,
    /// Live calls of the line at once.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub(crate) max_live_calls: Option<i32>,
    /// Longest greeting on route `callback`, in seconds.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub(crate) greeting_max_seconds: Option<i32>,
    /// How long a caller waits for the voice, in seconds.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub(crate) clone_max_wait_seconds: Option<i32>,
    /// Who may hear a caller's voice.
    #[schema(value_type = Option<Policy>)]
    pub(crate) voice_policy: Option<String>,
}

impl From<LineSettings> for Settings {
    fn from(stored: LineSettings) -> Self {
        Self {
            account_id: stored.account_id,
            agent_id: stored.agent_id,
            phone_number_id: stored.phone_number_id,
            greeting_message: stored.greeting_message,
            greeting_voice_id: stored.greeting_voice_id,
            language: stored.language,
            fallback_voice_id: stored.fallback_voice_id,
            fallback_destination: stored.fallback_destination,
            max_live_calls: stored.max_live_calls,
            greeting_max_seconds: stored.greeting_max_seconds,
            clone_max_wait_seconds: stored.clone_max_wait_seconds,
            voice_policy: stored.voice_policy,
        }
    }
}

impl Settings {
    /// Checks each field.
    ///
    /// # Errors
    /// `bad_field`, with the name of the field.
    pub(super) fn checked(self) -> Result<LineSettings, Problem> {
        for (name, text) in [
            ("account_id", &self.account_id),
            ("agent_id", &self.agent_id),
            ("phone_number_id", &self.phone_number_id),
            ("greeting_voice_id", &self.greeting_voice_id),
            ("language", &self.language),
            ("fallback_voice_id", &self.fallback_voice_id),
            ("fallback_destination", &self.fallback_destination),
        ] {
            text.as_ref().map_or(Ok(()), |text| fields::line(name, text, NAME_MAX))?;
        }
        if let Some(message) = &self.greeting_message {
            fields::prose("greeting_message", message, TEXT_MAX)?;
        }
        for (name, count) in [
            ("max_live_calls", self.max_live_calls),
            ("greeting_max_seconds", self.greeting_max_seconds),
            ("clone_max_wait_seconds", self.clone_max_wait_seconds),
        ] {
            if count.is_some_and(|count| !(1..=COUNT_MAX).contains(&count)) {
                return Err(Problem::new(Code::BadField, format!("{name} must be from 1 to {COUNT_MAX}")));
            }
        }
        if self.voice_policy.as_deref().is_some_and(|policy| VoicePolicy::from_name(policy).is_none()) {
            return Err(Problem::new(Code::BadField, "voice_policy must be number, proof or never"));
        }
        Ok(LineSettings {
            account_id: self.account_id,
            agent_id: self.agent_id,
            phone_number_id: self.phone_number_id,
            greeting_message: self.greeting_message,
            greeting_voice_id: self.greeting_voice_id,
            language: self.language,
            fallback_voice_id: self.fallback_voice_id,
            fallback_destination: self.fallback_destination,
            max_live_calls: self.max_live_calls,
            greeting_max_seconds: self.greeting_max_seconds,
            clone_max_wait_seconds: self.clone_max_wait_seconds,
            voice_policy: self.voice_policy,
        })
    }
}
