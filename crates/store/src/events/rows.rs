//! Rows that precall writes with an event: in the same transaction, and only if the event is new.

use std::borrow::Cow;
use std::sync::Arc;

use precall_call::At;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

/// One event of a call or clone job, with its derived rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The log that it belongs to.
    pub stream: Stream,
    /// The id of the call or the job.
    pub owner: Uuid,
    /// Sequence number: from 1, without gaps.
    pub seq: i64,
    /// Time of the event.
    #[serde(with = "microseconds")]
    pub at: At,
    /// The event as JSON, without personal data.
    pub event: Value,
    /// Personal data of the event. An erasure nulls it.
    pub pii: Option<Value>,
    /// Rows that derive from it.
    pub derived: Vec<RowWrite>,
}

/// What precall writes in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Events, in their order.
    pub entries: Vec<Entry>,
    /// Rows that belong to no event. Writing one twice changes nothing.
    pub rows: Vec<RowWrite>,
}

impl Batch {
    /// Number of entries and rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len().saturating_add(self.rows.len())
    }

    /// Whether the batch is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.rows.is_empty()
    }

    /// Appends a later batch.
    pub fn extend(&mut self, later: Self) {
        self.entries.extend(later.entries);
        self.rows.extend(later.rows);
    }
}

/// An event log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// `call_events`.
    Call,
    /// `voice_events`.
    Voice,
}

impl Stream {
    /// Its name in `quarantined_events`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Voice => "voice",
        }
    }
}

/// A row to write, or a change of one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowWrite {
    /// The current state of a call.
    CallLog(Box<CallLogRow>),
    /// The current state of a conversation.
    Conversation(ConversationRow),
    /// `clone_ready_events`.
    CloneReady(CloneReadyRow),
    /// `clone_failed_events`.
    CloneFailed(CloneFailedRow),
    /// `clone_transfer_events`.
    CloneTransfer(CloneTransferRow),
    /// `voice_clone_log`.
    CloneLog(CloneLogRow),
    /// A clone enters the cache and replaces the caller's older one.
    CacheFilled(CacheRow),
    /// A call uses a cached clone.
    CacheUsed(CacheUse),
    /// A clone leaves the cache.
    CacheDropped(CacheUse),
    /// The id of a conversation became known: rows that used the id of the call instead get it.
    ConversationNamed(ConversationName),
    /// An end that came before its call has found it.
    EarlyEndAbsorbed(EarlyEnd),
    /// A kept report found its conversation.
    ReportMatched(MatchedReport),
    /// The stored lines become the transcript of a call that has none.
    TranscriptOfLines(TranscriptDue),
    /// The end of a call that precall has not seen yet. Belongs to no event.
    EarlyEndKept(KeptEnd),
    /// A report of an unknown conversation. Belongs to no event.
    ReportKept(KeptReport),
    /// A received webhook with its outcome. Belongs to no event.
    WebhookKept(Arc<WebhookRow>),
}

/// A closed name: a constant of precall, or read back from the spool.
pub type Name = Cow<'static, str>;

/// The form of a time in the spool.
pub(crate) mod microseconds {
    use precall_call::At;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(at: &At, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<At, D::Error> {
        i64::deserialize(deserializer).map(At)
    }
}

/// A time in the form that PostgreSQL reads from JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub At);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match jiff::Timestamp::from_microsecond(self.0.0) {
            Ok(time) => serializer.collect_str(&time),
            Err(_) => serializer.serialize_str("infinity"),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        if text == "infinity" {
            return Ok(Self(At(i64::MAX)));
        }
        let time: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(At(time.as_microsecond())))
    }
}

