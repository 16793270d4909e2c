//! Limits of use, for one caller and for the whole installation. Unset means no limit.

use precall_actors::limits::budgets::BudgetLimits;

use super::problem::Problems;
use super::section::Section;
use super::setting::{Setting, variables};
use super::value::numbers::Whole;
use super::values::Values;
use super::variables::Restart;

/// Larger numbers are taken for mistakes.
const MOST: u64 = 1_000_000;
const MOST_CREDITS: u64 = 1_000_000_000_000;

variables! { Section::Budget;
    budget_caller_clones_per_day: Whole<u64, 1, MOST> {
        restart: Restart::NotNeeded,
        unit: "clones",
        example: "3",
        help: "Voice clones for one caller within 24 hours.",
        note: "When they are used up, that caller hears the fallback voice, with cause `budget`.",
    }
    budget_caller_live_calls: Whole<u64, 1, MOST> {
        restart: Restart::NotNeeded,
        unit: "calls",
        example: "2",
        help: "Live calls of one caller. precall refuses the next one with cause `budget`.",
        note: "Callers who withhold their number have no budget per caller.",
    }
    budget_caller_calls_per_hour: Whole<u64, 1, MOST> {
        restart: Restart::NotNeeded,
        unit: "calls",
        example: "20",
        help: "Calls of one caller within 60 minutes. Refused calls do not count.",
    }
    budget_clones_per_day: Whole<u64, 1, MOST> {
        restart: Restart::NotNeeded,
        unit: "clones",
        example: "100",
        help: "Voice clones of the whole installation within 24 hours.",
    }
    budget_agent_minutes_per_day: Whole<u64, 1, MOST> {
        restart: Restart::NotNeeded,
        unit: "minutes",
        example: "1500",
        help: "Minutes of conversation at ElevenLabs within 24 hours, as its reports say, greetings by telephone \
            included.",
        note: "When they are used up, precall refuses new calls with cause `budget`. Live calls continue.",
    }
    budget_cost_per_day: Whole<u64, 1, MOST_CREDITS> {
        restart: Restart::NotNeeded,
        unit: "credits",
        example: "500000",
        help: "ElevenLabs credits for conversations within 24 hours, as its reports say.",
        note: "When they are used up, precall refuses new calls with cause `budget`. Live calls continue.",
    }
    agent_concurrency: Whole<usize, 1, MOST> {
        restart: Restart::NotNeeded,
        unit: "conversations",
        example: "20",
        help: "Largest number of conversations at ElevenLabs at the same time.",
        note: "One more waits up to 3 seconds. Then that attempt counts as refused, and the call makes the next one.",
    }
}

/// Limits of use.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Limits within a day, within an hour, and at the same time.
    pub limits: BudgetLimits,
    /// Largest number of conversations with agents at the same time.
    pub agent_concurrency: Option<usize>,
}

impl Budget {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        fn limit<N, const MAX: u64>(set: Setting<Whole<N, 1, MAX>>) -> Option<Option<N>> {
            set.optional().map(|set| set.map(|Whole(number)| number))
        }
        let settings = Settings::read(values, problems)?;
        let limits = BudgetLimits {
            caller_clones_per_day: limit(settings.budget_caller_clones_per_day)?,
            caller_live_calls: limit(settings.budget_caller_live_calls)?,
            caller_calls_per_hour: limit(settings.budget_caller_calls_per_hour)?,
            clones_per_day: limit(settings.budget_clones_per_day)?,
            agent_minutes_per_day: limit(settings.budget_agent_minutes_per_day)?,
            cost_per_day: limit(settings.budget_cost_per_day)?,
        };
        Some(Self { limits, agent_concurrency: limit(settings.agent_concurrency)? })
    }
}
