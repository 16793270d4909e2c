//! Where a call is: the fold of everything that happened to it.

use core::time::Duration;
use std::sync::Arc;

use crate::cause::{NoVoice, Release, named};
use crate::effect::Effect;
use crate::event::{AgentLoss, AudioHeard, Grade, Purpose};
use crate::ids::{ConversationId, VoiceId};
use crate::policy::{Person, Policy, ProofWay, Rung};
use crate::time::At;

/// Where a call stands. The voice travels beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Came in; nothing has reached the caller.
    Offered,
    /// The greeting is on its way or being heard.
    Greeting(Greeting),
    /// The greeting is over, the voice or an operator is awaited.
    Holding,
    /// One attempt to bring somebody in is running.
    HandingOff(HandingOff),
    /// The caller is with an agent.
    Conversing(Conversing),
    /// Over. Nothing leads out of here.
    Released(Release),
}

impl Phase {
    /// The state's name in SQL, JSON, logs and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Greeting(_) => "greeting",
            Self::Holding => "holding",
            Self::HandingOff(_) => "handing_off",
            Self::Conversing(_) => "conversing",
            Self::Released(_) => "released",
        }
    }
}

/// What there is only while the greeting is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Greeting {
    /// The agent that is being made ready meanwhile; on a live leg only.
    pub early: Option<Early>,
    /// The provider was asked what became of the greeting call: it is asked once.
    pub looked_up: bool,
}

/// What there is only while an attempt at a handoff is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HandingOff {
    /// The attempt.
    pub attempt: Attempt,
    /// The agent that waits on the bridge, while the attempt calls a person.
    pub kept: Option<Kept>,
    /// The provider was asked what became of the agent's call: it is asked once.
    pub looked_up: bool,
}

/// What there is only during a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conversing {
    /// The attempt that brought the agent in.
    pub attempt: Attempt,
    /// The provider was asked what became of the agent's call, during the handoff or since: it is asked once.
    pub looked_up: bool,
}

/// One attempt at a handoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u8,
    /// What is tried.
    pub rung: Rung,
}

/// An agent that is being made ready while the greeting is heard, so that nobody waits for it afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Early {
    /// The attempt that makes it ready.
    pub attempt: Attempt,
    /// Whether it is.
    pub ready: bool,
}

/// The agent that waits on the bridge while somebody else is being called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kept {
    /// The attempt that brought it in.
    pub attempt: Attempt,
    /// When its conversation must be over.
    pub until: At,
}

/// What is known of the voice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Voice {
    /// Not decided.
    Awaited,
    /// The caller's voice.
    Cloned(VoiceId),
    /// Another one, and why.
    Fallback(NoVoice),
}

/// Whether the caller proved who they are, as far as anybody asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Proving {
    /// Nobody asked, and nothing proves it.
    Unasked,
    /// Asked for, and waited for.
    Awaited(ProofWay),
    /// Given; whoever keeps the voice has not heard so.
    Given,
    /// Given, and the voice was asked for with it.
    Shown,
    /// Asked for and not given: this call hears no cloned voice.
    Denied,
}

named! {
    /// What became of an outbound dial. Only `Refused` may be dialled again.
    Dial {
        /// Recorded as an intent; may or may not have been sent.
        Intended = "intended",
        /// The provider accepted it.
        Started = "started",
        /// Surely not executed.
        Refused = "refused",
        /// The answer was lost.
        Unknown = "unknown",
    }
}

/// One conversation at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conversation {
    /// What it is for.
    pub purpose: Purpose,
    /// Counts from 1 within the purpose.
    pub ordinal: u8,
    /// The provider's id, once known.
    pub id: Option<ConversationId>,
    /// What became of the dial.
    pub dial: Dial,
    /// What the provider reported; only rises.
    pub grade: Grade,
    /// How long it lasted, as reported.
    pub duration: Option<Duration>,
    /// Whether its words are known.
    pub has_words: bool,
}

named! {
    /// The caller's leg at the PBX.
    Leg {
        /// Not seen, or the route has none.
        Absent = "absent",
        /// Rings, and is to be answered.
        Ringing = "ringing",
        /// Connected.
        Connected = "connected",
        /// Gone.
        Gone = "gone",
    }
}

/// The call's seat among the conversations that the account may have at once (`AGENT_CONCURRENCY`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seat {
    /// The call has none.
    None,
    /// The call has one, or the order that opens its conversation is taking one.
    Held,
}

/// When things are due. The earliest is the call's one deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dues {
    /// The leg must have appeared, or have come back.
    pub leg: Option<At>,
    /// The voice must be decided.
    pub voice: Option<At>,
    /// The greeting must be over.
    pub greeting: Option<At>,
    /// A PIN must have been entered.
    pub proof: Option<At>,
    /// Hold music must be over (`VOICE_WAIT=start`).
    pub hold: Option<At>,
    /// The attempt at a handoff must have an outcome.
    pub handoff: Option<At>,
    /// The conversation must be over.
    pub conversation: Option<At>,
}

