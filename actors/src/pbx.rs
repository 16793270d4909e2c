//! The PBX: its event stream, its legs, and commands to them.

pub mod held_legs;
pub mod leaving_legs;
pub mod leg_book;
pub mod leg_commands;
pub mod leg_events;
pub mod pbx_feed;
pub mod pbx_health;
pub mod pbx_side;
