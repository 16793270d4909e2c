//! The edge.

pub mod config;
pub mod signature;
pub mod trusted_addresses;
