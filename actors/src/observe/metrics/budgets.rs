//! Metrics of budgets: use, crossed thresholds, refusals.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::limits::budgets::{BudgetChanges, BudgetUse};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BudgetLabel {
    budget: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MarkLabels {
    budget: &'static str,
    percent: u8,
}

/// Metrics of budgets. Without budgets they are absent.
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
            "Used share of a budget of the installation, 1 is all of it",
            of("ratio"),
            self.used.clone(),
        );
        all.register_with_unit(
            "budget_crossed",
            "How often the use of a budget reached 50, 80 and 100 %",
            of("marks"),
            self.crossed.clone(),
        );
        all.register_with_unit(
            "budget_refused",
            "Calls and clones refused by a budget",
            of("uses"),
            self.refused.clone(),
        );
    }

    pub(crate) fn show(&self, budgets: &[BudgetUse]) {
        for it in budgets {
            self.used.get_or_create(&BudgetLabel { budget: it.budget.name() }).set(share(it));
        }
    }

    pub(crate) fn count(&self, changes: &BudgetChanges) {
        for crossed in &changes.crossed {
            let labels = MarkLabels { budget: crossed.budget.name(), percent: crossed.percent };
            self.crossed.get_or_create(&labels).inc();
        }
        for (budget, times) in &changes.refused {
            self.refused.get_or_create(&BudgetLabel { budget: budget.name() }).inc_by(*times);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for display")]
fn share(it: &BudgetUse) -> f64 {
    it.used as f64 / it.limit.max(1) as f64
}
