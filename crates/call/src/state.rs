//! The state of a call: the fold of its events.

use core::time::Duration;
use std::sync::Arc;

use crate::cause::{NoVoice, Release, named};
use crate::effect::Effect;
use crate::event::{AgentLoss, Answered, AudioHeard, Grade, Purpose};
use crate::ids::{ConversationId, VoiceId};
use crate::phase::{EarlyAgent, ParkedAgent, Phase};
use crate::policy::{Person, Policy, ProofWay, Rung};
use crate::time::At;

/// The decision about the agent's voice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Voice {
    /// Not decided yet.
    Awaited,
    /// The caller's cloned voice.
    Cloned(VoiceId),
    /// The fallback voice, and why.
    Fallback(NoVoice),
}

/// Where the proof of the caller's identity stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProofState {
    /// No proof was asked for, and none was given.
    Unasked,
    /// The call waits for a proof of this kind.
    Awaited(ProofWay),
    /// Given. The voice book has not been told yet.
    Given,
    /// Given, and the voice book was asked for the voice with it.
    Shown,
    /// Asked for and not given: this call gets no cloned voice.
    Denied,
}

named! {
    /// The outcome of an outbound dial. Only after `Refused` may precall dial again.
    Dial {
        /// The intent is recorded. The dial may or may not have been sent.
        Intended = "intended",
        /// The provider accepted it.
        Started = "started",
        /// Certainly not executed.
        Refused = "refused",
        /// The answer was lost.
        Unknown = "unknown",
    }
}

/// One conversation at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conversation {
    /// What the conversation is for.
    pub purpose: Purpose,
    /// Counts from 1 within the purpose.
    pub ordinal: u8,
    /// The provider's id, once known.
    pub id: Option<ConversationId>,
    /// The outcome of its dial.
    pub dial: Dial,
    /// What the provider reported. It only rises.
    pub grade: Grade,
    /// How long it lasted, as reported.
    pub duration: Option<Duration>,
    /// Whether its transcript is known.
    pub has_words: bool,
    /// Whether its analysis is known.
    pub has_analysis: bool,
    /// Who answered, as the provider reported.
    pub answered: Answered,
}

named! {
    /// The caller's leg at the PBX.
    Leg {
        /// Not seen yet, or the route has no leg.
        Absent = "absent",
        /// Rings, and precall answers it.
        Ringing = "ringing",
        /// Connected.
        Connected = "connected",
        /// Gone.
        Gone = "gone",
    }
}

/// The call's seat among the paid conversations that the account may have at once (`AGENT_CONCURRENCY`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seat {
    /// The call has no seat.
    None,
    /// The call has a seat, or the order that opens its conversation is taking one.
    Held,
}

/// Until when what the call waits for must have happened. The earliest of them is the call's deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Deadlines {
    /// The leg must have appeared, or have come back.
    pub leg: Option<At>,
    /// The voice must be decided.
    pub voice: Option<At>,
    /// The greeting must be over.
    pub greeting: Option<At>,
    /// A PIN must have been entered.
    pub proof: Option<At>,
    /// The wait on hold must be over (`VOICE_WAIT=start`).
    pub hold: Option<At>,
    /// The attempt must have an outcome; before that, its intent must have been recorded.
    pub handoff: Option<At>,
    /// The conversation must be over.
    pub conversation: Option<At>,
}

impl Deadlines {
    /// The earliest of them.
    #[must_use]
    pub fn earliest(&self) -> Option<At> {
        [self.leg, self.voice, self.greeting, self.proof, self.hold, self.handoff, self.conversation]
            .into_iter()
            .flatten()
            .min()
    }
}

/// The deadline of a call: the one timer that its actor arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Deadline {
    /// When it passes.
    pub due: At,
    /// Changes whenever the deadline moves. A timer of another generation is stale.
    pub generation: u32,
}

/// The times of a call's milestones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instants {
    /// The call came in.
    pub offered: At,
    /// precall heard that the leg is connected.
    pub leg_connected: Option<At>,
    /// The provider accepted the greeting call, or the first frame was written.
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
    /// An attempt first reached its destination.
    pub handed_off: Option<At>,
    /// The caller first heard an agent on the bridge.
    pub agent_heard: Option<At>,
    /// The leg was last seen to go.
    pub leg_gone: Option<At>,
    /// The call ended.
    pub released: Option<At>,
}

/// Leave to try a rung again that failed without its own fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// After a loss. A call has few of them, because what is lost again and again is not worth waiting for.
    Counted(Rung),
    /// After a restart of precall, once for each restart; and once after an agent that ended unheard.
    Free(Rung),
}

