//! What the board shows of one live call. Pure: no clock, no I/O, no actor.

use std::borrow::Cow;
use std::sync::Arc;

use precall_base::phone_number::CallerNumber;
use precall_call::{At, Call, CallId, ConversationId, Deadline, Purpose, Route, Voice};

use crate::call::call_context::CallContext;
use crate::observe::call_outcomes::clone_trouble;
use crate::voices::terms::CloneStage;

/// Who calls whom: what does not change during a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parties {
    /// The PBX's id of the call.
    pub threecx_call_id: Option<String>,
    /// The name of the PBX.
    pub pbx: String,
    /// The caller, masked.
    pub caller: String,
    /// The called number: E.164, or as the PBX wrote it.
    pub called: Option<String>,
    /// The line's name.
    pub line: String,
}

/// How far the clone is that a call waits for, or waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloneProgress {
    /// The stage.
    pub stage: CloneStage,
    /// When the stage began.
    pub since: At,
    /// When the call began to wait for the clone.
    pub asked_at: At,
    /// When the call stops waiting for it.
    pub until: Option<At>,
}

const CLONED: &str = "cloned";

/// A live call as the board shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveCall {
    /// precall's id.
    pub id: CallId,
    /// Who calls whom.
    pub parties: Arc<Parties>,
    /// How greeting and handoff reach the caller.
    pub route: Route,
    /// The state's name.
    pub state: &'static str,
    /// Since when the call is in this state, in microseconds since the epoch. After a restart: since the restart.
    pub state_since: i64,
    /// `awaited`, `cloned` or `fallback`.
    pub voice: &'static str,
    /// Why there is no cloned voice.
    pub voice_missing: Option<&'static str>,
    /// Whether the call waits for its caller's cloned voice.
    pub awaits_voice: bool,
    /// When the voice was decided.
    pub voice_decided: Option<At>,
    /// The clone of this call. `None` where nothing had to be cloned.
    pub clone: Option<CloneProgress>,
    /// Microseconds since the epoch.
    pub offered_at: i64,
    /// The armed deadline.
    pub deadline: Option<Deadline>,
    /// Handoff attempts that began.
    pub attempts: u8,
    /// What is wrong with the call now, in words.
    pub problem: Option<Cow<'static, str>>,
    /// Kind of the last event; `None` for a call that was read back a moment ago.
    pub last_event: Option<&'static str>,
    /// Time of the last event.
    pub last_event_at: At,
    /// The agent's conversation, once known.
    pub conversation: Option<ConversationId>,
    /// The call's actors that run now.
    pub actors: Vec<&'static str>,
}

impl LiveCall {
    /// Whether the agent speaks, or will speak, with the caller's cloned voice.
    #[must_use]
    pub fn has_clone(&self) -> bool {
        self.voice == CLONED
    }
}

/// What the call's actor notes for the board, and what no state has.
#[derive(Clone, Debug)]
pub(crate) struct BoardNotes {
    /// Who calls whom.
    pub parties: Arc<Parties>,
    /// Kind of the last event.
    pub last_event: Option<&'static str>,
    /// The stages that the voice book told: `Queued` or `Uploading`.
    pub clone: Option<CloneProgress>,
    /// The last failure that no agent has made good, in words.
    pub failure: Option<String>,
}

/// A call, as its actor shows it to the board.
pub(crate) struct ShownCall<'a> {
    /// Its id.
    pub id: CallId,
    /// Its state.
    pub call: &'a Call,
    /// What its actor noted.
    pub notes: &'a BoardNotes,
    /// Its actors that run now.
    pub actors: Vec<&'static str>,
}

impl Parties {
    /// As the call's identity has them.
    pub(crate) fn of(context: &CallContext) -> Self {
        Self {
            threecx_call_id: context.threecx_call_id.clone(),
            pbx: context.pbx.clone(),
            caller: match &context.caller {
                CallerNumber::Public(number) => number.to_string(),
                CallerNumber::Internal(_) => "internal".to_owned(),
                CallerNumber::Withheld | CallerNumber::Unreadable => "unknown".to_owned(),
            },
            called: context.called.clone(),
            line: context.line.id.to_string(),
        }
    }
}

impl BoardNotes {
    /// The notes of a call that begins, or that was read back.
    pub(crate) fn new(parties: Parties, last_event: Option<&'static str>) -> Self {
        Self { parties: Arc::new(parties), last_event, clone: None, failure: None }
    }
}

impl ShownCall<'_> {
    /// The call as the board shows it. `before`: as it was shown before.
    pub(super) fn live(self, before: Option<&LiveCall>) -> LiveCall {
        let (call, notes) = (self.call, self.notes);
        let (voice, voice_missing) = voice_names(call);
        let state = call.phase.name();
        let same_state = before.filter(|before| before.state == state);
        LiveCall {
            id: self.id,
            parties: Arc::clone(&notes.parties),
            route: call.policy.route,
            state,
            state_since: same_state.map_or(call.at.0, |before| before.state_since),
            voice,
            voice_missing,
            awaits_voice: call.awaits_voice,
            voice_decided: call.instants.voice_decided,
            clone: notes.clone.map(|told| progress(told, call)),
            offered_at: call.instants.offered.0,
            deadline: call.deadline(),
            attempts: call.latest_attempt(),
            problem: problem(call, notes),
            last_event: notes.last_event,
            last_event_at: call.at,
            conversation: call.conversation(Purpose::Agent).and_then(|agent| agent.id.clone()),
            actors: self.actors,
        }
    }
}

/// The name of the voice, and of the reason why there is no cloned one.
pub(super) fn voice_names(call: &Call) -> (&'static str, Option<&'static str>) {
    match &call.voice {
        Voice::Awaited => ("awaited", None),
        Voice::Cloned(_) => (CLONED, None),
        Voice::Fallback(why) => ("fallback", Some(why.name())),
    }
}

/// The stage by what the call knows of its voice. A call with the fallback voice may still wait for a late clone.
fn progress(told: CloneProgress, call: &Call) -> CloneProgress {
    let stage = match &call.voice {
        Voice::Cloned(_) => CloneStage::Ready,
        Voice::Awaited | Voice::Fallback(_) if call.awaits_voice => return told,
        Voice::Awaited | Voice::Fallback(_) => CloneStage::Failed,
    };
    CloneProgress { stage, since: call.instants.voice_decided.unwrap_or(told.since), ..told }
}

/// What is wrong with the call now, the most serious first. A fallback voice that a rule asks for is no problem.
fn problem(call: &Call, notes: &BoardNotes) -> Option<Cow<'static, str>> {
    if let Some(words) = &notes.failure {
        return Some(Cow::Owned(words.clone()));
    }
    if let Voice::Fallback(why) = &call.voice
        && let Some(words) = clone_trouble(*why)
    {
        return Some(Cow::Owned(format!("fallback voice: {words}")));
    }
    (call.panics > 0).then_some(Cow::Borrowed("a part of the call panicked and was restarted"))
}
