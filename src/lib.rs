//! The edge: configuration, HTTP, the command line. Knows HTTP, not how a call behaves.

pub mod app;
pub mod cli;

pub mod config;
pub mod demo;
pub mod http;
pub mod live_check;
pub mod logging;
pub mod signature;
pub mod trusted_addresses;