impl Retry {
    /// The rung.
    #[must_use]
    pub fn rung(self) -> Rung {
        match self {
            Self::Counted(rung) | Self::Free(rung) => rung,
        }
    }
}

/// A call. Its phase holds the data that only this phase has; the other fields live longer than one phase.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// Number of events that changed the call; the `seq` of the last one.
    pub version: u64,
    /// Time of the last event that changed the call.
    pub at: At,
    /// The settings of this call.
    pub policy: Arc<Policy>,
    /// The phase.
    pub phase: Phase,
    /// The decision about the agent's voice.
    pub voice: Voice,
    /// Whether a clone worker waits for the voice. It may still wait when an early agent is connected.
    pub awaits_voice: bool,
    /// Where the proof of the caller's identity stands. Proof may be given before it is asked for.
    pub proof: ProofState,
    /// Number of wrong PINs. It stays after the last one, since facts compare it.
    pub wrong_pins: u8,
    /// The caller's leg.
    pub leg: Leg,
    /// No audio can be written into the leg, although it may still exist.
    pub audio_lost: bool,
    /// Audio measurements of the legs that are closed.
    pub audio: Option<AudioHeard>,
    /// Conversations at the provider, in order.
    pub conversations: Vec<Conversation>,
    /// The paid seat. The call keeps it from one attempt to the next.
    pub seat: Seat,
    /// Rungs that were tried, in order.
    pub tried: Vec<Rung>,
    /// A rung that may be tried again, since it failed without its own fault. Set in any phase with an attempt, used by
    /// a later one.
    pub retry: Option<Retry>,
    /// Number of such attempts that count.
    pub retries: u8,
    /// How the last agent was lost. It explains an end that comes attempts later.
    pub agent_loss: Option<AgentLoss>,
    /// Whether an agent was connected with the caller on the live leg. It counts after the end as well.
    pub agent_talked: bool,
    /// The latest attempt whose agent the caller heard on the bridge. A later session continues, so it must not greet
    /// again.
    pub agent_heard: Option<u8>,
    /// How many agents in a row ended the conversation before the caller heard them; from two on it stays 2.
    pub unheard_ends: u8,
    /// Number of utterances on the bridge.
    pub utterances: u32,
    /// All due times. They stand in one place, since the earliest of all of them is the call's deadline.
    pub deadlines: Deadlines,
    /// Generation of the deadline.
    pub generation: u32,
    /// The times of the milestones.
    pub instants: Instants,
    /// Whether the webhook `CallEnded` arrived.
    pub pbx_ended: bool,
    /// How long the PBX's call lasted, by that webhook.
    pub pbx_duration: Option<Duration>,
    /// The state of the last webhook `CallStateChanged`.
    pub pbx_state: Option<Arc<str>>,
    /// Whether an operator asked for the handoff. It may come before the greeting is over.
    pub handoff_asked: bool,
    /// The person whom caller or agent asked for. It may have to wait for a later phase.
    pub person_asked: Option<Person>,
    /// How often the agent asked for a person.
    pub persons_asked: u8,
    /// How often operators told the agent something.
    pub told: u16,
    /// Number of panics of this call's parts.
    pub panics: u32,
    /// Time of the last panic.
    pub last_panic: Option<At>,
    /// The last restart of the engine after which the call was resumed.
    pub resumed: u64,
}

impl Call {
    /// Whether the call is over.
    #[must_use]
    pub fn is_released(&self) -> bool {
        self.release().is_some()
    }

    /// How the call ended; none while it is live.
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

    /// Whether the greeting is being dialled or played.
    #[must_use]
    pub fn is_greeting(&self) -> bool {
        matches!(self.phase, Phase::Greeting(_))
    }

    /// The agent that is being made ready during the greeting.
    #[must_use]
    pub fn early(&self) -> Option<EarlyAgent> {
        match self.phase {
            Phase::Greeting(greeting) => greeting.early,
            Phase::Offered
            | Phase::Holding
            | Phase::HandingOff(_)
            | Phase::Conversing(_)
            | Phase::Released(_) => None,
        }
    }

    /// The agent that is parked while a person is being called.
    #[must_use]
    pub fn parked(&self) -> Option<ParkedAgent> {
        match self.phase {
            Phase::HandingOff(handoff) => handoff.parked,
            Phase::Offered
            | Phase::Greeting(_)
            | Phase::Holding
            | Phase::Conversing(_)
            | Phase::Released(_) => None,
        }
    }

    /// Whether an agent may be started: the caller heard the notice, or the line has none.
    #[must_use]
    pub fn notice_given(&self) -> bool {
        self.policy.notice.is_none() || self.instants.notice_ended.is_some()
    }

