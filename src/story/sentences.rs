//! Each event of a call as a plain sentence. Pure.

use std::time::Duration;

use precall_call::{
    Admission, AgentLoss, Answered, At, AudioHeard, Blame, Call, CallPart, Cause, Event, Grade, GreetingEnd,
    HandoffFailure, LegSeen, NoVoice, Operator, Person, ProofWay, ProvedBy, Purpose, Report, Request, Rung,
    Speaker, Telling, VoiceSource,
};

/// What an event met. Without it the words are less exact: the log may be of a newer precall.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    /// When it happened.
    pub(super) at: At,
    /// The call before it.
    pub(super) before: Option<&'a Call>,
    /// The call after it.
    pub(super) after: Option<&'a Call>,
    /// What the attempt that it speaks of tries.
    pub(super) rung: Option<Rung>,
}

impl Scene<'_> {
    fn is_over(&self) -> bool {
        self.after.is_some_and(Call::is_released)
    }
}

/// What happened, as a sentence without a full stop. None for events that only keep the log in order.
pub(super) fn sentence(event: &Event, scene: Scene<'_>) -> Option<String> {
    Some(match event {
        Event::Offered(offer) => match offer.admission {
            Admission::Accepted => "The call came in and was accepted".to_owned(),
            Admission::Refused(cause) => {
                // A refused call is busy by precall's own calls alone.
                let blame = (cause == Cause::Busy).then_some(Blame::Precall);
                format!("The call came in and was refused: {}", super::causes::cause(cause, blame))
            }
            Admission::EndedBefore => "The call came in, but 3CX had already reported its end".to_owned(),
        },
        Event::LegRinging => "The caller's leg rings at precall's DN".to_owned(),
        Event::AnswerRefused => "3CX did not let precall answer the ringing leg".to_owned(),
        Event::LegRoutedAway => {
            "precall was starting and sent the caller to FALLBACK_DESTINATION, because the call could not be resumed \
             in time"
                .to_owned()
        }
        Event::LegConnected => "The caller is connected to precall".to_owned(),
        Event::LegGone => "The caller's leg is gone from 3CX".to_owned(),
        Event::SoundStarted => "The caller hears the first sound".to_owned(),
        Event::NoticeEnded { version } => format!("The recording notice was played to its end (version {version})"),
        Event::AudioLost => "No more audio can be sent to the caller, although 3CX still shows the leg".to_owned(),
        Event::AudioEnded(heard) => audio(heard),
        Event::PbxStateChanged { state } => format!("3CX reported the state \"{state}\""),
        Event::PbxCallEnded { duration } => match duration {
            Some(took) => format!("3CX reported the end of the call, after {}", seconds(*took)),
            None => "3CX reported the end of the call".to_owned(),
        },
        Event::DtmfReceived { key } => format!("The caller pressed {key}"),
        Event::GreetingDialled => "precall asks ElevenLabs to call the caller with the greeting".to_owned(),
        Event::GreetingStarted { conversation: Some(id) } => {
            format!("ElevenLabs accepted the greeting call ({id})")
        }
        Event::GreetingStarted { conversation: None } => "The greeting begins".to_owned(),
        Event::GreetingRuns => "ElevenLabs says that the greeting call still runs".to_owned(),
        Event::GreetingEnded { end } => greeting_end(*end).to_owned(),
        Event::VoiceReady { source: VoiceSource::Cache, .. } => {
            "The caller's cloned voice is there: it was in the cache".to_owned()
        }
        Event::VoiceReady { source: VoiceSource::Clone, took, .. } => {
            format!("The caller's voice was cloned in {}", seconds(*took))
        }
        Event::VoiceMissing { why, .. } => format!("There is no cloned voice: {}", no_voice(*why)),
        Event::VoiceWithdrawn { why } => {
            format!("The cloned voice must not be used any more: {}", no_voice(*why))
        }
        Event::ProofAsked { way } => match way {
            ProofWay::LegOrPin => "The caller is asked for a PIN before the cloned voice is used".to_owned(),
            ProofWay::Leg => "The cloned voice is used only if the leg proves who the caller is".to_owned(),
        },
        Event::ProofGiven { by } => format!("The caller proved who they are, {}", proved(*by)),
        Event::PinRefused { number } => format!("The PIN was wrong, for the {} time in this call", ordinal(*number)),
        Event::HandoffStarted { attempt, rung } => format!("Attempt {attempt} to connect the caller: {}", tried(*rung)),
        Event::HandoffSucceeded { attempt, conversation: Some(id) } => {
            format!("Attempt {attempt} reached the agent (conversation {id})")
        }
        Event::HandoffSucceeded { attempt, conversation: None } => match scene.rung {
            Some(Rung::Destination | Rung::Person) => {
                format!("Attempt {attempt} succeeded: the person or queue has the call")
            }
            Some(Rung::Apology) => "The apology was played to its end".to_owned(),
            Some(Rung::Transfer) => format!("Attempt {attempt} succeeded: 3CX passed the call to the agent's trunk"),
            Some(
                Rung::BridgeCloned | Rung::BridgeFallback | Rung::CallbackCloned | Rung::CallbackFallback,
            ) => format!("Attempt {attempt} reached the agent"),
            None => format!("Attempt {attempt} succeeded"),
        },
        Event::HandoffFailed { attempt, why } => format!("Attempt {attempt} failed: {}", handoff_failure(*why)),
        Event::AgentSpoke { .. } => "The caller hears the agent for the first time".to_owned(),
        Event::AgentEnded { attempt } => {
            let was_heard = scene.before.is_none_or(|call| call.agent_heard.is_some_and(|heard| heard >= *attempt));
            if was_heard {
                "The agent ended the conversation, and the caller heard all of it".to_owned()
            } else {
                "The agent hung up before the caller heard a word of it".to_owned()
            }
        }
        Event::AgentLost { why, .. } => agent_loss(*why).to_owned(),
        Event::PersonAsked { person, .. } => match person {
            Person::Fallback => "The caller asked the agent for a person".to_owned(),
            Person::Named(name) => format!("The caller asked the agent for \"{name}\""),
        },
        Event::Utterance { by: Speaker::Agent, corrects: Some(_), .. } => {
            "The caller interrupted the agent".to_owned()
        }
        Event::Utterance { .. } => return None,
        Event::Reported(report) => reported(report),
        Event::OperatorAsked { request, by } => {
            let who = operator(by.as_ref());
            match request {
                Request::HangUp => format!("{who} ended the call"),
                Request::HandOff => format!("{who} asked for the handoff"),
                Request::RetryClone => format!("{who} asked for the cloned voice once more"),
                Request::FallbackVoice => format!("{who} asked for the fallback voice"),
            }
        }
        Event::TransferAsked { person, by } => {
            let who = operator(by.as_ref());
            match person {
                Person::Fallback => format!("{who} sent the caller to a person"),
                Person::Named(name) => format!("{who} sent the caller to \"{name}\""),
            }
        }
        Event::AgentTold { what, by, .. } => {
            let who = operator(Some(by));
            match what {
                Telling::Context => format!("{who} told the agent something"),
                Telling::Say => format!("{who} had the agent say something"),
            }
        }
        Event::DeadlinePassed { .. } => overdue(scene).to_owned(),
        Event::Panicked { part, .. } => {
            let then = if scene.is_over() { "ended" } else { "went on" };
            format!("A fault in precall stopped {}; the call {then}", panicked(*part))
        }
        Event::Resumed { leg, .. } => match leg {
            LegSeen::None => "precall was restarted and resumed the call".to_owned(),
            LegSeen::Present => "precall was restarted and resumed the call; the caller was still there".to_owned(),
            LegSeen::Gone => "precall was restarted, and the caller was gone".to_owned(),
        },
    })
}

