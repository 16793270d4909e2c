//! Times on a command line.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::time::Duration;

use jiff::SignedDuration;

use super::{short, span};

#[test]
fn times_are_read_as_people_write_them() {
    for (text, seconds) in [("90s", 90), ("30m", 1_800), ("1h", 3_600), ("2d", 172_800), ("0s", 0)] {
        assert_eq!(span(text).unwrap(), Duration::from_secs(seconds), "{text}");
    }
    for text in ["", "h", "1", "1w", "-1h", "1.5h", "1 h", "99999999999h", "é"] {
        assert!(span(text).is_err(), "{text}");
    }
}

#[test]
fn times_are_shown_in_the_unit_that_fits() {
    let of = |millis| short(SignedDuration::from_millis(millis));
    assert_eq!(
        [of(-5), of(4_250), of(59_999), of(187_000), of(7_500_000)],
        ["0.0 s", "4.2 s", "59.9 s", "3:07 min", "2:05:00 h"]
    );
}
