//! What is used of what there is, in the units that administrators buy; part of `/health` and of the board.

use precall_actors::api::{BudgetUse, CapacityHealth, Measure};
use serde::Serialize;
use utoipa::ToSchema;

/// What is used of what there is. What is not known, or has no limit, is null.
#[derive(Debug, Serialize, ToSchema)]
pub struct CapacityAnswer {
    /// Live calls, of `MAX_LIVE_CALLS`.
    live_calls: MeasureAnswer,
    /// Conversations at the provider, of the lower of `AGENT_CONCURRENCY` and the agent's own limit.
    agents: MeasureAnswer,
    /// Voice slots of the account.
    voice_slots: MeasureAnswer,
    /// Voices added or edited, of what the account allows.
    voice_edits: MeasureAnswer,
    /// Calls that the PBX carries at once, by `THREECX_SIMULTANEOUS_CALLS`; nobody tells how many it does.
    threecx_calls: MeasureAnswer,
    /// Budgets of the installation.
    budgets: Vec<BudgetAnswer>,
}

/// How much of something.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeasureAnswer {
    /// Used.
    used: Option<u64>,
    /// There is.
    limit: Option<u64>,
    /// Whether there is less of it than `MAX_LIVE_CALLS` needs.
    short: bool,
}

/// How far a budget is used.
#[derive(Debug, Serialize, ToSchema)]
pub struct BudgetAnswer {
    /// Its name.
    budget: &'static str,
    /// Whole percent, 100 and more when it is used up.
    percent: u64,
}

impl CapacityAnswer {
    pub(crate) fn of(it: &CapacityHealth, budgets: &[BudgetUse]) -> Self {
        let wanted = it.live_calls.limit;
        let plain =
            |measure: Measure| MeasureAnswer { used: measure.used, limit: measure.limit, short: false };
        let compared = |measure: Measure| MeasureAnswer {
            short: measure.limit.zip(wanted).is_some_and(|(limit, wanted)| limit < wanted),
            ..plain(measure)
        };
        let agents = it.agents.limit.into_iter().chain(it.agent_limit).min();
        Self {
            live_calls: plain(it.live_calls),
            agents: compared(Measure { limit: agents, ..it.agents }),
            voice_slots: compared(it.voice_slots),
            voice_edits: plain(it.voice_edits),
            threecx_calls: compared(Measure { used: None, limit: it.pbx_calls }),
            budgets: budgets.iter().map(BudgetAnswer::of).collect(),
        }
    }
}

impl BudgetAnswer {
    fn of(it: &BudgetUse) -> Self {
        let percent = it.used.saturating_mul(100) / it.limit.max(1);
        Self { budget: it.budget.name(), percent }
    }
}
