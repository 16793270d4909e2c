//! Tests of the HTTP server over real sockets, with a scripted engine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

mod api;
mod api_description;
mod audit_trail;
mod bodies;
mod call_page;
mod client;
mod documents;
mod doors;
mod fair_share;
mod follow;
mod harness;
mod health;
mod line_ends;
mod live_stream;
pub(in crate::http) mod log_lines;
mod pages;
mod postcall;
pub(in crate::http) mod scripted;
mod threecx;
mod unsupported;
