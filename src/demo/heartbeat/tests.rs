//! Tests of the heartbeat: which gaps the machine explains.

use std::time::Duration;

use precall_call::At;

use super::{Machine, Stalls};

fn at(ms: i64) -> At {
    At(ms * 1_000)
}

/// Stalls that ended then, each this long, in milliseconds.
fn stalls(of: &[(i64, u64)]) -> Stalls {
    let mut stalls = Stalls::default();
    for (ended, long) in of {
        stalls.beat(Duration::from_millis(*long), at(*ended));
    }
    stalls
}

#[test]
fn a_gap_is_the_machines_if_the_process_waited_at_that_time() {
    let busy = stalls(&[(10_000, 80)]);
    assert!(busy.explain(at(9_950), at(10_050)), "at the same time");
    assert!(busy.explain(at(10_100), at(10_160)), "heard later, as audio is sent ahead");
    assert!(!busy.explain(at(9_000), at(9_900)), "before the stall");
    assert!(!busy.explain(at(10_300), at(10_400)), "long after it");
    assert!(!stalls(&[]).explain(at(0), at(1_000_000)), "an idle machine explains nothing");
    assert!(!stalls(&[(10_000, 20)]).explain(at(9_950), at(10_050)), "one short wait explains nothing");
    assert!(stalls(&[(9_900, 20), (9_950, 20)]).explain(at(9_950), at(10_050)), "several do");
    assert!(!stalls(&[(10_000, 9)]).explain(at(9_000), at(11_000)), "a beat of 9 ms is no stall");
}

#[test]
fn the_figures_count_every_stall() {
    let figures = stalls(&[(100, 5), (200, 30), (300, 90)]).machine();
    assert_eq!(figures, Machine { stalls: 2, longest_ms: 90, total_ms: 120 });
    assert_eq!(figures.to_string(), "the machine was late 2 times (longest 90 ms, together 120 ms)");
}
