//! What a panic costs. Panics are injected at every point that the service has for its own tests, while calls come in
//! and change; in the persistence actor, through its pool; and in an HTTP worker, through a line of its log. The audio
//! threads have no such point: unit tests of `crates/audio` make them panic.
//! Baselines: the same load without panics, and two messages in a row to an actor.
//! Goals: no abort, no message lost, restart under 10 us. The bench fails if a message is lost: an answered webhook, a
//! report of a call without a panic, or an event. The service runs in this process, so only the ratios count.

mod alone;
mod calls;
mod panics;

use std::process::ExitCode;

use precall_test_support::harness::actors::in_system;
use precall_test_support::harness::{self, Mode, Outcome, usage};

/// Goal: an actor goes on within so many microseconds.
const GOAL_US: f64 = 10.0;

fn main() -> ExitCode {
    harness::run(|mode| in_system(mode, measure))
}

async fn measure(mode: Mode) -> Outcome<()> {
    println!("{}", usage::machine());
    panics::note_all();
    alone::plain_actors(mode).await?;
    alone::persistence_actors(mode).await?;
    calls::callback_calls(mode).await?;
    calls::live_legs(mode).await?;
    calls::table();
    Ok(())
}
