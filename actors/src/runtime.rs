//! What actors run on: restart after a panic, notices of an end, heartbeats, injected faults.

pub mod down_notice;
pub mod fault_injection;
pub mod heartbeat;
pub mod restart_in_place;
