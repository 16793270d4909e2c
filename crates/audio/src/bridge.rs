//! The agent on a leg: the caller's audio goes to the agent's WebSocket, the agent's into the stream that the caller hears.
//!
//! `agent_audio` holds what the agent has said and the caller has not heard, `caller_audio` the other way, `turn` whose turn it is to
//! speak; these know no world. `talk` joins them for one session, `session` is its socket, `letter` what passes between the two.

pub mod agent_audio;
pub mod agent_event;
pub mod agent_order;
pub(crate) mod agent_session;
pub(crate) mod agent_socket;
pub mod caller_audio;
pub(crate) mod outbox;
pub mod turn_taking;
