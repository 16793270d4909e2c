//! The edge: configuration, HTTP, the command line, simulators. Knows HTTP, not how a call behaves.

pub mod config;
pub mod logging;
pub mod signature;
pub mod simulators;
pub mod trusted_addresses;
