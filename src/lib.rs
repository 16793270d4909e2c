//! The edge: configuration, HTTP, the command line. Knows HTTP, not how a call behaves.

pub mod app;
pub mod cli;

pub mod config;
#[cfg(feature = "simulators")]
pub mod demo;
mod embedded_database;
pub mod http;
pub mod live_check;
pub mod logging;
pub mod signature;
pub mod trusted_addresses;
