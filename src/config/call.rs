//! The route of a call, its deadlines, and its ways out.

use std::time::Duration;

use precall_call::{Route, VoiceId, VoiceWait};

use super::problem::Problems;
use super::section::Section;
use super::setting::{Setting, variables};
use super::threecx::ThreeCx;
use super::value::numbers::{Seconds, Whole};
use super::value::{Word, words};
use super::values::Values;
use super::variables::DefaultValue::Text;
use super::variables::{Probed, Restart, Routes, Shown};

variables! { Section::Call;
    call_route: Route {
        example: "callback",
        help: "How greeting and agent reach the caller.",
        note: "bridge: both on the caller's own leg; needs 3CX call control. transfer: the greeting on that leg, which \
            3CX then routes to AGENT_DESTINATION; needs 3CX call control. callback: ElevenLabs phones the caller back. \
            Unset: bridge with 3CX call control, else callback; precall logs its choice at start.",
    }
    max_live_calls: Whole<usize, 1, 100_000> {
        restart: Restart::NotNeeded,
        unit: "calls",
        default: Text("500"),
        help: "Largest number of live calls. precall answers the next call with 503.",
    }
    start_patience_seconds: Seconds<1, 60> {
        restart: Restart::NotNeeded,
        routes: Routes::LiveLeg,
        default: Text("5"),
        help: "How long a start or restart may take until a caller who is on the line goes to FALLBACK_DESTINATION.",
        note: "Until then the caller hears hold music. Without FALLBACK_DESTINATION the music goes on.",
    }
    auto_transition_enabled: bool {
        restart: Restart::NotNeeded,
        default: Text("true"),
        help: "Hand the caller over to the agent as soon as the voice is decided.",
        note: "false: the caller stays on hold until an operator hands the call over, or until the deadline of the \
            voice (CLONE_MAX_WAIT_SECONDS).",
    }
    voice_wait: WaitMode {
        restart: Restart::NotNeeded,
        default: Text("hold"),
        help: "What happens when the greeting is over and the cloned voice is not ready.",
        note: "hold: the caller stays on hold until it is. start: the agent begins in the fallback voice after \
            MAX_HOLD_SECONDS.",
    }
    max_hold_seconds: Seconds<0, 300> {
        restart: Restart::NotNeeded,
        default: Text("8"),
        help: "How long VOICE_WAIT=start holds before the agent begins.",
    }
    handoff_max_seconds: Seconds<1, 300> {
        default: Text("20"),
        help: "How long one attempt to bring the agent in may take.",
    }
    transfer_ring_seconds: Seconds<5, 180> {
        restart: Restart::NotNeeded,
        routes: Routes::LiveLeg,
        default: Text("20"),
        help: "How long the agent's trunk or a person may ring when 3CX routes the caller's leg there.",
        note: "The hold music continues meanwhile.",
    }
    conversation_max_seconds: Seconds<10, 14_400> {
        restart: Restart::NotNeeded,
        default: Text("600"),
        help: "Longest conversation with the agent.",
    }
    supervision: bool {
        restart: Restart::NotNeeded,
        routes: Routes::LiveLeg,
        default: Text("false"),
        help: "Let operators listen to live calls and tell the agent something (API keys of the scope listen).",
        note: "Nobody can listen before the caller heard the notice to its end, nor to a caller whose notice does not \
            mention it: see NOTICE_MENTIONS_SUPERVISION. Each use is in the audit log. It counts for calls that come \
            in later; false ends all listening at once.",
    }
    postcall_wait_seconds: Seconds<1, 3_600> {
        default: Text("180"),
        help: "How long precall waits for the report of a conversation, before it fetches the report itself.",
    }
    fallback_voice_id: Word {
        restart: Restart::NotNeeded,
        probed: Probed::By("ElevenLabs voices"),
        example: "21m00Tcm4TlvDq8ikWAM",
        help: "Voice of the agent when there is no cloned voice. Unset: the agent's own voice.",
    }
    agent_destination: Word {
        restart: Restart::NotNeeded,
        probed: Probed::By("destinations"),
        routes: Routes::LiveLeg,
        shown: Shown::Masked,
        example: "10010",
        help: "DN of the SIP trunk to the agent.",
        note: "Route transfer needs it. Route bridge uses it when both attempts on the bridge failed.",
    }
    fallback_destination: Word {
        restart: Restart::NotNeeded,
        probed: Probed::By("destinations"),
        routes: Routes::LiveLeg,
        shown: Shown::Masked,
        example: "800",
        help: "DN of a person or queue that takes the call when every attempt to bring an agent in failed.",
    }
}

