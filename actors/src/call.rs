//! One live call: its actor, the actors of its parts, and the database rows that its events write.

pub mod agent_settings;
pub(crate) mod announcements;
pub(crate) mod call_actor;
pub mod call_context;
pub(crate) mod clone_worker;
pub(crate) mod conversation_lookup;
pub(crate) mod expected_transfers;
pub(crate) mod greeting_actor;
pub(crate) mod handoff;
pub(crate) mod leg_player;
pub mod line;
pub(crate) mod live_board;
pub(crate) mod messages;
pub(crate) mod outbound_dial;
pub mod pin;
pub(crate) mod projection;
pub mod services;
pub(crate) mod supervision;
pub(crate) mod transcript_tail;
