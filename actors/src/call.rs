//! One live call: its actor, the actors of its parts, and the database rows that its events write.

pub mod announcements;
pub mod call_actor;
pub mod call_context;
pub mod clone_worker;
pub mod conversation_lookup;
pub mod expected_transfers;
pub mod greeting_actor;
pub mod handoff;
pub mod leg_player;
pub mod line;
pub mod live_board;
pub mod messages;
pub mod pin;
pub mod projection;
pub mod services;
pub mod transcript_tail;
