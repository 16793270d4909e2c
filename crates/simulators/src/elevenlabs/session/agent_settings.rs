//! The settings of the agent: `PUT /sim/agent` with an object.
//!
//! | field | meaning |
//! |---|---|
//! | `script` | see `act` |
//! | `dialogues` | more scripts: conversations over a WebSocket take `script` and these in turn |
//! | `agent_output_audio_format`, `user_input_audio_format` | audio of the WebSocket; default `pcm_8000` |
//! | `voice_id`, `language` | the voice and the language without an override |
//! | `tools` | the tools of its prompt, as `GET /v1/convai/agents/{id}` shows them; the script calls any |
//! | `initiation_webhook` | whether an inbound call asks the initiation webhook |
//! | `workspace_overrides` | the agent's own webhooks, as `GET /v1/convai/agents/{id}` shows them |
//! | `concurrency_limit` | `call_limits.agent_concurrency_limit` as shown; it is not enforced |
//! | `pace` | how audio is sent, unless a step says otherwise |
//! | `text_only` | conversations without audio, unless the client's override says otherwise |
//! | `frozen` | its WebSockets open, and from then on read and send nothing, not even a pong |
//! | `never_speaks` | it connects, sends pings, and does nothing of its script |
//! | `queue` | `{wait_ms, status_every_ms, hold_audio}`: WebSockets wait first, see `queue`; null: they do not |
//! | `report` | analysis, cost and result of the call in reports: see `report_script` |
//! | `client_events` | the events that it sends, unless the client asks for others |
//! | `allowed_overrides` | allowed fields of `conversation_config_override`, as `tts.voice_id`; default: none |
//! | `override_refusal` | a field that is not allowed: `error` (1008 `override_error`), or `drop` it silently |
//! | `required_variables` | required dynamic variables; without them: 1008 `missing_dynamic_variable` |
//! | `unknown_voices` | voice ids that count as deleted |
//! | `lost_voice` | a deleted voice fails `at_start` (1008 `value_error`) or `at_speech` (1002 `tts_cascade_error`) |
//! | `access` | `any`, or `signed_url`: an agent id is not enough to open a socket |
//! | `signed_url_ms` | how long a signed URL can be used; 15 minutes |
//! | `violations` | a message that breaks the contract: `record` it, or `close` (1008 `invalid_message`) |
//! | `ping_ms` | how often it pings |
//! | `initiation_ms` | how long it waits for the client's first message, then begins without it |
//! | `input_timeout_ms` | time without client input (60000), then 1002 `transport_receive_timeout` |
//! | `max_duration_ms` | longest conversation (ten minutes), then 1000 `max_duration_exceeded` |
//! | `record_ms` | how much of each caller's audio is kept |

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::act::{LONGEST_MS, Pace, check_pace};
use super::format::AgentAudio;
use super::queue::Queue;
use super::script::Script;
use super::shape::CLIENT_EVENTS;
use crate::elevenlabs::overrides::{self, Channel, OverrideRefusal, Taken};
use crate::elevenlabs::report_script::ReportScript;

/// Most entries of a list.
const MOST_ENTRIES: usize = 200;

/// When a deleted voice fails. The provider's behaviour is not documented (facts page, section 4), so both exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LostVoice {
    /// The conversation does not begin.
    #[default]
    AtStart,
    /// It ends when the agent starts to speak.
    AtSpeech,
}

/// Who may open a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// A client that names the agent or has a signed URL.
    #[default]
    Any,
    /// A client that has a signed URL.
    SignedUrl,
}

/// What happens when a message breaks the contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum OnViolation {
    /// It is recorded.
    #[default]
    Record,
    /// The socket is closed as well.
    Close,
}

/// The agent; see the table above.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // The table says it.
pub struct Agent {
    pub script: Script,
    pub dialogues: Vec<Script>,
    pub agent_output_audio_format: AgentAudio,
    pub user_input_audio_format: AgentAudio,
    pub voice_id: String,
    pub language: String,
    pub tools: Vec<Map<String, Value>>,
    pub initiation_webhook: bool,
    pub workspace_overrides: Map<String, Value>,
    pub concurrency_limit: i64,
    pub pace: Pace,
    pub text_only: bool,
    pub never_speaks: bool,
    pub frozen: bool,
    pub queue: Option<Queue>,
    pub report: Arc<ReportScript>,
    pub client_events: Vec<String>,
    pub allowed_overrides: Vec<String>,
    pub override_refusal: OverrideRefusal,
    pub required_variables: Vec<String>,
    pub unknown_voices: Vec<String>,
    pub lost_voice: LostVoice,
    pub access: Access,
    pub signed_url_ms: u64,
    pub violations: OnViolation,
    pub ping_ms: u64,
    pub initiation_ms: u64,
    pub input_timeout_ms: u64,
    pub max_duration_ms: u64,
    pub record_ms: u64,
}