/// A whole row of `call_log`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallLogRow {
    /// precall's id of the call.
    pub id: Uuid,
    /// The agent's conversation, if known.
    pub call_id: Option<String>,
    /// The id of the call at the PBX.
    pub threecx_call_id: Option<String>,
    /// The caller: E.164 or extension.
    pub caller_id: Option<String>,
    /// The voice the agent speaks with.
    pub cloned_voice_id: Option<String>,
    /// When the call was offered.
    pub call_started_at: Time,
    /// When the call ended.
    pub call_ended_at: Option<Time>,
    /// Duration of the agent's conversation, else of the PBX's call.
    pub duration_seconds: Option<i32>,
    /// One `role: message` per line.
    pub transcript: Option<String>,
    /// `initiated`, `completed`, `failed`.
    pub status: Name,
    /// Data without a column of their own.
    pub metadata: Value,
    /// The account.
    pub account_id: String,
    /// The name of the PBX.
    pub pbx: String,
    /// The line.
    pub line: String,
    /// The called number.
    pub called_number: Option<String>,
    /// `bridge`, `transfer`, `callback`.
    pub route: Name,
    /// The name of the phase.
    pub state: Name,
    /// Why it ended.
    pub cause: Option<Name>,
    /// Who caused the end.
    pub blame: Option<Name>,
    /// What the caller was told.
    pub told: Option<Name>,
    /// Why there is no cloned voice.
    pub voice_missing: Option<Name>,
    /// The named times, in milliseconds after the offer.
    pub timings: Value,
    /// Sequence number of the last event that the row includes.
    pub last_seq: i64,
    /// A test call of precall itself. Spools of earlier versions do not say.
    #[serde(default)]
    pub canary: bool,
}

/// A whole row of `conversations`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConversationRow {
    /// precall's id of the call.
    pub call: Uuid,
    /// `greeting` or `agent`.
    pub purpose: Name,
    /// From 1 within the purpose.
    pub ordinal: i32,
    /// The provider's id.
    pub provider_id: Option<String>,
    /// The outcome of the dial.
    pub dial: Name,
    /// The reported outcome.
    pub outcome: Name,
    /// How long it lasted.
    pub duration_seconds: Option<i32>,
    /// The rest of the report.
    pub report: Option<Value>,
    /// Time of the dial.
    pub started_at: Time,
    /// Time of the report.
    pub reported_at: Option<Time>,
}

/// A row of `clone_ready_events`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CloneReadyRow {
    /// The caller.
    pub caller_id: String,
    /// The greeting's conversation, else precall's id of the call.
    pub greeting_call_id: String,
    /// The voice.
    pub cloned_voice_id: String,
    /// How long this call waited.
    pub clone_duration_ms: i32,
    /// Time of the event.
    pub ready_at: Time,
    /// The account.
    pub account_id: String,
    /// precall's id of the call.
    pub call: Uuid,
    /// `cache` or `clone`.
    pub source: Name,
}

/// A row of `clone_failed_events`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CloneFailedRow {
    /// The caller.
    pub caller_id: String,
    /// The greeting's conversation, else precall's id of the call.
    pub greeting_call_id: String,
    /// For people.
    pub error_message: String,
    /// Time of the event.
    pub failed_at: Time,
    /// The account.
    pub account_id: String,
    /// precall's id of the call.
    pub call: Uuid,
    /// The closed name.
    pub reason: Name,
}

/// A row of `clone_transfer_events`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CloneTransferRow {
    /// The greeting's conversation, else precall's id of the call.
    pub greeting_call_id: String,
    /// The agent's conversation, else precall's id of the call.
    pub agent_call_id: String,
    /// The voice.
    pub cloned_voice_id: String,
    /// Time of the event.
    pub transferred_at: Time,
    /// The account.
    pub account_id: String,
    /// precall's id of the call.
    pub call: Uuid,
}

/// A row of `voice_clone_log`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CloneLogRow {
    /// The caller.
    pub caller_id: String,
    /// The voice, if there is one.
    pub cloned_voice_id: Option<String>,
    /// When the provider answered.
    pub clone_created_at: Time,
    /// Response time of the provider.
    pub api_response_time_ms: i32,
    /// Size of the sample.
    pub sample_file_size_bytes: i32,
    /// `success` or `failed`.
    pub status: Name,
    /// For people.
    pub error_message: Option<String>,
    /// The account.
    pub account_id: String,
    /// The job.
    pub job: Uuid,
    /// The closed name.
    pub reason: Option<Name>,
}

