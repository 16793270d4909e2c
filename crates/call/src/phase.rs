//! The phases of a call, each with the data that only this phase has.

use crate::cause::Release;
use crate::policy::Rung;
use crate::time::At;

/// The phase of a call, with the data that only this phase has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The call came in, and nothing has reached the caller yet.
    Offered,
    /// The greeting is being dialled or played.
    Greeting(Greeting),
    /// The greeting is over. The call waits for the voice, a PIN, an operator, the leg, or the next attempt.
    Holding,
    /// An attempt at a handoff is running.
    HandingOff(HandingOff),
    /// The caller is with an agent.
    Conversing(Conversing),
    /// The call is over. No event leaves this phase.
    Released(Release),
}

impl Phase {
    /// The phase's name in SQL, JSON, logs and metrics.
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

/// Data of the phase `Greeting`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Greeting {
    /// The agent that is being made ready meanwhile. On a live leg only.
    pub early: Option<EarlyAgent>,
    /// Whether the provider was asked for the outcome of the greeting call. It is asked once.
    pub looked_up: bool,
}

/// Data of the phase `HandingOff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HandingOff {
    /// The running attempt.
    pub attempt: Attempt,
    /// The agent that is parked while the attempt calls a person. Only on rung `Person`.
    pub parked: Option<ParkedAgent>,
    /// Whether the provider was asked for the outcome of the agent call. It is asked once.
    pub looked_up: bool,
}

/// Data of the phase `Conversing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conversing {
    /// The attempt that brought the agent in.
    pub attempt: Attempt,
    /// Whether the provider was asked for the outcome of the agent call, in this phase or during the handoff. It is
    /// asked once.
    pub looked_up: bool,
}

/// One attempt at a handoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u8,
    /// The rung that is tried.
    pub rung: Rung,
}

/// An agent that is made ready during the greeting, so that the caller need not wait for it afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EarlyAgent {
    /// The attempt that makes it ready.
    pub attempt: Attempt,
    /// Whether the agent is ready.
    pub ready: bool,
}

/// An agent on the bridge that hears and says nothing while a person is being called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParkedAgent {
    /// The attempt that brought it in.
    pub attempt: Attempt,
    /// When its conversation must be over.
    pub until: At,
}
