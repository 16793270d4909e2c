//! One conversation: who called whom, its settings, how it ended. `conversation_forms` has its JSON forms.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use super::dialogue::Spoken;
use super::ids;
use super::report_script::{CallSuccess, ReportScript};

/// The calling number, for every phone number id: a number of the fictional range.
pub(super) const AGENT_NUMBER: &str = "+12025550100";

/// The status of a conversation (OpenAPI: `GetConversationResponseModel.status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Initiated,
    InProgress,
    Processing,
    Done,
    Failed,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Initiated => "initiated",
            Self::InProgress => "in-progress",
            Self::Processing => "processing",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Whether it is final.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// What carries the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Phone(Telephony),
    /// A WebSocket of the client.
    Socket(Authorization),
}

/// Which telephone network carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telephony {
    SipTrunk,
    Twilio,
}

/// What let a client open its WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Authorization {
    /// It named the agent.
    Public,
    SignedUrl,
}

/// Who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Inbound,
    Outbound,
}

impl Direction {
    pub fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// Why a conversation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub reason: String,
    /// Close code and text of `metadata.error`.
    pub error: Option<(u16, String)>,
}

impl Ending {
    /// The agent ended the call. The provider's word for it is not in the facts.
    pub fn agent_ended() -> Self {
        Self { reason: "Call ended by agent".to_owned(), error: None }
    }

    /// The socket was closed with this code, which is not 1000.
    pub fn failed(code: u16, reason: &str) -> Self {
        Self { reason: reason.to_owned(), error: Some((code, reason.to_owned())) }
    }

    /// The person on the phone hung up.
    pub fn hung_up() -> Self {
        Self { reason: "Call ended by remote party".to_owned(), error: None }
    }

    /// The conversation reached its own maximum.
    pub fn max_duration() -> Self {
        Self { reason: "max_duration_exceeded".to_owned(), error: None }
    }

    /// The call reached nobody.
    pub(crate) fn not_reached(reason: &str) -> Self {
        Self { reason: reason.to_owned(), error: None }
    }

    /// The conversation could not start. What the provider does with an unknown voice is not documented; 1008 is
    /// how it refuses bad input elsewhere.
    pub(crate) fn cannot_start(reason: &str) -> Self {
        Self { reason: reason.to_owned(), error: Some((1008, reason.to_owned())) }
    }

    /// The voice was deleted while the agent spoke.
    pub(crate) fn voice_lost() -> Self {
        let reason = "tts_cascade_error".to_owned();
        Self { reason: reason.clone(), error: Some((1002, reason)) }
    }
}

/// How a conversation starts.
#[derive(Clone, Debug)]
pub(super) struct NewConversation {
    pub agent_id: String,
    pub phone_number_id: String,
    pub carrier: Carrier,
    pub direction: Direction,
    /// The number of the person.
    pub external_number: String,
    /// Our side's number.
    pub agent_number: String,
    pub call_sid: String,
    /// `conversation_initiation_client_data`, without overrides that the agent did not take.
    pub client_data: Map<String, Value>,
    /// Whether it keeps the person's line busy; a call that met a busy line does not.
    pub holds_line: bool,
    /// What its report says beside the transcript.
    pub report: Arc<ReportScript>,
}

/// One conversation.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    pub id: String,
    /// Order of creation.
    pub number: u64,
    pub status: Status,
    pub about: NewConversation,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub length: Duration,
    pub ending: Option<Ending>,
    pub turns: Vec<Spoken>,
    pub text_only: bool,
    /// How long it waited in the queue.
    pub queue_wait: Option<Duration>,
    pub stream_sid: String,
    /// Woken when the conversation is to end early.
    pub end_now: Arc<Notify>,
    /// Bytes of client data, for the table's bound.
    pub size: usize,
}

/// Bytes of client data.
pub(super) fn size(data: &Map<String, Value>) -> usize {
    serde_json::to_string(data).map_or(0, |text| text.len())
}

