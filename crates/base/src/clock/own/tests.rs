//! Steps of the host's clock, and what precall's own clock makes of them.

use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;
/// 2026-11-29.
const START: i64 = 1_795_910_400 * SECOND;

/// A host: microseconds since its start, and by how many its clock is off.
fn seen(passed: i64, off: i64) -> Seen {
    Seen { passed: (7 * HOUR + passed) * NANOS, wall: At(START + passed + off) }
}

#[test]
fn it_begins_with_the_hosts_time_and_counts_what_passes() {
    let mut clock = OwnClock::set(seen(0, 0));
    for passed in [0, 1, 20_000, SECOND, SECOND, 5 * HOUR] {
        assert_eq!(clock.now(seen(passed, 0)), At(START + passed));
    }
}

#[test]
fn a_step_of_an_hour_changes_no_measured_minute_by_more_than_one_percent() {
    for off in [HOUR, -HOUR, 10 * SECOND, -10 * SECOND, 20 * 365 * 24 * HOUR] {
        let mut clock = OwnClock::set(seen(0, 0));
        let before = clock.now(seen(SECOND, 0));
        assert_eq!(clock.now(seen(SECOND, off)), before, "the step itself changes nothing");
        for minute in 1..=30 {
            let passed = minute * 60 * SECOND;
            let measured = clock.now(seen(SECOND + passed, off)).0 - before.0;
            assert!((measured - passed).abs() <= passed / 100, "{off}: {measured} of {passed}");
        }
    }
}

#[test]
fn it_reaches_the_hosts_clock_again_and_stays_there() {
    for off in [10 * SECOND, -10 * SECOND] {
        let mut clock = OwnClock::set(seen(0, 0));
        let short = clock.now(seen(999 * SECOND, off));
        assert_ne!(short, At(START + 999 * SECOND + off));
        for second in 1_001..1_100 {
            assert_eq!(clock.now(seen(second * SECOND, off)), At(START + second * SECOND + off));
        }
    }
}

/// A host that is asked all the time must approach as fast as one that is asked once.
#[test]
fn the_number_of_readings_does_not_matter() {
    let (mut often, mut once) = (OwnClock::set(seen(0, 0)), OwnClock::set(seen(0, 0)));
    for passed in (0..=2 * SECOND).step_by(7) {
        often.now(seen(passed, HOUR));
    }
    let (often, once) = (often.now(seen(2 * SECOND, HOUR)), once.now(seen(2 * SECOND, HOUR)));
    assert!((often.0 - once.0).abs() < 1_000, "{often:?} {once:?}");
}

proptest! {
    #[test]
    fn it_never_goes_back_whatever_the_host_says(
        readings in prop::collection::vec((0_i64..HOUR, -10 * HOUR..10 * HOUR), 1..50),
    ) {
        let mut clock = OwnClock::set(seen(0, 0));
        let (mut passed, mut last) = (0, At(START));
        for (more, off) in readings {
            passed += more;
            let now = clock.now(seen(passed, off));
            prop_assert!(now.since(last).as_micros() >= u128::try_from(more - more / 100 - 2).unwrap_or(0));
            prop_assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn an_older_reading_gives_no_older_time(passed in 0_i64..HOUR, older in 0_i64..HOUR) {
        let mut clock = OwnClock::set(seen(0, 0));
        let now = clock.now(seen(passed, 0));
        prop_assert!(clock.now(seen(passed - older, 0)) >= now);
    }
}
