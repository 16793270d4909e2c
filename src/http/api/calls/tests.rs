//! Tests of calls.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use precall_call::{Attempt, Cause, Conversing, Greeting, HandingOff, Phase, Release, Rung};

use crate::http::openapi::names::CALL_STATES;

#[test]
fn states_are_the_states_of_the_call_machine() {
    let attempt = Attempt { number: 1, rung: Rung::Transfer };
    let phases = [
        Phase::Offered,
        Phase::Greeting(Greeting::default()),
        Phase::Holding,
        Phase::HandingOff(HandingOff { attempt, parked: None, looked_up: false }),
        Phase::Conversing(Conversing { attempt, looked_up: false }),
        Phase::Released(Release::good(Cause::Completed)),
    ];
    assert_eq!(phases.map(|phase| phase.name()), CALL_STATES);
}
