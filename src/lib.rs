//! The edge.

pub mod config;
pub mod logging;
pub mod signature;
pub mod trusted_addresses;
