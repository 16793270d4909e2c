//! The machine's proof: every reachable state against every event, and timed sequences at random. The tests are in this
//! crate because its profile optimises them: the walk takes hundreds of millions of steps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A test that cannot go on should stop.

mod bridge;
// The crate of test support depends on this one, and brings everything else with it.
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../../test-support/src/calls.rs"]
mod calls;
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