impl Dues {
    /// The earliest.
    #[must_use]
    pub fn earliest(&self) -> Option<At> {
        [self.leg, self.voice, self.greeting, self.proof, self.hold, self.handoff, self.conversation]
            .into_iter()
            .flatten()
            .min()
    }
}

/// The armed deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Deadline {
    /// When.
    pub due: At,
    /// Which arming it is: a timer of another generation is stale.
    pub generation: u32,
}

/// The named moments of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instants {
    /// It came in.
    pub offered: At,
    /// The leg was connected, as the PBX's news was received.
    pub leg_connected: Option<At>,
    /// The greeting was accepted by the provider, or its first frame written.
    pub greeting_started: Option<At>,
    /// The first frame that is not silence was written into the leg.
    pub sound_started: Option<At>,
    /// The notice was heard to its end.
    pub notice_ended: Option<At>,
    /// The greeting was over.
    pub greeting_ended: Option<At>,
    /// The voice was decided.
    pub voice_decided: Option<At>,
    /// The first attempt at a handoff began.
    pub handoff_started: Option<At>,
    /// Somebody was brought in.
    pub handed_off: Option<At>,
    /// The leg went away, the last time it did.
    pub leg_gone: Option<At>,
    /// It ended.
    pub released: Option<At>,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// Counts the events that changed it; the `seq` of the last of them.
    pub version: u64,
    /// The time of the last of them.
    pub at: At,
    /// Its rules.
    pub policy: Arc<Policy>,
    /// Where it stands.
    pub phase: Phase,
    /// What is known of the voice.
    pub voice: Voice,
    /// Whether a clone worker is waiting for the voice.
    pub waiting: bool,
    /// Whether the caller proved who they are.
    pub proof: Proving,
    /// PINs that proved nothing.
    pub wrong_pins: u8,
    /// The caller's leg.
    pub leg: Leg,
    /// No audio can be written into the leg, though it may still be there.
    pub audio_lost: bool,
    /// How the leg's audio had gone, once it was closed.
    pub audio: Option<AudioHeard>,
    /// Conversations at the provider, in the order they were begun.
    pub conversations: Vec<Conversation>,
    /// The paid seat. The call keeps it from one attempt to the next, so it crosses phases.
    pub seat: Seat,
    /// Rungs that were tried, in order.
    pub tried: Vec<Rung>,
    /// A rung that may be tried once more, since what broke was not its own doing.
    pub again: Option<Rung>,
    /// How often one was.
    pub reopened: u8,
    /// How the last agent was lost.
    pub agent_loss: Option<AgentLoss>,
    /// An agent spoke with the caller on the live leg, or was handed them.
    pub talked: bool,
    /// Lines that were spoken on the bridge.
    pub utterances: u32,
    /// When things are due.
    pub dues: Dues,
    /// Counts the armings of the deadline.
    pub generation: u32,
    /// The named moments.
    pub instants: Instants,
    /// The PBX said that its call is over.
    pub pbx_ended: bool,
    /// How long it lasted, as the PBX said.
    pub pbx_duration: Option<Duration>,
    /// The last `CallStateChanged`, as it was said.
    pub pbx_state: Option<Arc<str>>,
    /// An operator asked for the handoff.
    pub handoff_asked: bool,
    /// Somebody asked for a person, who is to be reached next.
    pub person_asked: Option<Person>,
    /// How often the agent asked for one.
    pub persons_asked: u8,
    /// Panics of this call's parts.
    pub panics: u32,
    /// The last of them.
    pub last_panic: Option<At>,
    /// The last restart of the engine that took this call up again.
    pub resumed: u64,
}

