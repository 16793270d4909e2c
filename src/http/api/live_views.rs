//! The live calls, the ended ones and their counts as `/api/v1/live` and its stream show them. Numbers of callers are
//! masked for every key.

use jiff::Timestamp;
use precall_actors::api::{CloneProgress, Counters, EndedCall, LiveCall, Parties};
use precall_call::{At, Blame};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::clock;
use crate::http::openapi::names::{
    CallBlame, CallCause, CallRoute, CallState, CallTold, CloneStageName, LiveVoice, VoiceMissing,
};
use crate::story::causes;

/// Who calls whom.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartiesView {
    /// The PBX's id.
    threecx_call_id: Option<String>,
    /// The name of the PBX.
    pbx: String,
    /// The number, masked.
    caller: String,
    /// The called number, E.164 or as the PBX wrote it.
    called_number: Option<String>,
    /// The line's name.
    line: String,
}

/// A live call.
#[derive(Serialize, ToSchema)]
pub(crate) struct LiveView {
    /// precall's id.
    id: String,
    /// Who calls whom.
    #[serde(flatten)]
    parties: PartiesView,
    /// How greeting and agent reach the caller.
    #[schema(value_type = CallRoute)]
    route: &'static str,
    /// The state.
    #[schema(value_type = CallState)]
    state: &'static str,
    /// Since when it is in this state; after a restart of precall, since the restart.
    state_since: Option<Timestamp>,
    /// The voice.
    #[schema(value_type = LiveVoice)]
    voice: &'static str,
    /// Why there is no cloned voice.
    #[schema(value_type = Option<VoiceMissing>)]
    voice_missing: Option<&'static str>,
    /// Whether the call waits for its caller's cloned voice.
    awaits_voice: bool,
    /// When the voice was decided.
    voice_decided_at: Option<Timestamp>,
    /// The clone of this call; null where nothing had to be cloned, and for a voice from the cache.
    clone: Option<CloneView>,
    /// Start of the call.
    offered_at: Option<Timestamp>,
    /// The next deadline of the state.
    deadline_at: Option<Timestamp>,
    /// Handoff attempts that began.
    handoff_attempts: u8,
    /// What is wrong with the call now, in words of at most 400 characters; null if nothing is. A failed attempt
    /// counts until the caller is with an agent. A missing voice counts if something failed.
    #[schema(max_length = 400)]
    problem: Option<String>,
    /// Kind of the last event; null for a call that was read back a moment ago.
    last_event: Option<&'static str>,
    /// Time of the last event.
    last_event_at: Option<Timestamp>,
    /// Id of the agent's conversation, once known.
    conversation_id: Option<String>,
    /// Running actors of this call.
    actors: Vec<&'static str>,
}

/// How far the clone is that a call waits for, or waited for.
#[derive(Serialize, ToSchema)]
pub(crate) struct CloneView {
    /// The stage.
    #[schema(value_type = CloneStageName)]
    stage: &'static str,
    /// When the stage began.
    since: Option<Timestamp>,
    /// When the call began to wait for the clone.
    asked_at: Option<Timestamp>,
    /// When the call stops waiting for it.
    until: Option<Timestamp>,
}

/// A call that ended a moment ago. It stays for five minutes. At most 500 stay, failed ones longest.
#[derive(Serialize, ToSchema)]
pub(crate) struct EndedView {
    /// precall's id.
    id: String,
    /// Who calls whom.
    #[serde(flatten)]
    parties: PartiesView,
    /// How greeting and agent reached the caller.
    #[schema(value_type = CallRoute)]
    route: &'static str,
    /// The voice.
    #[schema(value_type = LiveVoice)]
    voice: &'static str,
    /// Why there was no cloned voice.
    #[schema(value_type = Option<VoiceMissing>)]
    voice_missing: Option<&'static str>,
    /// Handoff attempts that began.
    handoff_attempts: u8,
    /// Id of the agent's conversation, if there was one.
    conversation_id: Option<String>,
    /// Start of the call.
    offered_at: Option<Timestamp>,
    /// When it ended.
    ended_at: Option<Timestamp>,
    /// Why.
    #[schema(value_type = CallCause)]
    cause: &'static str,
    /// Whose fault it was; null where nothing went wrong.
    #[schema(value_type = Option<CallBlame>)]
    blame: Option<&'static str>,
    /// What the caller was told.
    #[schema(value_type = CallTold)]
    told: &'static str,
    /// Whether no conversation with an agent took place: `status` of the call is `failed`.
    failed: bool,
    /// Why it ended and what the caller was told, as a sentence.
    sentence: String,
}

