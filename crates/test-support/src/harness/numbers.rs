//! Medians and percentiles.

use std::time::Duration;

/// The value in the middle; zero of nothing.
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// The smallest value that is not below so much of all values.
pub fn percentile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// For tables.
pub fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

/// For tables.
pub fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}