/// What precall waited for, and no longer does.
fn overdue(scene: Scene<'_>) -> &'static str {
    const UNKNOWN: &str = "precall had waited long enough and went on";
    let Some(before) = scene.before else { return UNKNOWN };
    let due = &before.deadlines;
    let passed = |at: Option<At>| at.is_some_and(|at| at <= scene.at);
    // In the order in which the machine of calls looks at them.
    if passed(due.leg) {
        return if before.instants.leg_connected.is_some() {
            "The caller's leg did not come back"
        } else {
            "The caller's leg did not come in time"
        };
    }
    if passed(due.conversation) {
        return "The conversation reached its longest duration";
    }
    if passed(due.handoff) {
        return "The attempt took too long";
    }
    if passed(due.proof) {
        return "The caller did not enter a PIN in time";
    }
    if passed(due.voice) || passed(due.hold) {
        return "The cloned voice was not there in time";
    }
    if passed(due.greeting) {
        return "The greeting took too long";
    }
    UNKNOWN
}

fn operator(by: Option<&Operator>) -> String {
    by.map_or_else(|| "An operator".to_owned(), |by| format!("Operator \"{}\"", by.as_str()))
}

/// A duration for people.
fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

fn ordinal(number: u8) -> String {
    match number {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        other => format!("{other}th"),
    }
}

fn audio(heard: &AudioHeard) -> String {
    let mut said = format!("The audio to the caller ended: {} in all", seconds(heard.written));
    if heard.gaps > 0 {
        said.push_str(&format!(", {} gaps, the longest {} ms", heard.gaps, heard.longest_gap.as_millis()));
    }
    if heard.cuts > 0 {
        said.push_str(&format!(", the stream was opened again {} times", heard.cuts));
    }
    said
}

fn greeting_end(end: GreetingEnd) -> &'static str {
    match end {
        GreetingEnd::Played => "The greeting was heard to its end",
        GreetingEnd::Skipped => "The caller skipped the rest of the greeting",
        GreetingEnd::Refused => "The greeting was refused: nobody heard it",
        GreetingEnd::Busy => "The caller's number was busy: the greeting was not heard",
        GreetingEnd::NoAnswer => "Nobody answered the greeting call",
        GreetingEnd::Failed => "The greeting failed",
        GreetingEnd::Unknown => "The answer about the greeting was lost: a telephone may have rung",
    }
}

