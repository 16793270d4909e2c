//! Thresholds of a budget's use. Each is reported once, until the use falls clearly below it.
//!
//! Pure: no clock, no I/O, no actor.

use crate::limits::budgets::terms::{Budget, BudgetUse, ThresholdCrossed};

const SHARES: [u8; 3] = [50, 80, 100];
/// A threshold can be reported again when the use is this many percent below it, so that small changes cause no
/// repeated reports.
const HYSTERESIS: u64 = 10;
/// Most crossings waiting to be read; further ones are not reported. They are read every second.
const UNREPORTED_MAX: usize = 100;

#[derive(Debug)]
pub(crate) struct UsageThreshold {
    budget: Budget,
    /// The highest reported threshold in percent; 0 for none.
    reported: u8,
}

impl UsageThreshold {
    pub(crate) fn of(budget: Budget) -> Self {
        Self { budget, reported: 0 }
    }

    pub(crate) fn check(&mut self, it: BudgetUse, crossed: &mut Vec<ThresholdCrossed>) {
        let percent = it.used.saturating_mul(100) / it.limit.max(1);
        let is_free_again = |share: u8| percent.saturating_add(HYSTERESIS) < u64::from(share);
        let lower = |reported: u8| SHARES.into_iter().rev().find(|share| *share < reported).unwrap_or(0);
        while self.reported > 0 && is_free_again(self.reported) {
            self.reported = lower(self.reported);
        }
        for share in SHARES {
            if share > self.reported && percent >= u64::from(share) && crossed.len() < UNREPORTED_MAX {
                self.reported = share;
                crossed.push(ThresholdCrossed { budget: self.budget, percent: share });
            }
        }
    }
}
