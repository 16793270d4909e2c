//! The edge: configuration, HTTP, command line. The rules of a call are in the engine (`precall-actors`).

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
