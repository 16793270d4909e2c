//! How far budgets are used, how often that went over a mark, and what was refused for them.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::limits::budgets::{BudgetNews, BudgetUse};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BudgetLabel {
    budget: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MarkLabels {
    budget: &'static str,
    percent: u8,
}

/// See the file. Without budgets there is nothing to be seen.
#[derive(Default)]
pub(crate) struct BudgetMetrics {
    used: Family<BudgetLabel, Gauge<f64, AtomicU64>>,
    crossed: Family<MarkLabels, Counter>,
    refused: Family<BudgetLabel, Counter>,
}

impl BudgetMetrics {
    pub(crate) fn register(&self, all: &mut Registry) {
        let of = |unit: &str| Unit::Other(unit.to_owned());
        all.register_with_unit(
            "budget_used",
            "How much of a budget of the installation is used, 1 is all",
            of("ratio"),
            self.used.clone(),
        );
        all.register_with_unit(
            "budget_crossed",
            "How often 50, 80 and 100 % of a budget were reached",
            of("marks"),
            self.crossed.clone(),
        );
        all.register_with_unit(
            "budget_refused",
            "Calls and clones that a budget refused",
            of("uses"),
            self.refused.clone(),
        );
    }

    pub(crate) fn show(&self, budgets: &[BudgetUse]) {
        for it in budgets {
            self.used.get_or_create(&BudgetLabel { budget: it.budget.name() }).set(share(it));
        }
    }

    pub(crate) fn tell(&self, news: &BudgetNews) {
        for crossed in &news.crossed {
            let labels = MarkLabels { budget: crossed.budget.name(), percent: crossed.percent };
            self.crossed.get_or_create(&labels).inc();
        }
        for (budget, times) in &news.refused {
            self.refused.get_or_create(&BudgetLabel { budget: budget.name() }).inc_by(*times);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share, to be looked at")]
fn share(it: &BudgetUse) -> f64 {
    it.used as f64 / it.limit.max(1) as f64
}