/// A clone that enters the cache.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CacheRow {
    /// The caller.
    pub caller_id: String,
    /// The voice.
    pub cloned_voice_id: String,
    /// When the provider made it.
    pub clone_created_at: Time,
    /// When it expires.
    pub ttl_expires_at: Time,
    /// The account.
    pub account_id: String,
    /// SHA-256 of the sample, hex.
    pub sample_sha256: String,
    /// The version mark of the sample when precall read it.
    #[serde(default)]
    pub sample_mark: Option<String>,
    /// The job.
    pub job: Uuid,
}

/// A cached clone that a call uses, or that leaves the cache.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CacheUse {
    /// The account.
    pub account_id: String,
    /// The caller.
    pub caller_id: String,
    /// The voice.
    pub cloned_voice_id: String,
    /// Time of the event.
    pub at: Time,
}

/// The provider's id of a conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConversationName {
    /// precall's id of the call.
    pub call: Uuid,
    /// `greeting` or `agent`.
    pub purpose: Name,
    /// The provider's id.
    pub conversation_id: String,
}

/// An end that came before its call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EarlyEnd {
    /// The name of the PBX.
    pub pbx: String,
    /// The id of the call at the PBX.
    pub threecx_call_id: String,
}

/// An end that waits for its call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeptEnd {
    /// The name of the PBX.
    pub pbx: String,
    /// The id of the call at the PBX.
    pub threecx_call_id: String,
    /// When it arrived.
    pub ended_at: Time,
}

/// A row of `webhooks`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WebhookRow {
    /// precall's id, a time-ordered UUID.
    pub id: Uuid,
    /// `3cx`, or the `type` of a report.
    pub kind: Name,
    /// The PBX's id of the call, or the provider's id of the conversation; empty if it names none.
    pub provider_id: String,
    /// The sender's time of the event, or the day of arrival.
    pub event_timestamp: Time,
    /// SHA-256 of the body, lower-case hex; empty for a recording.
    pub body_sha256: String,
    /// When it arrived.
    pub received_at: Time,
    /// `done` or `quarantined`.
    pub state: Name,
    /// The answer to the sender.
    pub outcome: Name,
    /// Why precall could not read it.
    pub reason: Option<String>,
    /// The body as received; none for a recording.
    pub body: Option<RawBody>,
}

/// A body as received. Stored as text where possible, which is shorter than hex.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "form", content = "text", rename_all = "snake_case")]
pub enum RawBody {
    /// UTF-8 without NUL.
    Text(String),
    /// Anything else, in lower-case hex.
    Hex(String),
}

impl RawBody {
    /// Stores these bytes.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Self::Text(text),
            Ok(text) => Self::Hex(hex::encode(text)),
            Err(error) => Self::Hex(hex::encode(error.as_bytes())),
        }
    }

    /// The same bytes, in ASCII.
    pub(crate) fn into_hex(self) -> Self {
        match self {
            Self::Text(text) => Self::Hex(hex::encode(text)),
            hex @ Self::Hex(_) => hex,
        }
    }
}

/// A report that waits for its conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeptReport {
    /// The provider's id.
    pub conversation_id: String,
    /// The `type` of the webhook.
    pub kind: Name,
    /// The provider's time of the report, in microseconds since 1970.
    pub event_timestamp: i64,
    /// The complete report.
    pub body: Value,
}

/// A conversation whose kept reports are no longer needed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MatchedReport {
    /// The provider's id.
    pub conversation_id: String,
}

/// A call that may need a transcript from its stored lines.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TranscriptDue {
    /// The id of the call.
    pub id: Uuid,
}
