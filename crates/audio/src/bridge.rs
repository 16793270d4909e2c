//! The agent on a leg: the caller's audio goes to the agent's WebSocket, the agent's audio into the upload that the
//! caller hears.
//!
//! `agent_audio` queues audio from the agent, `caller_audio` audio to it, `turn_taking` says who must speak,
//! `own_greeting` recognises a greeting that the caller heard before, `caller_speech` that the caller speaks,
//! `turn_timer` measures how long an answer takes: pure rules. `agent_session` joins them for one session,
//! `agent_socket` is its WebSocket, `outbox` the queue between the two.

pub mod agent_event;
pub mod agent_order;
pub mod agent_session;
pub mod turn_taking;
pub(crate) mod turn_timer;

mod agent_audio;
pub(crate) mod agent_socket;
mod caller_audio;
mod caller_speech;
mod outbox;
mod own_greeting;
mod session_stage;
pub(crate) mod socket_state;
