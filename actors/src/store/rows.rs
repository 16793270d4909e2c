//! What is written beside an event, in the same transaction and only if the event was new.

use precall_call::At;
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

/// One event of a call or of a clone job, with everything that derives from it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Which log.
    pub stream: Stream,
    /// The call or the job.
    pub owner: Uuid,
    /// From 1, without gaps.
    pub seq: i64,
    /// The event's own time.
    pub at: At,
    /// Its JSON.
    pub event: Value,
    /// Personal data of the event; erasure nulls it.
    pub pii: Option<Value>,
    /// Rows that follow from it.
    pub derived: Vec<Derived>,
}

/// Which log an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug)]
pub enum Derived {
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

/// A whole row of `call_log`.
#[derive(Clone, Debug, Serialize)]
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
    pub status: &'static str,
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
    pub route: &'static str,
    /// The phase's name.
    pub state: &'static str,
    /// Why it ended.
    pub cause: Option<&'static str>,
    /// Whose doing.
    pub blame: Option<&'static str>,
    /// What the caller was told.
    pub told: Option<&'static str>,
    /// Why there is no cloned voice.
    pub voice_missing: Option<&'static str>,
    /// The named instants, in milliseconds after the offer.
    pub timings: Value,
    /// The event this row stands at.
    pub last_seq: i64,
}

/// A whole row of `conversations`.
#[derive(Clone, Debug, Serialize)]
pub struct ConversationRow {
    /// Our id of the call.
    pub call: Uuid,
    /// `greeting` or `agent`.
    pub purpose: &'static str,
    /// From 1 within the purpose.
    pub ordinal: i32,
    /// The provider's id.
    pub provider_id: Option<String>,
    /// What became of the dial.
    pub dial: &'static str,
    /// What was reported.
    pub outcome: &'static str,
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
#[derive(Clone, Debug, Serialize)]
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
    pub source: &'static str,
}

/// A row of `clone_failed_events`.
#[derive(Clone, Debug, Serialize)]
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
    pub reason: &'static str,
}

/// A row of `clone_transfer_events`.
#[derive(Clone, Debug, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
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
    pub status: &'static str,
    /// For people.
    pub error_message: Option<String>,
    /// Whose.
    pub account_id: String,
    /// The job.
    pub job: Uuid,
    /// The closed name.
    pub reason: Option<&'static str>,
}

/// A clone that enters the cache.
#[derive(Clone, Debug, Serialize)]
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
    /// The job.
    pub job: Uuid,
}

/// A clone that is used, or dropped.
#[derive(Clone, Debug, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
pub struct ConversationName {
    /// Our call.
    pub call: Uuid,
    /// `greeting` or `agent`.
    pub purpose: &'static str,
    /// The provider's id.
    pub conversation_id: String,
}

/// An end whose call was not seen.
#[derive(Clone, Debug, Serialize)]
pub struct EarlyEnd {
    /// Which PBX.
    pub pbx: String,
    /// The PBX's id of the call.
    pub threecx_call_id: String,
}

/// The kept reports of a conversation that are no longer needed.
#[derive(Clone, Debug, Serialize)]
pub struct MatchedReport {
    /// The provider's id.
    pub conversation_id: String,
}

/// A call whose lines were heard.
#[derive(Clone, Debug, Serialize)]
pub struct TranscriptDue {
    /// Its id.
    pub id: Uuid,
}
