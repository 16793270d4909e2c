//! What a call is and does: pure, total, deterministic, without dependencies.
//!
//! [`open`] begins a call, [`step`] moves it, [`facts`] names what a step made true. Everything that can happen
//! comes in as an [`Event`], everything that is to be done goes out as an [`Effect`]; time is an argument.

mod cause;
mod effect;
mod event;
mod fact;
mod fold;
mod ids;
mod policy;
mod state;
mod step;
mod time;

pub use cause::{Blame, Cause, NoVoice, Release, Told};
pub use effect::Effect;
pub use event::{
    Admission, AgentLoss, AudioHeard, CallPart, Event, Grade, GreetingEnd, HandoffFailure, LegSeen, Offer,
    Purpose, Report, Request, Silence, Speaker, VoiceSource,
};
pub use fact::{Fact, facts};
pub use fold::{FoldError, fold};
pub use ids::{CallId, ConversationId, JobId, LineId, VoiceId};
pub use policy::{Person, Policy, Proof, ProofWay, ProvedBy, Route, Rung, VoicePolicy, VoiceWait};
pub use state::{
    Attempt, Call, Conversation, Conversing, Deadline, Dial, Dues, Early, Greeting, HandingOff, Instants,
    Kept, Leg, Phase, Proving, Seat, Voice,
};
pub use step::{Step, open, step};
pub use time::At;