fn no_voice(why: NoVoice) -> &'static str {
    super::causes::no_voice(why)
}

fn proved(by: ProvedBy) -> &'static str {
    match by {
        ProvedBy::Leg => "by the leg: an extension, or a trusted trunk",
        ProvedBy::Pin => "with the PIN",
    }
}

fn tried(rung: Rung) -> &'static str {
    match rung {
        Rung::BridgeCloned => "the agent in the cloned voice, on this line",
        Rung::BridgeFallback => "the agent in the fallback voice, on this line",
        Rung::Transfer => "a transfer to the agent's trunk",
        Rung::CallbackCloned => "the agent calls the caller, in the cloned voice",
        Rung::CallbackFallback => "the agent calls the caller, in the fallback voice",
        Rung::Destination => "a transfer to FALLBACK_DESTINATION",
        Rung::Apology => "an apology, then the end of the call",
        Rung::Person => "a transfer to the person",
    }
}

fn handoff_failure(why: HandoffFailure) -> &'static str {
    match why {
        HandoffFailure::Refused => "it was refused",
        HandoffFailure::Unknown => "the answer was lost, and nothing was found afterwards",
        HandoffFailure::Busy => "the destination was busy",
        HandoffFailure::NoAnswer => "the destination did not answer",
        HandoffFailure::CallOver => "3CX said that the call was over",
        HandoffFailure::OverrideRefused => {
            "the agent does not allow a setting that precall sent; the next attempt leaves it out"
        }
        HandoffFailure::VoiceRefused => "the agent does not allow its voice to be set",
    }
}

fn agent_loss(why: AgentLoss) -> &'static str {
    match why {
        AgentLoss::Lost => "The connection to the agent was lost; the caller hears music",
        AgentLoss::Refused => "ElevenLabs refused to go on with the conversation; the caller hears music",
        AgentLoss::Stalled => "The agent did not say anything for too long; the caller hears music",
        AgentLoss::OverrideRefused => {
            "The agent does not allow a setting that precall sent; the caller hears music"
        }
    }
}

fn reported(report: &Report) -> String {
    let what = match report.purpose {
        Some(Purpose::Greeting) => "the greeting call",
        Some(Purpose::Agent) | None => "the agent's conversation",
    };
    if report.answered == Answered::Voicemail {
        return format!("ElevenLabs reported that a voicemail box took {what}");
    }
    let took = report.duration.map(|took| format!(" after {}", seconds(took))).unwrap_or_default();
    match report.grade {
        Grade::Completed => format!("ElevenLabs reported {what} as over{took}"),
        Grade::Failed => {
            let why = report.failure.map(|why| format!(": {}", handoff_failure(why))).unwrap_or_default();
            format!("ElevenLabs reported that {what} did not take place{why}")
        }
        Grade::Initiated => format!("ElevenLabs reported {what} as begun"),
    }
}

fn panicked(part: CallPart) -> &'static str {
    match part {
        CallPart::Call => "the call's own actor",
        CallPart::Greeting => "the greeting",
        CallPart::CloneWorker => "the cloning",
        CallPart::Handoff => "the handoff",
    }
}
