//! The agent on a WebSocket: `/v1/convai/conversation` (facts page, section 4; the provider's AsyncAPI file).
//!
//! A `Talk` is pure: what the client sends and what time it is go in, messages come out. The shell around it (`socket`,
//! `tick`) has one clock for all conversations and never waits for a slow client.

pub(super) mod act;
pub(super) mod agent_settings;
pub(super) mod client_message;
pub(super) mod ear;
pub(super) mod end;
pub(super) mod format;
pub(super) mod initiation;
pub(super) mod lines;
pub(super) mod pings;
pub(super) mod report;
pub(super) mod script;
pub(super) mod server_message;
pub(super) mod shape;
pub(super) mod signed_urls;
pub(super) mod socket;
pub(super) mod steps;
pub(super) mod talk;
pub(super) mod talks;
pub(super) mod tick;
pub(super) mod tools;
pub(super) mod utterance;
