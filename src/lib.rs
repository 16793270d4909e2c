//! The edge.

pub mod config;
pub mod http;
pub mod signature;
pub mod trusted_addresses;
