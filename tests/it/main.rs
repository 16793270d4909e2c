//! The whole service on a real PostgreSQL, against a simulated provider over real HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // A test that cannot go on should stop.

#[path = "../support/mod.rs"]
mod support;

mod callback;
mod isolation;
mod restart;
mod schema;
