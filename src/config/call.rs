//! How a call goes: the route, the deadlines, the ways out.

use std::time::Duration;

use precall_call::{Route, VoiceId, VoiceWait};
use serde::Deserialize;

use super::problem::Problems;
use super::value::{Read, Word, words};
use super::values::Values;
use super::variables::Section;

words!(Route, "callback (bridge and transfer are not supported by this build yet)",
    "bridge" => Route::Bridge,
    "transfer" => Route::Transfer,
    "callback" => Route::Callback,
);

/// What `VOICE_WAIT` says; the time is a variable of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Hold,
    Start,
}

words!(Wait, "hold or start",
    "hold" => Wait::Hold,
    "start" => Wait::Start,
);

/// How a call goes.
#[derive(Clone, Debug)]
pub struct Call {
    /// How greeting and handoff reach the caller.
    pub route: Route,
    /// Calls alive at once at most.
    pub max_live: usize,
    /// False holds until an operator acts or the voice's deadline has passed.
    pub auto_transition: bool,
    /// What happens while the voice is not ready and the greeting is over.
    pub voice_wait: VoiceWait,
    /// How long one attempt at a handoff may take.
    pub handoff_max: Duration,
    /// How long an agent conversation may last.
    pub conversation_max: Duration,
    /// How long after its end a conversation's report is waited for before it is fetched.
    pub postcall_wait: Duration,
    /// The voice when there is no clone; the agent's own when unset.
    pub fallback_voice: Option<VoiceId>,
    /// The DN of the trunk to the agent.
    pub agent_destination: Option<String>,
    /// A person or queue for callers whom no agent can be given.
    pub fallback_destination: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    call_route: Option<Read<Route>>,
    max_live_calls: Read<u64>,
    auto_transition_enabled: Read<bool>,
    voice_wait: Read<Wait>,
    max_hold_seconds: Read<u64>,
    handoff_max_seconds: Read<u64>,
    conversation_max_seconds: Read<u64>,
    postcall_wait_seconds: Read<u64>,
    fallback_voice_id: Option<Read<Word>>,
    agent_destination: Option<Read<Word>>,
    fallback_destination: Option<Read<Word>>,
}

impl Call {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        let raw: Raw = values.section(Section::Call, problems)?;
        let route = route(raw.call_route, problems);
        let max_live = problems.number("MAX_LIVE_CALLS", raw.max_live_calls, 1..=100_000, "calls");
        let auto_transition = problems.value("AUTO_TRANSITION_ENABLED", raw.auto_transition_enabled);
        let wait = problems.value("VOICE_WAIT", raw.voice_wait);
        let max_hold = problems.seconds("MAX_HOLD_SECONDS", raw.max_hold_seconds, 0..=300);
        let handoff_max = problems.seconds("HANDOFF_MAX_SECONDS", raw.handoff_max_seconds, 1..=300);
        let conversation_max =
            problems.seconds("CONVERSATION_MAX_SECONDS", raw.conversation_max_seconds, 10..=14_400);
        let postcall_wait = problems.seconds("POSTCALL_WAIT_SECONDS", raw.postcall_wait_seconds, 1..=3_600);
        let fallback_voice = problems.optional("FALLBACK_VOICE_ID", raw.fallback_voice_id);
        let agent_destination = problems.optional("AGENT_DESTINATION", raw.agent_destination);
        let fallback_destination = problems.optional("FALLBACK_DESTINATION", raw.fallback_destination);
        let voice_wait = match (wait?, max_hold?) {
            (Wait::Hold, _) => VoiceWait::Hold,
            (Wait::Start, after) => VoiceWait::Start { after },
        };
        Some(Self {
            route: route?,
            max_live: max_live?,
            auto_transition: auto_transition?,
            voice_wait,
            handoff_max: handoff_max?,
            conversation_max: conversation_max?,
            postcall_wait: postcall_wait?,
            fallback_voice: fallback_voice?.map(|Word(id)| VoiceId::new(id)),
            agent_destination: agent_destination?.map(|Word(dn)| dn),
            fallback_destination: fallback_destination?.map(|Word(dn)| dn),
        })
    }
}

/// Unset is `callback`: without call control by design, with it because nothing else is built.
fn route(read: Option<Read<Route>>, problems: &mut Problems) -> Option<Route> {
    match problems.optional("CALL_ROUTE", read)?.unwrap_or(Route::Callback) {
        Route::Callback => Some(Route::Callback),
        live @ (Route::Bridge | Route::Transfer) => {
            problems.add(
                "CALL_ROUTE",
                format!("`{}` is not supported by this build yet", live.name()),
                "callback",
            );
            None
        }
    }
}
