//! Tests of growth.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use super::*;

const HOUR: i64 = 3_600_000_000;

fn shown(days: &Days) -> Option<f64> {
    days.get(&[]).map(|days| days.get())
}

#[test]
fn days_left_are_shown_once_the_growth_is_known() {
    let growth = Growth::default();
    growth.database(1_000, Some(5_000), At(0));
    growth.database(2_000, Some(5_000), At(HOUR / 2));
    assert_eq!(shown(&growth.database_left), None, "half an hour is too short");
    growth.database(3_000, Some(5_000), At(24 * HOUR));
    assert_eq!(shown(&growth.database_left), Some(1.0), "2,000 bytes per day, 2,000 bytes left");
    growth.database(900, Some(5_000), At(25 * HOUR));
    assert_eq!(shown(&growth.database_left), None, "the database shrinks");
    growth.database(6_000, None, At(26 * HOUR));
    assert_eq!(shown(&growth.database_left), None, "no limit is configured");
}

#[test]
fn a_growing_spool_shows_the_days_left() {
    let growth = Growth::default();
    growth.spool(10, Some(100), At(0));
    growth.spool(0, Some(100), At(HOUR));
    growth.spool(10, Some(100), At(2 * HOUR));
    growth.spool(50, Some(100), At(13 * HOUR));
    assert_eq!(shown(&growth.spool_left), Some(0.5));
    growth.spool(0, Some(100), At(14 * HOUR));
    assert_eq!(shown(&growth.spool_left), None);
}