impl Conversation {
    pub fn new(number: u64, about: NewConversation, now: Timestamp) -> Self {
        let size = size(&about.client_data);
        Self {
            id: ids::conversation(),
            number,
            status: Status::Initiated,
            about,
            created_at: now,
            started_at: None,
            length: Duration::ZERO,
            ending: None,
            turns: Vec::new(),
            text_only: false,
            queue_wait: None,
            stream_sid: ids::twilio_stream(),
            end_now: Arc::new(Notify::new()),
            size,
        }
    }

    /// A text of the client data, by its path.
    fn client_text(&self, path: &[&str]) -> Option<&str> {
        let (first, rest) = path.split_first()?;
        let mut value = self.about.client_data.get(*first)?;
        for name in rest {
            value = value.get(*name)?;
        }
        value.as_str()
    }

    pub fn user_id(&self) -> Option<&str> {
        self.client_text(&["user_id"])
    }

    /// The voice that the request asked for.
    pub fn voice_id(&self) -> Option<&str> {
        self.client_text(&["conversation_config_override", "tts", "voice_id"])
    }

    /// The first message that the request asked for.
    pub fn first_message(&self) -> Option<&str> {
        self.client_text(&["conversation_config_override", "agent", "first_message"])
    }

    /// How long it may last: the agent's maximum, unless the request asked for another.
    pub fn maximum(&self, of_agent: Duration) -> Duration {
        self.about
            .client_data
            .get("conversation_config_override")
            .and_then(|value| value.get("conversation"))
            .and_then(|value| value.get("max_duration_seconds"))
            .and_then(Value::as_u64)
            .map_or(of_agent, Duration::from_secs)
    }

    /// Its dynamic variables, the provider's own included.
    pub fn variables(&self) -> Map<String, Value> {
        let given = self.about.client_data.get("dynamic_variables").and_then(Value::as_object);
        let mut variables = given.cloned().unwrap_or_default();
        if matches!(self.about.carrier, Carrier::Phone(_)) {
            variables.extend(self.phone_variables());
        }
        for (name, value) in [
            ("system__agent_id", json!(self.about.agent_id)),
            ("system__conversation_id", json!(self.id)),
            ("system__call_duration_secs", json!(self.seconds())),
            ("system__time_utc", json!(self.created_at.to_string())),
        ] {
            variables.insert(name.to_owned(), value);
        }
        variables
    }

    fn phone_variables(&self) -> Map<String, Value> {
        let (caller, called) = match self.about.direction {
            Direction::Inbound => (&self.about.external_number, &self.about.agent_number),
            Direction::Outbound => (&self.about.agent_number, &self.about.external_number),
        };
        let variables = [
            ("system__call_sid", json!(self.about.call_sid)),
            ("system__caller_id", json!(caller)),
            ("system__called_number", json!(called)),
        ];
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Its length in whole seconds, begun ones counted.
    pub fn seconds(&self) -> u64 {
        self.length.as_secs().saturating_add(u64::from(self.length.subsec_nanos() > 0))
    }

    pub(crate) fn start_unix(&self) -> i64 {
        self.started_at.unwrap_or(self.created_at).as_second()
    }

    /// `success`, `failure` or `unknown`.
    pub fn call_successful(&self) -> &'static str {
        if let Some(told) = self.about.report.call_successful.filter(|_| self.status.is_final()) {
            return told.name();
        }
        match self.status {
            Status::Done => CallSuccess::Success.name(),
            Status::Failed => CallSuccess::Failure.name(),
            Status::Initiated | Status::InProgress | Status::Processing => CallSuccess::Unknown.name(),
        }
    }

    pub fn source(&self) -> &'static str {
        match self.about.carrier {
            Carrier::Phone(Telephony::SipTrunk) => "sip_trunk",
            Carrier::Phone(Telephony::Twilio) => "twilio",
            Carrier::Socket(_) => "unknown",
        }
    }

    pub fn termination_reason(&self) -> &str {
        self.ending.as_ref().map_or("", |ending| ending.reason.as_str())
    }
}
