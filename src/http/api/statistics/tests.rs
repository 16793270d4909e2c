//! Tests of statistics.

use super::rate;

#[test]
fn the_rate_of_no_calls_is_zero() {
    let is = |rate: f64, right: f64| assert!((rate - right).abs() < 1e-12, "{rate}");
    is(rate(0, 0), 0.0);
    is(rate(1, 3), 0.25);
    is(rate(5, 0), 1.0);
    is(rate(i64::MAX, i64::MAX), 1.0);
}
