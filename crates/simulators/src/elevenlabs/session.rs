//! The agent on a WebSocket: `/v1/convai/conversation` (facts page, section 4; the provider's AsyncAPI file).
//!
//! An `AgentSession` is pure: it takes messages and times and gives messages. `socket`, `tick` and `output` connect it
//! to the network, with one clock for all conversations; they never wait for a slow client.

pub(super) mod act;
pub(super) mod agent_session;
pub(super) mod agent_settings;
pub(super) mod client_message;
pub(super) mod connections;
pub(super) mod ear;
pub(super) mod end;
pub(super) mod format;
pub(super) mod initiation;
mod input;
mod outgoing;
mod output;
pub(super) mod pings;
pub(super) mod queue;
pub(super) mod report;
pub(super) mod script;
mod script_run;
pub(super) mod server_message;
pub(super) mod sessions;
pub(super) mod shape;
pub(super) mod signed_urls;
pub(super) mod socket;
pub(super) mod steps;
pub(super) mod tick;
pub(super) mod tools;
pub(super) mod utterance;
