//! Medians and percentiles.

use std::time::Duration;

/// The median; 0 without values.
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// The smallest value that is at least as large as this part (0 to 1) of all values.
pub fn percentile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// Milliseconds.
pub fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

/// Microseconds.
pub fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}