words!(Route,
    "bridge" => Route::Bridge,
    "transfer" => Route::Transfer,
    "callback" => Route::Callback,
);

/// `VOICE_WAIT`. The time of `Start` is in MAX_HOLD_SECONDS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WaitMode {
    Hold,
    Start,
}

words!(WaitMode,
    "hold" => WaitMode::Hold,
    "start" => WaitMode::Start,
);

/// Route, deadlines and ways out of a call.
#[derive(Clone, Debug)]
pub struct Call {
    /// How greeting and handoff reach the caller.
    pub route: Route,
    /// Largest number of live calls.
    pub max_live: usize,
    /// How long callers on the line wait while precall starts.
    pub start_patience: Duration,
    /// False holds until an operator acts or the voice's deadline has passed.
    pub auto_transition: bool,
    /// What happens when the greeting is over and the voice is not ready.
    pub voice_wait: VoiceWait,
    /// How long the agent's trunk or a person may ring when the caller's leg is routed there.
    pub transfer_ring: Duration,
    /// Longest attempt at a handoff.
    pub handoff_max: Duration,
    /// Longest conversation with the agent.
    pub conversation_max: Duration,
    /// Operators may listen to live calls and tell the agent something.
    pub supervision: bool,
    /// How long after the end of a conversation precall waits for its report before it fetches it.
    pub postcall_wait: Duration,
    /// The voice when there is no clone; the agent's own when unset.
    pub fallback_voice: Option<VoiceId>,
    /// The DN of the trunk to the agent.
    pub agent_destination: Option<String>,
    /// The DN of a person or queue for callers without an agent.
    pub fallback_destination: Option<String>,
}

impl Call {
    pub(super) fn read(values: &Values, threecx: Option<&ThreeCx>, problems: &mut Problems) -> Option<Self> {
        let settings = Settings::read(values, problems)?;
        let destination = |set: Setting<Word>| set.optional().map(|set| set.map(|Word(dn)| dn));
        let agent_destination = destination(settings.agent_destination);
        let fallback_destination = destination(settings.fallback_destination);
        let route = route(settings.call_route, threecx, agent_destination.as_ref(), problems);
        for (name, set) in
            [("AGENT_DESTINATION", &agent_destination), ("FALLBACK_DESTINATION", &fallback_destination)]
        {
            no_loop(name, set.as_ref().and_then(Option::as_deref), threecx, problems);
        }
        let voice_wait = match (settings.voice_wait.value()?, settings.max_hold_seconds.value()?) {
            (WaitMode::Hold, _) => VoiceWait::Hold,
            (WaitMode::Start, Seconds(after)) => VoiceWait::Start { after },
        };
        Some(Self {
            route: route?,
            max_live: settings.max_live_calls.value()?.0,
            start_patience: settings.start_patience_seconds.value()?.0,
            auto_transition: settings.auto_transition_enabled.value()?,
            voice_wait,
            transfer_ring: settings.transfer_ring_seconds.value()?.0,
            handoff_max: settings.handoff_max_seconds.value()?.0,
            conversation_max: settings.conversation_max_seconds.value()?.0,
            supervision: settings.supervision.value()?,
            postcall_wait: settings.postcall_wait_seconds.value()?.0,
            fallback_voice: settings.fallback_voice_id.optional()?.map(|Word(id)| VoiceId::new(id)),
            agent_destination: agent_destination?,
            fallback_destination: fallback_destination?,
        })
    }
}

/// The route that is set, or the best one that the rest of the configuration allows.
fn route(
    set: Setting<Route>,
    threecx: Option<&ThreeCx>,
    agent_destination: Option<&Option<String>>,
    problems: &mut Problems,
) -> Option<Route> {
    let set = set.optional()?;
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

/// A leg that is routed to precall's own route point would come back for ever.
fn no_loop(
    name: &'static str,
    destination: Option<&str>,
    threecx: Option<&ThreeCx>,
    problems: &mut Problems,
) {
    if let (Some(destination), Some(own)) = (destination, threecx.and_then(ThreeCx::own_dn))
        && destination.eq_ignore_ascii_case(own)
    {
        problems.add(
            name,
            "is THREECX_CLIENT_ID itself: the call would come back here",
            "another DN than THREECX_CLIENT_ID",
        );
    }
}
