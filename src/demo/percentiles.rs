//! Median and 99th percentile of times.

use std::fmt;

use serde::Serialize;

/// Median and 99th percentile.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
}

impl Percentiles {
    /// Of values in any order.
    #[must_use]
    pub fn of(values: impl Iterator<Item = u64>) -> Self {
        let mut sorted: Vec<u64> = values.collect();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let rank = sorted.len().saturating_mul(percent).div_ceil(100).max(1);
            sorted.get(rank.saturating_sub(1)).and_then(|value| u32::try_from(*value).ok()).map(f64::from)
        };
        Self { p50: at(50), p99: at(99) }
    }

    pub(super) fn in_ms(self) -> String {
        let shown =
            |us: Option<f64>| us.map_or_else(|| "-".to_owned(), |us| format!("{:.1} ms", us / 1_000.0));
        format!("p50 {}, p99 {}", shown(self.p50), shown(self.p99))
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0} ms"));
        write!(f, "p50 {}, p99 {}", shown(self.p50), shown(self.p99))
    }
}
