//! The closed lists of the document. Each is a component of its own.

use precall_actors::api::CloneStage;
use precall_actors::observe::canary_calls::CanaryStep;
use precall_call::{Blame, Cause, Dial, Grade, NoVoice, Purpose, Route, Told};
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, SchemaType, Type};

use crate::config::Scope;

/// States of a call.
pub(crate) const CALL_STATES: [&str; 6] =
    ["offered", "greeting", "holding", "handing_off", "conversing", "released"];
/// Values of `status` of a call.
pub(crate) const CALL_STATUSES: [&str; 3] = ["initiated", "completed", "failed"];
/// States of a webhook in the inbox.
pub(crate) const WEBHOOK_STATES: [&str; 3] = ["done", "quarantined", "replayed"];
/// What becomes of a webhook of 3CX.
const CALL_OUTCOMES: [&str; 5] = ["accepted", "duplicate", "ended", "ignored", "rejected"];
/// What becomes of a webhook of ElevenLabs.
const REPORT_OUTCOMES: [&str; 4] = ["applied", "kept", "not_ours", "recording"];
/// Problems of a webhook that is kept although it cannot be read.
const UNREADABLE: [&str; 5] = ["bad_json", "bad_field", "no_call", "unknown_event_type", "internal"];

/// Defines components: their names, their descriptions and their schemas, which are made without the description.
macro_rules! components {
    ($($(#[doc = $doc:literal])+ $name:ident = $schema:expr;)+) => { $(
        $(#[doc = $doc])+
        pub(crate) enum $name {}

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $schema.description(Some(concat!($($doc),+).trim())).into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($name))
            }
        }
    )+ };
}
pub(crate) use components;

