//! Tests: each thread has one value, and later uses return the same one.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::PerArbiter;

#[test]
fn each_thread_builds_its_value_once() {
    let built = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&built);
    let values = PerArbiter::new(move || counter.fetch_add(1, Ordering::Relaxed));
    assert_eq!((*values.here(), *values.here(), *values.clone().here()), (0, 0, 0));
    let elsewhere = values.clone();
    let other = std::thread::spawn(move || (*elsewhere.here(), *elsewhere.here())).join().unwrap();
    assert_eq!(other, (1, 1));
    assert_eq!(built.load(Ordering::Relaxed), 2);
}

#[test]
fn two_sources_on_one_thread_do_not_share_a_value() {
    let (first, second) = (PerArbiter::new(|| "first"), PerArbiter::new(|| "second"));
    assert_eq!((*first.here(), *second.here()), ("first", "second"));
}
