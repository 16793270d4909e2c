//! The canary: test calls that prove on a schedule that calls work from end to end, with real parts.
//!
//! Why a second client of 3CX: a PBX lets a client control and hear only the legs on its own DN, and each client has
//! one valid token. So the canary calls from a route point of its own (`CANARY_CLIENT_ID`) to that of precall, with its
//! own token. 3CX offers the call to precall as it offers every call, and the canary hears in its own leg what a caller
//! would hear. precall learns from nothing but the leg's other party that it is a test: everything between the PBX and
//! the agent is what callers get.
//!
//! What is different on purpose: a call of the canary counts in no metric, budget, limit or list of callers' calls,
//! takes no seat, clones no voice, and is never sent to a person. It begins only while precall has room for a caller,
//! and hangs up when callers need its place. Without the database there is no run: a run without a record would count
//! against no budget, and would be made again after a restart.
//!
//! On route `callback` a call rings a telephone. The canary calls `CANARY_NUMBER`; without one it rings nobody, and
//! only looks up the agent and its number.

mod callback_run;
mod ear;
pub(crate) mod keeper;
mod live_run;
mod progress;
mod schedule;
pub mod settings;

pub use keeper::{CanaryView, NotRun};
