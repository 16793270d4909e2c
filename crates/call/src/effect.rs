//! What is to be done. Effects are orders; every one of them comes back as an event, failure included.

use crate::event::{Event, GreetingEnd, HandoffFailure, Purpose};
use crate::ids::VoiceId;
use crate::policy::{Person, Proof, Rung};

/// An order of the machine to the actor that runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Record this event next, before anything else is heard: it is the durable intent of what follows it.
    Intend(Event),
    /// Dial the greeting call. Takes a paid seat first.
    DialGreeting,
    /// Answer the ringing leg.
    AnswerLeg,
    /// Play notice and greeting into the connected leg, from the beginning.
    PlayGreeting,
    /// Go on with hold music on the same stream.
    PlayHold,
    /// Stop all audio at once.
    StopAudio,
    /// Drop the caller's leg.
    DropLeg,
    /// Ask the voice book for the caller's voice.
    AskForVoice {
        /// Whether the caller has proved who they are.
        proof: Proof,
    },
    /// Stop waiting for it; the clone goes on by itself.
    StopWaiting,
    /// Nobody in this call speaks with the cloned voice any more: it may be deleted.
    LetVoiceGo,
    /// Make one attempt at a handoff. Takes a paid seat first when the rung leads to an agent.
    StartHandoff {
        /// Counts from 1.
        attempt: u8,
        /// What to try.
        rung: Rung,
        /// The voice to speak with; none leaves the agent's own.
        voice: Option<VoiceId>,
        /// Who is to be reached, on the rung of that name.
        person: Option<Person>,
    },
    /// Play the apology into the connected leg: the attempt of the ladder that calls nobody.
    PlayApology {
        /// Counts from 1.
        attempt: u8,
    },
    /// The agent that this attempt made ready hears the caller from now on, and is heard.
    ConnectAgent {
        /// Which attempt.
        attempt: u8,
    },
    /// The same, after a person was not reached: the agent is told why.
    ReturnToAgent {
        /// The attempt that had brought the agent in.
        attempt: u8,
        /// Why nobody else came.
        why: HandoffFailure,
    },
    /// Give this attempt up, and whatever it brought.
    CancelHandoff {
        /// Which attempt.
        attempt: u8,
    },
    /// The end of the greeting call does not matter any more. A dial that is still without an answer is not broken off.
    StopWatchingGreeting,
    /// Give the call's paid seat back: no conversation is open for the call any more, and none is about to be opened.
    ReleaseSeat,
    /// Find out at the provider what became of a conversation.
    LookUp(Purpose),
}

impl Effect {
    /// What is to be recorded when a dial was ordered and surely not made; none for orders that leave nothing behind.
    #[must_use]
    pub fn surely_not_done(&self) -> Option<Event> {
        match self {
            Self::DialGreeting => Some(Event::GreetingEnded { end: GreetingEnd::Refused }),
            Self::StartHandoff { attempt, .. } | Self::PlayApology { attempt } => {
                Some(Event::HandoffFailed { attempt: *attempt, why: HandoffFailure::Refused })
            }
            Self::Intend(_)
            | Self::AnswerLeg
            | Self::PlayGreeting
            | Self::PlayHold
            | Self::StopAudio
            | Self::DropLeg
            | Self::AskForVoice { .. }
            | Self::StopWaiting
            | Self::LetVoiceGo
            | Self::ConnectAgent { .. }
            | Self::ReturnToAgent { .. }
            | Self::CancelHandoff { .. }
            | Self::StopWatchingGreeting
            | Self::ReleaseSeat
            | Self::LookUp(_) => None,
        }
    }

    /// Whether the event that caused it must be durable first: all that reaches the world except audio into a live leg.
    #[must_use]
    pub fn needs_durable_intent(&self) -> bool {
        match self {
            Self::DialGreeting | Self::StartHandoff { .. } | Self::PlayApology { .. } => true,
            Self::Intend(_)
            | Self::AnswerLeg
            | Self::PlayGreeting
            | Self::PlayHold
            | Self::StopAudio
            | Self::DropLeg
            | Self::AskForVoice { .. }
            | Self::StopWaiting
            | Self::LetVoiceGo
            | Self::ConnectAgent { .. }
            | Self::ReturnToAgent { .. }
            | Self::CancelHandoff { .. }
            | Self::StopWatchingGreeting
            | Self::ReleaseSeat
            | Self::LookUp(_) => false,
        }
    }
}
