//! Tests of the circuit breaker.

use super::*;

fn seconds(n: i64) -> At {
    At(n * 1_000_000)
}

fn open_breaker() -> CircuitBreaker {
    let mut breaker = CircuitBreaker::default();
    for _ in 0..FAILURES {
        assert_eq!(breaker.try_pass(seconds(0)), Gate::Pass);
        breaker.failed(seconds(0));
    }
    breaker
}

#[test]
fn opens_after_consecutive_failures_only() {
    let mut breaker = CircuitBreaker::default();
    for _ in 0..20 {
        breaker.failed(seconds(0));
        breaker.failed(seconds(0));
        breaker.succeeded();
    }
    assert_eq!(breaker.try_pass(seconds(0)), Gate::Pass);
    assert_eq!(open_breaker().try_pass(seconds(14)), Gate::Blocked);
}

#[test]
fn one_trial_request_runs_after_the_pause() {
    let mut breaker = open_breaker();
    assert_eq!(breaker.try_pass(seconds(15)), Gate::Pass);
    assert_eq!(breaker.try_pass(seconds(15)), Gate::Blocked, "one trial only");
    breaker.failed(seconds(16));
    assert_eq!(breaker.try_pass(seconds(45)), Gate::Blocked, "twice as long");
    assert_eq!(breaker.try_pass(seconds(46)), Gate::Pass);
    breaker.inconclusive();
    assert_eq!(breaker.try_pass(seconds(46)), Gate::Pass, "no result yet");
    breaker.succeeded();
    assert_eq!((breaker.try_pass(seconds(46)), breaker.try_pass(seconds(46))), (Gate::Pass, Gate::Pass));
}

#[test]
fn late_failures_do_not_extend_the_pause() {
    let mut breaker = open_breaker();
    breaker.failed(seconds(14));
    assert_eq!(breaker.try_pass(seconds(15)), Gate::Pass);
}

#[test]
fn pause_is_bounded() {
    let (mut breaker, mut now) = (open_breaker(), 0);
    for _ in 0..50 {
        now += 300;
        assert_eq!(breaker.try_pass(seconds(now)), Gate::Pass);
        breaker.failed(seconds(now));
    }
}
