//! The rules of HTTP over real sockets, with a scripted engine behind them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at what it did not expect"
)]

mod api;
mod bodies;
mod client;
mod documents;
mod fair_share;
mod follow;
mod harness;
mod health;
mod postcall;
mod scripted;
mod threecx;
