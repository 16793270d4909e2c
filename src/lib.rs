//! The edge: configuration, HTTP, command line. The rules of a call are in the engine (`precall-actors`).

pub mod alerts;
pub mod app;
pub mod cli;

pub mod config;
#[cfg(feature = "simulators")]
pub mod demo;
mod embedded_database;
mod http;
mod live_check;
mod logging;
pub mod parsers;
mod reload;
pub mod signature;
mod span;
mod story;
mod trusted_addresses;

pub use http::openapi_json;
