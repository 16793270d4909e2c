//! The machine's proof: every reachable state against every event, and timed sequences at random.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A test that cannot go on should stop.

mod bridge;
mod free_retries;
mod holdings;
mod laws;
mod live_leg;
mod operator;
mod proof;
mod properties;
mod stories;
mod supervision;
mod vocabulary;
mod walk;
