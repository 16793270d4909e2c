//! How a call goes: the route, the deadlines, the ways out.

use std::time::Duration;

use precall_call::{Route, VoiceId, VoiceWait};
use serde::Deserialize;

use super::problem::Problems;
use super::threecx::ThreeCx;
use super::value::{Read, Word, words};
use super::values::Values;
use super::variables::Section;

words!(Route, "bridge, transfer or callback",
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
    /// How long the agent's trunk or a person may ring when the caller's leg is routed there.
    pub transfer_ring: Duration,
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
    transfer_ring_seconds: Read<u64>,
    conversation_max_seconds: Read<u64>,
    postcall_wait_seconds: Read<u64>,
    fallback_voice_id: Option<Read<Word>>,
    agent_destination: Option<Read<Word>>,
    fallback_destination: Option<Read<Word>>,
}

impl Call {
    pub(super) fn read(values: &Values, threecx: Option<&ThreeCx>, problems: &mut Problems) -> Option<Self> {
        let raw: Raw = values.section(Section::Call, problems)?;
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
        let transfer_ring = problems.seconds("TRANSFER_RING_SECONDS", raw.transfer_ring_seconds, 5..=180);
        let agent_destination = agent_destination.map(|set| set.map(|Word(dn)| dn));
        let fallback_destination = fallback_destination.map(|set| set.map(|Word(dn)| dn));
        let route = route(raw.call_route, threecx, agent_destination.as_ref(), problems);
        for (name, set) in
            [("AGENT_DESTINATION", &agent_destination), ("FALLBACK_DESTINATION", &fallback_destination)]
        {
            no_loop(name, set.as_ref().and_then(Option::as_deref), threecx, problems);
        }
        let voice_wait = match (wait?, max_hold?) {
            (Wait::Hold, _) => VoiceWait::Hold,
            (Wait::Start, after) => VoiceWait::Start { after },
        };
        Some(Self {
            route: route?,
            max_live: max_live?,
            auto_transition: auto_transition?,
            voice_wait,
            transfer_ring: transfer_ring?,
            handoff_max: handoff_max?,
            conversation_max: conversation_max?,
            postcall_wait: postcall_wait?,
            fallback_voice: fallback_voice?.map(|Word(id)| VoiceId::new(id)),
            agent_destination: agent_destination?,
            fallback_destination: fallback_destination?,
        })
    }
}

/// Unset is the best that the rest of the configuration allows.
fn route(
    read: Option<Read<Route>>,
    threecx: Option<&ThreeCx>,
    agent_destination: Option<&Option<String>>,
    problems: &mut Problems,
) -> Option<Route> {
    let set = problems.optional("CALL_ROUTE", read)?;
    let has_control = threecx?.call_control.is_some();
    let has_trunk = agent_destination?.is_some();
    match set {
        None if has_control => Some(Route::Bridge),
        Some(Route::Bridge) if has_control => Some(Route::Bridge),
        None | Some(Route::Callback) => Some(Route::Callback),
        Some(Route::Transfer) if has_control && has_trunk => Some(Route::Transfer),
        Some(Route::Transfer) if has_control => {
            problems.add(
                "CALL_ROUTE",
                "`transfer` needs the DN of a trunk to the agent",
                "set AGENT_DESTINATION, or use bridge or callback",
            );
            None
        }
        Some(route @ (Route::Bridge | Route::Transfer)) => {
            problems.add(
                "CALL_ROUTE",
                format!("`{}` needs 3CX call control", route.name()),
                "set THREECX_BASE_URL, THREECX_CLIENT_ID and THREECX_CLIENT_SECRET, or use callback",
            );
            None
        }
    }
}

/// A leg routed to our own route point would come back to us for ever.
fn no_loop(
    name: &'static str,
    destination: Option<&str>,
    threecx: Option<&ThreeCx>,
    problems: &mut Problems,
) {
    let own = threecx.and_then(|threecx| threecx.call_control.as_ref()).map(|control| &control.client_id);
    if let (Some(destination), Some(own)) = (destination, own)
        && destination.eq_ignore_ascii_case(own)
    {
        problems.add(
            name,
            "is THREECX_CLIENT_ID itself: the call would come back here".to_owned(),
            "another DN than THREECX_CLIENT_ID",
        );
    }
}