/// Defines lists: the component's name, its description and its values.
macro_rules! names {
    ($($(#[doc = $doc:literal])+ $name:ident = $values:expr;)+) => {
        components! { $($(#[doc = $doc])+ $name = list($values);)+ }
    };
}

names! {
    /// State of a call.
    CallState = CALL_STATES;
    /// Whether a call has had an agent.
    CallStatus = CALL_STATUSES;
    /// Why a call ended.
    CallCause = Cause::ALL.iter().map(|it| it.name());
    /// Who caused the end of a call.
    CallBlame = Blame::ALL.iter().map(|it| it.name());
    /// What a caller was told at the end.
    CallTold = Told::ALL.iter().map(|it| it.name());
    /// How greeting and agent reach the caller.
    CallRoute = Route::ALL.iter().map(|it| it.name());
    /// How a test call ended: `interrupted` and `skipped` prove nothing.
    CanaryOutcome = ["passed", "failed", "interrupted", "skipped"];
    /// A step of a test call.
    CanaryStepName = CanaryStep::ALL.iter().map(|it| it.name());
    /// Why a call has no cloned voice.
    VoiceMissing = NoVoice::ALL.iter().map(|it| it.name());
    /// The voice of a live call: `awaited` is not decided yet.
    LiveVoice = ["awaited", "cloned", "fallback"];
    /// How far a clone is: `queued` until its upload begins.
    CloneStageName = CloneStage::ALL.iter().map(|it| it.name());
    /// What a conversation at ElevenLabs is for.
    ConversationPurpose = Purpose::ALL.iter().map(|it| it.name());
    /// Result of the dial of a conversation.
    ConversationDial = Dial::ALL.iter().map(|it| it.name());
    /// Outcome of a conversation by its report; `initiated` before it.
    ConversationOutcome = Grade::ALL.iter().map(|it| it.name());
    /// Who answered: `voicemail`, or `tested` if ElevenLabs looked for a voicemail box and reported none.
    WhoAnswered = ["tested", "voicemail"];
    /// Kind of a webhook in the inbox.
    WebhookKind = [
        "3cx",
        "3cx_by_token",
        "3cx_report",
        "post_call_transcription",
        "call_initiation_failure",
        "answering_machine_detection",
        "post_call_audio",
        "flat",
        "fetched",
        "initiation",
        "other",
        "unread",
    ];
    /// State of a webhook in the inbox.
    WebhookState = WEBHOOK_STATES;
    /// Outcome of a webhook or of its replay; of an unreadable one the code of the problem.
    WebhookOutcome =
        CALL_OUTCOMES.into_iter().chain(REPORT_OUTCOMES).chain(["matched"]).chain(UNREADABLE);
    /// What became of a webhook of 3CX.
    ThreeCxStatus = CALL_OUTCOMES;
    /// What became of the report in a replayed webhook, or of its call.
    ReplayOutcome = CALL_OUTCOMES.into_iter().chain(REPORT_OUTCOMES);
    /// What precall saw when it last looked at a sample.
    SampleState = ["unchecked", "usable", "refused"];
    /// Format of a recording, detected from its content.
    SampleFormat = ["wav", "mp3", "mp2", "flac", "ogg", "m4a", "webm", "aac", "aiff", "caf"];
    /// What is deleted outside of the database.
    PendingKind = ["voice", "conversation", "sample", "recording"];
    /// When a clone is used: by this call, if it comes before the agent, or by later calls of the caller.
    CloneUse = ["this_call", "next_call"];
    /// The request is passed on.
    Accepted = ["accepted"];
    /// The webhook was replayed.
    ReplayedStatus = ["replayed"];
    /// The report was taken.
    Processed = ["processed"];
    /// A report of a conversation that took place.
    TranscriptionKind = ["post_call_transcription"];
    /// A report of a conversation that did not take place.
    InitiationFailureKind = ["call_initiation_failure"];
    /// The result of a test for a voicemail box.
    MachineDetectionKind = ["answering_machine_detection"];
    /// A recording.
    AudioKind = ["post_call_audio"];
    /// An answer to the question for an inbound conversation.
    InitiationKind = ["conversation_initiation_client_data"];
    /// Whether something must be new.
    IfNoneMatch = ["*"];
    /// An event of a call, an event of a clone job, or that events may have been missed.
    StreamEventName = ["call", "voice", "reset"];
    /// All, what changed, health, a sign of life, or that the id of the client says nothing here.
    LiveStreamEventName = ["snapshot", "change", "health", "beat", "reset"];
    /// Health: `degraded` takes calls although something is wrong, `error` takes none.
    HealthStatus = ["ok", "degraded", "error"];
    /// Health of the database.
    DatabaseHealth = ["ok", "error", "connecting"];
    /// Health of ElevenLabs; `unknown` before the first request.
    ProviderHealth = ["ok", "error", "unknown"];
    /// Health of the call control of 3CX; `not_configured` if no route needs it.
    PbxHealth = ["ok", "error", "connecting", "not_configured"];
    /// Health of the spool; `none` if there is no spool.
    SpoolHealthName = ["ok", "waiting", "full", "error", "none"];
    /// What a problem is about.
    ProblemArea = [
        "bypass",
        "canary",
        "clone",
        "handoff",
        "greeting",
        "prompts",
        "agent",
        "webhooks",
        "storage",
        "alerts",
        "configuration",
        "host",
        "replica",
        "elevenlabs",
        "threecx",
    ];
    /// What an API key allows.
    ApiScope = Scope::ALL.iter().map(|it| it.name());
    /// Whether an API key can be used.
    ApiKeyState = ["usable", "expired", "revoked"];
    /// State of a version of a line.
    LineVersionState = ["draft", "published", "trial", "retired"];
    /// The other side of a message.
    WirePeer = ["3cx", "elevenlabs", "agent"];
    /// The way of a message.
    WireWay = ["sent", "received"];
    /// Whether a probe passes.
    ProbeStatus = ["ok", "error"];
    /// Budgets of the installation.
    BudgetName = ["clones_per_day", "agent_minutes_per_day", "cost_per_day"];
}

/// A closed list.
pub(crate) fn list(values: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(values))
}

/// A list that the sender may add to: the words that precall knows, and any other text or number.
pub(crate) fn open_list(words: &[&str], longest: Option<usize>) -> AnyOfBuilder {
    let known = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied()));
    AnyOfBuilder::new().item(known).item(text_or_number().max_length(longest))
}

/// A text or a number.
pub(crate) fn text_or_number() -> ObjectBuilder {
    let kinds = [Type::String, Type::Number];
    ObjectBuilder::new().schema_type(kinds.into_iter().collect::<SchemaType>())
}
