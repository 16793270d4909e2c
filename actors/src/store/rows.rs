//! What is written beside an event, in the same transaction and only if the event was new.

use std::borrow::Cow;

use precall_call::At;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

/// One event of a call or of a clone job, with everything that derives from it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Which log.
    pub stream: Stream,
    /// The call or the job.
    pub owner: Uuid,
    /// From 1, without gaps.
    pub seq: i64,
    /// The event's own time.
    #[serde(with = "microseconds")]
    pub at: At,
    /// Its JSON.
    pub event: Value,
    /// Personal data of the event; erasure nulls it.
    pub pii: Option<Value>,
    /// Rows that follow from it.
    pub derived: Vec<RowWrite>,
}

/// What is written in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Events, in the order in which they came.
    pub entries: Vec<Entry>,
    /// Rows that belong to no event. Writing one a second time changes nothing.
    pub rows: Vec<RowWrite>,
}

impl Batch {
    /// How much there is to write.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len().saturating_add(self.rows.len())
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.rows.is_empty()
    }

    /// Adds what comes after it.
    pub fn extend(&mut self, later: Self) {
        self.entries.extend(later.entries);
        self.rows.extend(later.rows);
    }
}

/// Which log an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// `call_events`.
    Call,
    /// `voice_events`.
    Voice,
}

impl Stream {
    /// The name used in `quarantined_events`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Voice => "voice",
        }
    }
}

/// A row, or a change of one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowWrite {
    /// The call as it stands.
    CallLog(Box<CallLogRow>),
    /// A conversation as it stands.
    Conversation(ConversationRow),
    /// `clone_ready_events`.
    CloneReady(CloneReadyRow),
    /// `clone_failed_events`.
    CloneFailed(CloneFailedRow),
    /// `clone_transfer_events`.
    CloneTransfer(CloneTransferRow),
    /// `voice_clone_log`.
    CloneLog(CloneLogRow),
    /// A clone enters the cache, replacing the caller's older one.
    CacheFilled(CacheRow),
    /// A call is served from the cache.
    CacheUsed(CacheUse),
    /// A clone leaves the cache.
    CacheDropped(CacheUse),
    /// A conversation's id became known: rows that named it by our call's id are named anew.
    ConversationNamed(ConversationName),
    /// An end that came first has found its call.
    EarlyEndAbsorbed(EarlyEnd),
    /// A kept report found its conversation.
    ReportMatched(MatchedReport),
    /// What was heard becomes the transcript of a call that has none.
    TranscriptOfLines(TranscriptDue),
    /// The end of a call that was not seen yet. Belongs to no event.
    EarlyEndKept(KeptEnd),
    /// A report whose conversation is nobody's yet. Belongs to no event.
    ReportKept(KeptReport),
    /// A webhook as it came, with what became of it. Belongs to no event.
    WebhookKept(Box<WebhookRow>),
}

/// A closed name: ours as we write it, or read back from the spool.
pub type Name = Cow<'static, str>;

/// A time in the spool.
mod microseconds {
    use precall_call::At;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &At, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<At, D::Error> {
        i64::deserialize(deserializer).map(At)
    }
}

/// A time as PostgreSQL reads it from JSON.
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
    /// Our id.
    pub id: Uuid,
    /// The agent's conversation, once known.
    pub call_id: Option<String>,
    /// The PBX's id.
    pub threecx_call_id: Option<String>,
    /// E.164 or extension.
    pub caller_id: Option<String>,
    /// The voice the agent speaks with.
    pub cloned_voice_id: Option<String>,
    /// When it was offered.
    pub call_started_at: Time,
    /// When it was released.
    pub call_ended_at: Option<Time>,
    /// Of the agent's conversation, else of the PBX's call.
    pub duration_seconds: Option<i32>,
    /// One `role: message` a line.
    pub transcript: Option<String>,
    /// `initiated`, `completed`, `failed`.
    pub status: Name,
    /// What has no column.
    pub metadata: Value,
    /// Whose call.
    pub account_id: String,
    /// Which PBX.
    pub pbx: String,
    /// Which line.
    pub line: String,
    /// What was called.
    pub called_number: Option<String>,
    /// `bridge`, `transfer`, `callback`.
    pub route: Name,
    /// The phase's name.
    pub state: Name,
    /// Why it ended.
    pub cause: Option<Name>,
    /// Whose doing.
    pub blame: Option<Name>,
    /// What the caller was told.
    pub told: Option<Name>,
    /// Why there is no cloned voice.
    pub voice_missing: Option<Name>,
    /// The named instants, in milliseconds after the offer.
    pub timings: Value,
    /// The event this row stands at.
    pub last_seq: i64,
}

/// A whole row of `conversations`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConversationRow {
    /// Our id of the call.
    pub call: Uuid,
    /// `greeting` or `agent`.
    pub purpose: Name,
    /// From 1 within the purpose.
    pub ordinal: i32,
    /// The provider's id.
    pub provider_id: Option<String>,
    /// What became of the dial.
    pub dial: Name,
    /// What was reported.
    pub outcome: Name,
    /// How long it lasted.
    pub duration_seconds: Option<i32>,
    /// What the report said beside that.
    pub report: Option<Value>,
    /// When the dial was recorded.
    pub started_at: Time,
    /// When a report came.
    pub reported_at: Option<Time>,
}

