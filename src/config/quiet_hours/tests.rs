//! Quiet hours over midnight, over a day and over the change to summer time.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use super::QuietHours;

fn quiet(hours: &str, at: &str) -> bool {
    hours.parse::<QuietHours>().unwrap().hold(at.parse().unwrap())
}

#[test]
fn they_hold_from_their_begin_up_to_their_end() {
    let night = "22:00-07:00";
    for (at, is_quiet) in [
        ("2026-11-29T21:59:59Z", false),
        ("2026-11-29T22:00:00Z", true),
        ("2026-11-30T00:00:00Z", true),
        ("2026-11-30T06:59:59Z", true),
        ("2026-11-30T07:00:00Z", false),
    ] {
        assert_eq!(quiet(night, at), is_quiet, "{at}");
    }
    assert!(quiet("12:00-13:30", "2026-11-29T13:29:00Z"));
    assert!(!quiet("12:00-13:30", "2026-11-29T13:30:00Z"));
    assert!(!quiet("12:00-13:30", "2026-11-29T23:00:00Z"));
}

#[test]
fn they_are_those_of_their_time_zone() {
    let night = "22:00-07:00 Europe/Berlin";
    // In winter an hour ahead of UTC, in summer two.
    assert!(quiet(night, "2026-11-29T21:00:00Z"));
    assert!(!quiet(night, "2026-11-29T20:59:00Z"));
    assert!(quiet(night, "2026-07-01T20:00:00Z"));
    assert!(!quiet(night, "2026-07-01T05:00:00Z"));
    // The night in which the clocks are set forward.
    assert!(quiet(night, "2026-03-29T04:59:00Z"));
    assert!(!quiet(night, "2026-03-29T05:00:00Z"));
}

#[test]
fn what_are_no_hours_is_refused() {
    for text in [
        "",
        "22:00",
        "22-7",
        "22:00-22:00",
        "24:00-07:00",
        "22:00-07:00 Mars/Phobos",
        "a-b UTC",
        "22:00-07:000 UTC",
    ] {
        assert!(text.parse::<QuietHours>().is_err(), "{text:?}");
    }
    assert_eq!(
        "22:00-07:00 Europe/Berlin".parse::<QuietHours>().unwrap().to_string(),
        "22:00-07:00 Europe/Berlin"
    );
}
