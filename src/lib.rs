//! The edge: configuration, HTTP, the command line, simulators. Knows HTTP, not how a call behaves.

pub mod app;
pub mod cli;

pub mod config;
pub mod demo;
pub mod embedded_postgres;
pub mod http;
pub mod live_check;
pub mod logging;
pub mod signature;
pub mod simulators;
pub mod trusted_addresses;
