//! Tests of circuit breaker.

use super::*;

fn seconds(n: i64) -> At {
    At(n * 1_000_000)
}

fn shut() -> Breaker {
    let mut breaker = Breaker::default();
    for _ in 0..FAILURES {
        assert_eq!(breaker.ask(seconds(0)), Gate::Pass);
        breaker.failed(seconds(0));
    }
    breaker
}

#[test]
fn it_shuts_after_failures_in_a_row_and_not_after_scattered_ones() {
    let mut breaker = Breaker::default();
    for _ in 0..20 {
        breaker.failed(seconds(0));
        breaker.failed(seconds(0));
        breaker.answered();
    }
    assert_eq!(breaker.ask(seconds(0)), Gate::Pass);
    assert_eq!(shut().ask(seconds(14)), Gate::Shut);
}

#[test]
fn after_the_pause_one_request_finds_out() {
    let mut breaker = shut();
    assert_eq!(breaker.ask(seconds(15)), Gate::Pass);
    assert_eq!(breaker.ask(seconds(15)), Gate::Shut, "one");
    breaker.failed(seconds(16));
    assert_eq!(breaker.ask(seconds(45)), Gate::Shut, "twice as long");
    assert_eq!(breaker.ask(seconds(46)), Gate::Pass);
    breaker.not_tried();
    assert_eq!(breaker.ask(seconds(46)), Gate::Pass, "nobody has found out yet");
    breaker.answered();
    assert_eq!((breaker.ask(seconds(46)), breaker.ask(seconds(46))), (Gate::Pass, Gate::Pass));
}

#[test]
fn late_failures_do_not_keep_it_shut_for_longer() {
    let mut breaker = shut();
    breaker.failed(seconds(14));
    assert_eq!(breaker.ask(seconds(15)), Gate::Pass);
}

#[test]
fn the_pause_has_a_bound() {
    let (mut breaker, mut now) = (shut(), 0);
    for _ in 0..50 {
        now += 300;
        assert_eq!(breaker.ask(seconds(now)), Gate::Pass);
        breaker.failed(seconds(now));
    }
}
