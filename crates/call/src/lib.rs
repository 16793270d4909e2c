//! The rules of a call: a pure, total and deterministic state machine without dependencies.
//!
//! [`open`] begins a call. [`step`] takes an [`Event`] and returns the next state and the [`Effect`]s to perform.
//! [`facts`] names what a step made true. The time is an argument: nothing here reads a clock.

mod cause;
mod effect;
mod event;
mod fact;
mod fold;
mod ids;
mod phase;
mod policy;
mod state;
mod step;
mod supervision;
mod time;

pub use cause::{Blame, Cause, NoVoice, Release, Told};
pub use effect::Effect;
pub use event::{
    Admission, AgentLoss, Answered, AudioHeard, CallPart, Event, Grade, GreetingEnd, HandoffFailure, LegSeen,
    Offer, Purpose, Report, Request, Silence, Speaker, Telling, VoiceSource,
};
pub use fact::{Fact, facts};
pub use fold::{FoldError, fold};
pub use ids::{CallId, CloneJobId, ConversationId, LineId, Operator, VoiceId};
pub use phase::{Attempt, Conversing, EarlyAgent, Greeting, HandingOff, ParkedAgent, Phase};
pub use policy::{Person, Policy, Proof, ProofWay, ProvedBy, Route, Rung, VoicePolicy, VoiceWait};
pub use state::{
    Call, Conversation, Deadline, Deadlines, Dial, Instants, Leg, ProofState, Retry, Seat, Voice,
};
pub use step::{Step, open, step};
pub use supervision::{ListenEnd, NotSupervised};
pub use time::At;
