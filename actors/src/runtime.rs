//! What actors run on: restart after a panic, down notices, one client per arbiter, heartbeats, ages of
//! mailboxes, injected faults.

pub mod clients;
pub mod down_notice;
pub mod fault_injection;
pub mod heartbeat;
pub(crate) mod mailbox_age;
pub mod per_arbiter;
pub mod restart_in_place;