/// Calls by state.
#[derive(Serialize, ToSchema)]
pub(crate) struct CountersView {
    /// All live calls.
    live: usize,
    /// Nothing has reached the caller yet.
    offered: usize,
    /// The greeting is dialled or played.
    greeting: usize,
    /// The caller waits.
    holding: usize,
    /// A handoff attempt runs.
    handing_off: usize,
    /// The caller is with an agent.
    conversing: usize,
    /// Live calls with a `problem`.
    with_problem: usize,
    /// Calls without an agent that ended in the last hour, as far as this process has seen them: since its start.
    failed_last_hour: u64,
}

impl LiveView {
    pub(crate) fn of(call: LiveCall) -> Self {
        Self {
            id: call.id.to_string(),
            parties: PartiesView::from(&*call.parties),
            route: call.route.name(),
            state: call.state,
            state_since: clock::timestamp(At(call.state_since)),
            voice: call.voice,
            voice_missing: call.voice_missing,
            awaits_voice: call.awaits_voice,
            voice_decided_at: call.voice_decided.and_then(clock::timestamp),
            clone: call.clone.map(CloneView::from),
            offered_at: clock::timestamp(At(call.offered_at)),
            deadline_at: call.deadline.and_then(|deadline| clock::timestamp(deadline.due)),
            handoff_attempts: call.attempts,
            problem: call.problem.map(std::borrow::Cow::into_owned),
            last_event: call.last_event,
            last_event_at: clock::timestamp(call.last_event_at),
            conversation_id: call.conversation.map(|id| id.as_str().to_owned()),
            actors: call.actors,
        }
    }
}

impl From<&Parties> for PartiesView {
    fn from(parties: &Parties) -> Self {
        Self {
            threecx_call_id: parties.threecx_call_id.clone(),
            pbx: parties.pbx.clone(),
            caller: parties.caller.clone(),
            called_number: parties.called.clone(),
            line: parties.line.clone(),
        }
    }
}

impl From<CloneProgress> for CloneView {
    fn from(progress: CloneProgress) -> Self {
        Self {
            stage: progress.stage.name(),
            since: clock::timestamp(progress.since),
            asked_at: clock::timestamp(progress.asked_at),
            until: progress.until.and_then(clock::timestamp),
        }
    }
}

impl EndedView {
    pub(crate) fn of(call: EndedCall) -> Self {
        let release = call.release;
        let (why, told) = (causes::cause(release.cause, release.blame), causes::told(release.told));
        Self {
            id: call.id.to_string(),
            parties: PartiesView::from(&*call.parties),
            route: call.route.name(),
            voice: call.voice,
            voice_missing: call.voice_missing,
            handoff_attempts: call.attempts,
            conversation_id: call.conversation.map(|id| id.as_str().to_owned()),
            offered_at: clock::timestamp(call.offered_at),
            ended_at: clock::timestamp(call.ended_at),
            cause: release.cause.name(),
            blame: release.blame.map(Blame::name),
            told: release.told.name(),
            failed: call.failed,
            sentence: sentence(&format!("{why}, {told}")),
        }
    }
}

impl From<Counters> for CountersView {
    fn from(counters: Counters) -> Self {
        let Counters {
            live,
            offered,
            greeting,
            holding,
            handing_off,
            conversing,
            with_problem,
            failed_last_hour,
        } = counters;
        Self { live, offered, greeting, holding, handing_off, conversing, with_problem, failed_last_hour }
    }
}

/// The words with a capital letter and a full stop. Names such as 3CX and precall stay as they are.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let keeps_case = words.starts_with("precall");
    match letters.next() {
        Some(first) if !keeps_case => {
            first.to_uppercase().chain(letters).chain(std::iter::once('.')).collect()
        }
        Some(_) | None => format!("{words}."),
    }
}