/// A row of `clone_ready_events`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CloneReadyRow {
    /// Who rang.
    pub caller_id: String,
    /// The greeting's conversation, or our call.
    pub greeting_call_id: String,
    /// The voice.
    pub cloned_voice_id: String,
    /// How long this call waited.
    pub clone_duration_ms: i32,
    /// When.
    pub ready_at: Time,
    /// Whose.
    pub account_id: String,
    /// Our call.
    pub call: Uuid,
    /// `cache` or `clone`.
    pub source: Name,
}

/// A row of `clone_failed_events`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CloneFailedRow {
    /// Who rang.
    pub caller_id: String,
    /// The greeting's conversation, or our call.
    pub greeting_call_id: String,
    /// For people.
    pub error_message: String,
    /// When.
    pub failed_at: Time,
    /// Whose.
    pub account_id: String,
    /// Our call.
    pub call: Uuid,
    /// The closed name.
    pub reason: Name,
}

/// A row of `clone_transfer_events`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CloneTransferRow {
    /// The greeting's conversation, or our call.
    pub greeting_call_id: String,
    /// The agent's conversation, or our call while it is not known.
    pub agent_call_id: String,
    /// The voice.
    pub cloned_voice_id: String,
    /// When.
    pub transferred_at: Time,
    /// Whose.
    pub account_id: String,
    /// Our call.
    pub call: Uuid,
}

/// A row of `voice_clone_log`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CloneLogRow {
    /// Whose voice.
    pub caller_id: String,
    /// The voice, if there is one.
    pub cloned_voice_id: Option<String>,
    /// When the provider answered.
    pub clone_created_at: Time,
    /// How long it took to.
    pub api_response_time_ms: i32,
    /// What was sent.
    pub sample_file_size_bytes: i32,
    /// `success` or `failed`.
    pub status: Name,
    /// For people.
    pub error_message: Option<String>,
    /// Whose.
    pub account_id: String,
    /// The job.
    pub job: Uuid,
    /// The closed name.
    pub reason: Option<Name>,
}

/// A clone that enters the cache.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CacheRow {
    /// Whose voice.
    pub caller_id: String,
    /// The voice.
    pub cloned_voice_id: String,
    /// When it was made.
    pub clone_created_at: Time,
    /// When it stops counting.
    pub ttl_expires_at: Time,
    /// Whose.
    pub account_id: String,
    /// SHA-256 of the sample, hex.
    pub sample_sha256: String,
    /// The sample's mark when it was read.
    #[serde(default)]
    pub sample_mark: Option<String>,
    /// The job.
    pub job: Uuid,
}

/// A clone that is used, or dropped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CacheUse {
    /// Whose.
    pub account_id: String,
    /// Whose voice.
    pub caller_id: String,
    /// The voice.
    pub cloned_voice_id: String,
    /// When.
    pub at: Time,
}

/// The provider's id of a conversation of ours.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConversationName {
    /// Our call.
    pub call: Uuid,
    /// `greeting` or `agent`.
    pub purpose: Name,
    /// The provider's id.
    pub conversation_id: String,
}

/// An end whose call was not seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EarlyEnd {
    /// Which PBX.
    pub pbx: String,
    /// The PBX's id of the call.
    pub threecx_call_id: String,
}

/// An end that waits for its call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeptEnd {
    /// Which PBX.
    pub pbx: String,
    /// The PBX's id of the call.
    pub threecx_call_id: String,
    /// When it came.
    pub ended_at: Time,
}

/// A row of `webhooks`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WebhookRow {
    /// Ours, time-ordered.
    pub id: Uuid,
    /// `3cx`, or the `type` of a report.
    pub kind: Name,
    /// The PBX's id of the call, or the provider's of the conversation; empty where it names none.
    pub provider_id: String,
    /// When the sender says that it happened, or the day it came.
    pub event_timestamp: Time,
    /// Lower-case hex; empty for a recording.
    pub body_sha256: String,
    /// When it came.
    pub received_at: Time,
    /// `done` or `quarantined`.
    pub state: Name,
    /// What the sender was told.
    pub outcome: Name,
    /// Why it could not be read.
    pub reason: Option<String>,
    /// As it came; none for a recording.
    pub body: Option<RawBody>,
}

/// A body as it came. As text where it can be, which is shorter.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "form", content = "text", rename_all = "snake_case")]
pub enum RawBody {
    /// UTF-8 without NUL.
    Text(String),
    /// Anything else, in lower-case hex.
    Hex(String),
}

impl RawBody {
    /// These bytes.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Self::Text(text),
            Ok(text) => Self::Hex(hex::encode(text)),
            Err(error) => Self::Hex(hex::encode(error.as_bytes())),
        }
    }
}

/// A report that waits for its conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeptReport {
    /// The provider's id.
    pub conversation_id: String,
    /// Which webhook it was.
    pub kind: Name,
    /// The provider's time of it, in microseconds since 1970.
    pub event_timestamp: i64,
    /// The whole report.
    pub body: Value,
}

/// The kept reports of a conversation that are no longer needed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MatchedReport {
    /// The provider's id.
    pub conversation_id: String,
}

/// A call whose lines were heard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TranscriptDue {
    /// Its id.
    pub id: Uuid,
}
