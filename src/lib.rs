//! The edge.

pub mod config;
pub mod trusted_addresses;
