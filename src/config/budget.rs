//! Budgets: how much callers and the whole installation may use. What is not set has no bound of ours.

use precall_actors::limits::budgets::BudgetLimits;
use serde::Deserialize;

use super::problem::Problems;
use super::value::Read;
use super::values::Values;
use super::variables::Section;

/// Numbers that nobody reaches are mistakes.
const MOST: u64 = 1_000_000;
const MOST_CREDITS: u64 = 1_000_000_000_000;

/// See the file.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Within a day, within an hour, and at once.
    pub limits: BudgetLimits,
    /// Conversations with agents at once.
    pub agent_concurrency: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    budget_caller_clones_per_day: Option<Read<u64>>,
    budget_caller_live_calls: Option<Read<u64>>,
    budget_caller_calls_per_hour: Option<Read<u64>>,
    budget_clones_per_day: Option<Read<u64>>,
    budget_agent_minutes_per_day: Option<Read<u64>>,
    budget_cost_per_day: Option<Read<u64>>,
    agent_concurrency: Option<Read<u64>>,
}

impl Budget {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        let raw: Raw = values.section(Section::Budget, problems)?;
        // One that is wrong is noted, which is enough for the whole configuration to be refused.
        let mut limit = |name: &str, read: Option<Read<u64>>, most: u64, unit: &str| {
            read.and_then(|read| problems.number(name, read, 1..=most, unit))
        };
        let limits = BudgetLimits {
            caller_clones_per_day: limit(
                "BUDGET_CALLER_CLONES_PER_DAY",
                raw.budget_caller_clones_per_day,
                MOST,
                "clones",
            ),
            caller_live_calls: limit("BUDGET_CALLER_LIVE_CALLS", raw.budget_caller_live_calls, MOST, "calls"),
            caller_calls_per_hour: limit(
                "BUDGET_CALLER_CALLS_PER_HOUR",
                raw.budget_caller_calls_per_hour,
                MOST,
                "calls",
            ),
            clones_per_day: limit("BUDGET_CLONES_PER_DAY", raw.budget_clones_per_day, MOST, "clones"),
            agent_minutes_per_day: limit(
                "BUDGET_AGENT_MINUTES_PER_DAY",
                raw.budget_agent_minutes_per_day,
                MOST,
                "minutes",
            ),
            cost_per_day: limit("BUDGET_COST_PER_DAY", raw.budget_cost_per_day, MOST_CREDITS, "credits"),
        };
        let agent_concurrency = raw
            .agent_concurrency
            .and_then(|read| problems.number("AGENT_CONCURRENCY", read, 1..=MOST, "conversations"));
        Some(Self { limits, agent_concurrency })
    }
}
