//! Effects: what the engine must do. The outcome of each order comes back as an event, a failure as well.
//!
//! Effects are not logged. An actor that panics may perform the effect in hand a second time, so each must be
//! idempotent.

use crate::event::{Event, GreetingEnd, HandoffFailure, Purpose};
use crate::ids::VoiceId;
use crate::policy::{Person, Proof, Rung};

/// An order of the machine to the actor that runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Take and record this event next, before any other event. It is the durable intent of the order that follows
    /// from it.
    Intend(Event),
    /// Dial the greeting call. Takes a paid seat first.
    DialGreeting,
    /// Answer the ringing leg.
    AnswerLeg,
    /// Play notice and greeting into the connected leg, from the beginning.
    PlayGreeting,
    /// Play hold music on the same stream.
    PlayHold,
    /// Stop all audio at once.
    StopAudio,
    /// Drop the caller's leg.
    DropLeg,
    /// Ask the voice book for the caller's cloned voice.
    AskForVoice {
        /// Whether the caller has proved who they are.
        proof: Proof,
    },
    /// Stop waiting for the cloned voice. The clone job goes on.
    StopWaiting,
    /// This call does not use the cloned voice any more, so the voice may be deleted.
    LetVoiceGo,
    /// Make one attempt at a handoff. Takes a paid seat first when the rung leads to an agent.
    StartHandoff {
        /// Counts from 1.
        attempt: u8,
        /// What to try.
        rung: Rung,
        /// The voice to speak with; without one the agent uses its own.
        voice: Option<VoiceId>,
        /// The person to call, on rung `Person` only.
        person: Option<Person>,
    },
    /// Play the apology into the connected leg. This is an attempt of the ladder as well: the last one.
    PlayApology {
        /// Counts from 1.
        attempt: u8,
    },
    /// Connect the agent of this attempt with the caller: from now on they hear each other.
    ConnectAgent {
        /// Which attempt.
        attempt: u8,
    },
    /// Connect the parked agent with the caller again, and tell the agent why no person was reached.
    ReturnToAgent {
        /// The attempt that brought the agent in.
        attempt: u8,
        /// Why no person was reached.
        why: HandoffFailure,
    },
    /// Tell the connected agent what the operator wrote.
    TellAgent {
        /// The attempt that brought the agent in.
        attempt: u8,
        /// Counts what operators told the agent in this call from 1.
        number: u16,
    },
    /// Give up this attempt, and close the agent's session if it has one.
    CancelHandoff {
        /// Which attempt.
        attempt: u8,
    },
    /// Stop watching for the end of the greeting call. A dial request without an answer is not aborted.
    StopWatchingGreeting,
    /// Give back the paid seat: the call has no open conversation, and is not about to open one.
    ReleaseSeat,
    /// Ask the provider for the outcome of a conversation.
    LookUp(Purpose),
}

impl Effect {
    /// The event to record when this order was certainly not performed; none for orders without an outcome.
    #[must_use]
    pub fn event_if_not_performed(&self) -> Option<Event> {
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
            | Self::TellAgent { .. }
            | Self::CancelHandoff { .. }
            | Self::StopWatchingGreeting
            | Self::ReleaseSeat
            | Self::LookUp(_) => None,
        }
    }

    /// Whether the event that caused this order must be durable before the engine performs it. This holds for each
    /// attempt to reach the caller or an agent; other audio into a live leg does not wait. These orders are the ones
    /// with an event for "not performed": the call may stop wanting an order that waits, and the log must then say so.
    #[must_use]
    pub fn needs_durable_intent(&self) -> bool {
        self.event_if_not_performed().is_some()
    }
}