    /// Whether keys that are pressed now may belong to a PIN. Such keys must not be recorded.
    #[must_use]
    pub fn awaits_pin(&self) -> bool {
        self.proof == ProofState::Awaited(ProofWay::LegOrPin)
    }

    /// Whether precall watches at the provider for the end of the greeting call: on route `callback`, during the
    /// greeting.
    #[must_use]
    pub fn watches_greeting(&self) -> bool {
        self.is_greeting() && !self.policy.on_live_leg()
    }

    /// Whether the call has a paid seat. After a restart the engine asks this to restore the seat.
    #[must_use]
    pub fn holds_seat(&self) -> bool {
        self.seat == Seat::Held
    }

    /// Whether the call has an open paid conversation, or is opening one.
    pub(crate) fn may_have_conversation(&self) -> bool {
        match self.phase {
            Phase::Offered | Phase::Holding | Phase::Released(_) => false,
            // On route `callback` the greeting is a conversation of its own.
            Phase::Greeting(greeting) => !self.policy.on_live_leg() || greeting.early.is_some(),
            Phase::HandingOff(handoff) => handoff.attempt.rung.leads_to_agent() || handoff.parked.is_some(),
            Phase::Conversing(with) => with.attempt.rung.leads_to_agent(),
        }
    }

    /// The deadline; none once the call is over.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadlines.earliest().map(|due| Deadline { due, generation: self.generation })
    }

    /// Whether an order that waited for its durable intent is still wanted. The call may have moved on meanwhile.
    #[must_use]
    pub fn still_wants(&self, effect: &Effect) -> bool {
        match effect {
            Effect::DialGreeting => self.is_greeting(),
            Effect::StartHandoff { attempt, .. } | Effect::PlayApology { attempt } => {
                self.is_attempting(*attempt)
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
            | Effect::TellAgent { .. }
            | Effect::CancelHandoff { .. }
            | Effect::StopWatchingGreeting
            | Effect::ReleaseSeat
            | Effect::LookUp(_) => true,
        }
    }

    /// Whether the attempt with this number is running and has no outcome yet.
    #[must_use]
    pub fn is_attempting(&self, number: u8) -> bool {
        let running = match self.phase {
            Phase::HandingOff(running) => Some(running.attempt),
            Phase::Greeting(greeting) => greeting.early.map(|early| early.attempt),
            Phase::Offered | Phase::Holding | Phase::Conversing(_) | Phase::Released(_) => None,
        };
        running.is_some_and(|running| running.number == number)
    }

    /// Number of the latest attempt; 0 before the first.
    #[must_use]
    pub fn latest_attempt(&self) -> u8 {
        u8::try_from(self.tried.len()).unwrap_or(u8::MAX)
    }

    /// A lower bound for the start of the latest conversation of this purpose, for a look-up at the provider.
    #[must_use]
    pub fn cannot_have_begun_before(&self, purpose: Purpose) -> At {
        match purpose {
            Purpose::Greeting => self.instants.offered,
            Purpose::Agent => self.instants.handoff_started.unwrap_or(self.instants.offered),
        }
    }

    /// Whether this dial may have been made before a restart, so that precall asks the provider before it dials.
    /// False if an earlier conversation of the call has no id: the provider's answer could be that conversation.
    #[must_use]
    pub fn may_have_dialled_before(&self) -> bool {
        let mut earlier = self.conversations.iter().rev().skip(1);
        self.resumed > 0 && earlier.all(|c| c.id.is_some() || c.dial == Dial::Refused)
    }

    /// Whether the next agent session goes on with a conversation that the caller is in already.
    #[must_use]
    pub fn continues_conversation(&self) -> bool {
        self.agent_heard.is_some() || self.utterances > 0
    }

    /// Whether an agent conversation is known to have taken place. One with a voicemail box does not count, nor one on
    /// the bridge in which the caller heard no agent: the provider reports it all the same.
    #[must_use]
    pub fn had_agent(&self) -> bool {
        let mut agents = self.tried.iter().filter(|rung| rung.leads_to_agent());
        if self.policy.notes_first_word && agents.all(|rung| rung.bridges()) {
            return self.continues_conversation();
        }
        let took_place = |c: &Conversation| {
            c.purpose == Purpose::Agent && c.grade == Grade::Completed && c.answered != Answered::Voicemail
        };
        self.conversations.iter().any(took_place) || self.agent_talked
    }

    /// The latest conversation of a purpose.
    #[must_use]
    pub fn conversation(&self, purpose: Purpose) -> Option<&Conversation> {
        self.conversations.iter().rev().find(|c| c.purpose == purpose)
    }
}