impl Default for Agent {
    fn default() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Self {
            script: Script::default(),
            dialogues: Vec::new(),
            agent_output_audio_format: AgentAudio::default(),
            user_input_audio_format: AgentAudio::default(),
            voice_id: "cjVigY5qzO86Huf0OWal".to_owned(),
            language: "en".to_owned(),
            tools: Vec::new(),
            initiation_webhook: true,
            workspace_overrides: Map::new(),
            concurrency_limit: -1,
            pace: Pace::default(),
            text_only: false,
            never_speaks: false,
            frozen: false,
            queue: None,
            report: Arc::default(),
            // The provider's defaults, and what the bridge needs (facts page, section 4).
            client_events: texts(&[
                "audio",
                "interruption",
                "agent_response",
                "agent_response_correction",
                "user_transcript",
                "tentative_user_transcript",
                "conversation_initiation_metadata",
                "client_tool_call",
                "ping",
            ]),
            // Every flag is off by default (OpenAPI).
            allowed_overrides: Vec::new(),
            override_refusal: OverrideRefusal::default(),
            required_variables: Vec::new(),
            unknown_voices: Vec::new(),
            lost_voice: LostVoice::default(),
            access: Access::default(),
            signed_url_ms: 15 * 60 * 1_000,
            violations: OnViolation::default(),
            ping_ms: 2_000,
            initiation_ms: 1_000,
            input_timeout_ms: 60_000,
            max_duration_ms: 600_000,
            record_ms: 30_000,
        }
    }
}

impl Agent {
    /// An agent that allows these fields of the override, and is otherwise the default one.
    #[must_use]
    pub fn allowing(fields: &[&str]) -> Self {
        Self { allowed_overrides: fields.iter().map(|&field| field.to_owned()).collect(), ..Self::default() }
    }

    /// The agent that `PUT /sim/agent` describes: an object is all of it, a list is a script alone.
    ///
    /// # Errors
    /// Says what is wrong.
    pub(in crate::elevenlabs) fn told(&self, value: Value) -> Result<Self, String> {
        let told = match value {
            Value::Array(_) => {
                let script = serde_json::from_value(value).map_err(|error| error.to_string())?;
                Self { script, ..self.clone() }
            }
            _ => serde_json::from_value(value).map_err(|error| error.to_string())?,
        };
        told.check()?;
        Ok(told)
    }

    fn check(&self) -> Result<(), String> {
        check_pace(self.pace)?;
        self.report.check()?;
        if let Some(queue) = self.queue {
            queue.check()?;
        }
        if self.dialogues.len() > MOST_ENTRIES || self.tools.len() > MOST_ENTRIES {
            return Err(format!("a list has at most {MOST_ENTRIES} entries"));
        }
        let unknown = self.client_events.iter().find(|event| !CLIENT_EVENTS.contains(&event.as_str()));
        if let Some(unknown) = unknown {
            return Err(format!("there is no client event {unknown}"));
        }
        if let Some(unknown) = self.allowed_overrides.iter().find(|field| !overrides::is_field(field)) {
            return Err(overrides::unknown(unknown));
        }
        let lists =
            [&self.allowed_overrides, &self.required_variables, &self.unknown_voices, &self.client_events];
        if lists.iter().any(|list| list.len() > MOST_ENTRIES) {
            return Err(format!("a list has at most {MOST_ENTRIES} entries"));
        }
        let times = [
            self.signed_url_ms,
            self.ping_ms,
            self.initiation_ms,
            self.input_timeout_ms,
            self.max_duration_ms,
        ];
        if times.iter().any(|ms| *ms == 0 || *ms > LONGEST_MS) || self.record_ms > LONGEST_MS {
            return Err(format!("times are from 1 to {LONGEST_MS} ms"));
        }
        Ok(())
    }

    /// The agent as it is in the conversation of this number.
    pub(super) fn of_conversation(self: &Arc<Self>, number: u64) -> Arc<Self> {
        let scripts = u64::try_from(self.dialogues.len()).unwrap_or(0).saturating_add(1);
        let turn = usize::try_from(number % scripts).unwrap_or(0);
        match turn.checked_sub(1).and_then(|other| self.dialogues.get(other)) {
            Some(script) => Arc::new(Self { script: script.clone(), ..Self::clone(self) }),
            None => Arc::clone(self),
        }
    }

    /// The first message without an override: the script's first turn, if that is the agent's.
    pub(in crate::elevenlabs) fn first_message(&self) -> String {
        self.script.first_message().unwrap_or_default()
    }

    /// Whether a socket needs a signed URL.
    pub(in crate::elevenlabs) fn is_private(&self) -> bool {
        self.access == Access::SignedUrl
    }

    /// Why a conversation with these variables does not begin.
    pub(in crate::elevenlabs) fn missing_variable(&self, given: &Map<String, Value>) -> Option<String> {
        let missing = self.required_variables.iter().find(|name| !given.contains_key(*name))?;
        Some(format!("Missing required dynamic variable: {missing}"))
    }

    /// The client's data as this agent takes it.
    pub(in crate::elevenlabs) fn takes(&self, data: Map<String, Value>, channel: Channel) -> Taken {
        overrides::take(data, &self.allowed_overrides, self.override_refusal, channel)
    }
}
