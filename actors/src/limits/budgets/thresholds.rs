//! Which shares of a budget are used up, each told once until enough of it is free again.

use crate::limits::budgets::terms::{Budget, BudgetUse, Crossed};

const SHARES: [u8; 3] = [50, 80, 100];
/// So much below a share it may be told again: use that goes up and down around it is no news.
const FREE_AGAIN: u64 = 10;
/// Crossings that nobody has asked for: later ones are not told. Somebody asks every second.
const UNTOLD_MAX: usize = 100;

#[derive(Debug)]
pub(crate) struct Watch {
    budget: Budget,
    /// The highest share that was told; 0 for none.
    told: u8,
}

impl Watch {
    pub(crate) fn of(budget: Budget) -> Self {
        Self { budget, told: 0 }
    }

    pub(crate) fn look(&mut self, it: BudgetUse, crossed: &mut Vec<Crossed>) {
        let percent = it.used.saturating_mul(100) / it.limit.max(1);
        let is_free_again = |share: u8| percent.saturating_add(FREE_AGAIN) < u64::from(share);
        let lower = |told: u8| SHARES.into_iter().rev().find(|share| *share < told).unwrap_or(0);
        while self.told > 0 && is_free_again(self.told) {
            self.told = lower(self.told);
        }
        for share in SHARES {
            if share > self.told && percent >= u64::from(share) && crossed.len() < UNTOLD_MAX {
                self.told = share;
                crossed.push(Crossed { budget: self.budget, percent: share });
            }
        }
    }
}