impl Call {
    /// Whether it is over.
    #[must_use]
    pub fn is_released(&self) -> bool {
        self.release().is_some()
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn release(&self) -> Option<Release> {
        match self.phase {
            Phase::Released(release) => Some(release),
            Phase::Offered
            | Phase::Greeting(_)
            | Phase::Holding
            | Phase::HandingOff(_)
            | Phase::Conversing(_) => None,
        }
    }

    /// Whether the greeting is on its way or being heard.
    #[must_use]
    pub fn is_greeting(&self) -> bool {
        matches!(self.phase, Phase::Greeting(_))
    }

    /// The agent that is being made ready while the greeting is heard.
    #[must_use]
    pub fn early(&self) -> Option<Early> {
        match self.phase {
            Phase::Greeting(greeting) => greeting.early,
            Phase::Offered
            | Phase::Holding
            | Phase::HandingOff(_)
            | Phase::Conversing(_)
            | Phase::Released(_) => None,
        }
    }

    /// The agent that waits on the bridge while a person is being called.
    #[must_use]
    pub fn kept(&self) -> Option<Kept> {
        match self.phase {
            Phase::HandingOff(handoff) => handoff.kept,
            Phase::Offered
            | Phase::Greeting(_)
            | Phase::Holding
            | Phase::Conversing(_)
            | Phase::Released(_) => None,
        }
    }

    /// Whether nothing stands between this caller and an agent's ears: the notice was heard, or there is none to give.
    #[must_use]
    pub fn notice_given(&self) -> bool {
        self.policy.notice.is_none() || self.instants.notice_ended.is_some()
    }

    /// Whether keys that are pressed now may be a PIN's, and so nobody's to see.
    #[must_use]
    pub fn awaits_pin(&self) -> bool {
        self.proof == Proving::Awaited(ProofWay::LegOrPin)
    }

    /// Whether the end of the greeting call is watched for at the provider: on route `callback`, while the greeting is under way.
    #[must_use]
    pub fn watches_greeting(&self) -> bool {
        self.is_greeting() && !self.policy.on_live_leg()
    }

    /// Whether the call has a paid seat. After a restart the engine gives the call its seat back by this answer.
    #[must_use]
    pub fn holds_seat(&self) -> bool {
        self.seat == Seat::Held
    }

    /// Whether a paid conversation is open for this call, or is being opened.
    pub(crate) fn may_have_conversation(&self) -> bool {
        match self.phase {
            Phase::Offered | Phase::Holding | Phase::Released(_) => false,
            // On route `callback` the greeting is a conversation of its own.
            Phase::Greeting(greeting) => !self.policy.on_live_leg() || greeting.early.is_some(),
            Phase::HandingOff(handoff) => handoff.attempt.rung.leads_to_agent() || handoff.kept.is_some(),
            Phase::Conversing(with) => with.attempt.rung.leads_to_agent(),
        }
    }

    /// The one armed deadline; none once it is over.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        self.dues.earliest().map(|due| Deadline { due, generation: self.generation })
    }

    /// Whether an order that had to wait is still to be carried out: the call may have moved on meanwhile.
    #[must_use]
    pub fn still_wants(&self, effect: &Effect) -> bool {
        match effect {
            Effect::DialGreeting => self.is_greeting(),
            Effect::StartHandoff { attempt, .. } | Effect::PlayApology { attempt } => {
                let running = match self.phase {
                    Phase::HandingOff(running) => Some(running.attempt),
                    Phase::Greeting(greeting) => greeting.early.map(|early| early.attempt),
                    Phase::Offered | Phase::Holding | Phase::Conversing(_) | Phase::Released(_) => None,
                };
                running.is_some_and(|running| running.number == *attempt)
            }
            Effect::Intend(_)
            | Effect::AnswerLeg
            | Effect::PlayGreeting
            | Effect::PlayHold
            | Effect::StopAudio
            | Effect::DropLeg
            | Effect::AskForVoice { .. }
            | Effect::StopWaiting
            | Effect::LetVoiceGo
            | Effect::ConnectAgent { .. }
            | Effect::ReturnToAgent { .. }
            | Effect::CancelHandoff { .. }
            | Effect::StopWatchingGreeting
            | Effect::ReleaseSeat
            | Effect::LookUp(_) => true,
        }
    }

    /// Number of the latest attempt at a handoff; 0 before the first.
    #[must_use]
    pub fn latest_attempt(&self) -> u8 {
        u8::try_from(self.tried.len()).unwrap_or(u8::MAX)
    }

    /// A conversation of this purpose that is looked up at the provider cannot have begun earlier.
    #[must_use]
    pub fn cannot_have_begun_before(&self, purpose: Purpose) -> At {
        match purpose {
            Purpose::Greeting => self.instants.offered,
            Purpose::Agent => self.instants.handoff_started.unwrap_or(self.instants.offered),
        }
    }

    /// Whether the dial that is due may have been made before a restart, so that the provider is asked first. Not while an earlier
    /// conversation of this call is without an id: the provider's answer could be that one.
    #[must_use]
    pub fn may_have_dialled_before(&self) -> bool {
        let mut earlier = self.conversations.iter().rev().skip(1);
        self.resumed > 0 && earlier.all(|c| c.id.is_some() || c.dial == Dial::Refused)
    }

    /// Whether an agent conversation took place, as far as is known.
    #[must_use]
    pub fn had_agent(&self) -> bool {
        let reported =
            self.conversations.iter().any(|c| c.purpose == Purpose::Agent && c.grade == Grade::Completed);
        reported || self.talked
    }

    /// The latest conversation of a purpose.
    #[must_use]
    pub fn conversation(&self, purpose: Purpose) -> Option<&Conversation> {
        self.conversations.iter().rev().find(|c| c.purpose == purpose)
    }
}
