//! Which outcomes an event of a call means. The one place that translates events of calls into areas of health.
//!
//! Pure: no clock, no I/O, no actor.

use precall_call::{
    AgentLoss, Call, CallId, Event, Fact, GreetingEnd, HandoffFailure, NoVoice, VoiceSource, facts,
};

use crate::observe::outcomes::{Area, Outcomes, presentable};

/// Counts the outcomes of an event. `before` is none at the offer.
pub fn observe(outcomes: &mut Outcomes, call: CallId, before: Option<&Call>, event: &Event, after: &Call) {
    let Some(before) = before else { return };
    let (whose, at) = (Some(call), after.at);
    for fact in facts(Some(before), event, after) {
        match fact {
            Fact::GreetingStarted(_) => outcomes.succeeded(Area::Greeting, whose, at),
            // On the bridge the handoff has succeeded when the caller hears the agent.
            Fact::HandedOff(rung) if rung.leads_to_agent() && !rung.bridges() => {
                outcomes.succeeded(Area::Handoff, whose, at);
            }
            Fact::VoiceReady { source: VoiceSource::Clone, .. } => {
                outcomes.succeeded(Area::Clone, whose, at);
            }
            Fact::VoiceMissing(why) => match clone_trouble(why) {
                Some(words) if why == NoVoice::CloneTimeout => outcomes.failed(Area::Clone, whose, words, at),
                Some(words) => outcomes.failed_again(Area::Clone, whose, words, at),
                None => {}
            },
            Fact::Offered
            | Fact::FirstFrame(_)
            | Fact::FirstSound(_)
            | Fact::NoticeEnded
            | Fact::VoiceReady { source: VoiceSource::Cache, .. }
            | Fact::PinRefused
            | Fact::HandedOff(_)
            | Fact::ConversationReported { .. }
            | Fact::Panicked
            | Fact::Released(_) => {}
        }
    }
    match event {
        Event::AgentSpoke { .. } => outcomes.succeeded(Area::Handoff, whose, at),
        Event::HandoffFailed { attempt, why } => {
            if let Some(words) = handoff_trouble(*attempt, *why) {
                outcomes.failed_again(Area::Handoff, whose, &words, at);
            }
        }
        Event::AgentEnded { .. } if after.unheard_ends > 0 => {
            let words = "the agent hangs up before it speaks: it closed the conversation normally, unheard";
            outcomes.failed(Area::Handoff, whose, words, at);
        }
        Event::AgentLost { why, .. } => {
            outcomes.failed(Area::Handoff, whose, agent_trouble(*why), at);
        }
        Event::GreetingEnded { end } => {
            if let Some(words) = greeting_trouble(*end) {
                outcomes.failed_again(Area::Greeting, whose, words, at);
            }
        }
        Event::AudioLost if before.is_greeting() => {
            outcomes.failed(Area::Greeting, whose, "no audio reaches the caller's leg", at);
        }
        _ => {}
    }
}

/// The failure that this event means for its call, in words for a person on duty. `detail` is what the provider said.
pub(crate) fn failure_in(event: &Event, detail: Option<&str>, after: &Call) -> Option<String> {
    let words = match event {
        Event::HandoffFailed { attempt, why } => {
            let reason = detail.map_or_else(|| why.name().replace('_', " "), presentable);
            return Some(format!("handoff attempt {attempt} failed: {reason}"));
        }
        Event::AgentLost { why, .. } => agent_trouble(*why),
        Event::AgentEnded { .. } if after.unheard_ends > 0 => "the agent hung up before the caller heard it",
        Event::GreetingEnded { end } => greeting_trouble(*end)?,
        Event::AudioLost => "no audio reaches the caller's leg",
        _ => return None,
    };
    Some(detail.map_or_else(|| words.to_owned(), |detail| format!("{words}: {}", presentable(detail))))
}

/// The words for an attempt that failed, unless a telephone was merely not answered. An attempt may fail in any phase:
/// an agent is prepared during the greeting.
fn handoff_trouble(attempt: u8, why: HandoffFailure) -> Option<String> {
    match why {
        HandoffFailure::Refused
        | HandoffFailure::OverrideRefused
        | HandoffFailure::VoiceRefused
        | HandoffFailure::Unknown => Some(format!("handoff attempt {attempt}: {}", why.name())),
        HandoffFailure::Busy | HandoffFailure::NoAnswer | HandoffFailure::CallOver => None,
    }
}

fn agent_trouble(why: AgentLoss) -> &'static str {
    match why {
        AgentLoss::Lost => "the agent's session was lost",
        AgentLoss::Refused => "ElevenLabs refused the agent's session",
        AgentLoss::Stalled => "the agent did not speak for too long",
        AgentLoss::OverrideRefused => "ElevenLabs refused a setting of the agent's session",
    }
}

fn greeting_trouble(end: GreetingEnd) -> Option<&'static str> {
    match end {
        GreetingEnd::Refused => Some("the greeting was refused"),
        GreetingEnd::Failed => Some("the greeting could not be played"),
        GreetingEnd::Unknown => Some("the outcome of the greeting is not known"),
        GreetingEnd::Played | GreetingEnd::Skipped | GreetingEnd::Busy | GreetingEnd::NoAnswer => None,
    }
}

/// The words for a voice that is missing, unless the reason is a rule: those callers get no clone on purpose.
pub(crate) fn clone_trouble(why: NoVoice) -> Option<&'static str> {
    match why {
        NoVoice::NoSlot => Some("no free voice slot"),
        NoVoice::SampleRefused => Some("the sample cannot be cloned"),
        NoVoice::CloneFailed => Some("the clone failed"),
        NoVoice::CloneTimeout => {
            Some("the clone was not ready in time (VOICE_CLONE_TIMEOUT, CLONE_MAX_WAIT_SECONDS)")
        }
        NoVoice::OverrideRefused => Some("the agent does not allow its voice to be set"),
        NoVoice::BreakerOpen => Some("not tried: five clones in a row failed (breaker_open)"),
        // Storage tells.
        NoVoice::DatabaseUnreachable => None,
        NoVoice::NoMapping
        | NoVoice::NoConsent
        | NoVoice::Unproven
        | NoVoice::Budget
        | NoVoice::Erased
        | NoVoice::OperatorAsked => None,
    }
}
