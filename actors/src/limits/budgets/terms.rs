//! The budgets by name, and how far one is used.
//! Pure: no clock, no I/O, no actor.

/// Which budget. Closed; the names are for logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Budget {
    /// Clones of one caller's voice.
    CallerClonesPerDay,
    /// Live calls of one caller.
    CallerLiveCalls,
    /// Calls of one caller.
    CallerCallsPerHour,
    /// Clones of all.
    ClonesPerDay,
    /// Conversations at the provider.
    AgentMinutesPerDay,
    /// What they cost.
    CostPerDay,
}

impl Budget {
    /// The one name used in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CallerClonesPerDay => "caller_clones_per_day",
            Self::CallerLiveCalls => "caller_live_calls",
            Self::CallerCallsPerHour => "caller_calls_per_hour",
            Self::ClonesPerDay => "clones_per_day",
            Self::AgentMinutesPerDay => "agent_minutes_per_day",
            Self::CostPerDay => "cost_per_day",
        }
    }
}

/// What became of a budget of the whole installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetUse {
    /// Which.
    pub budget: Budget,
    /// Clones, seconds of conversation, or credits.
    pub used: u64,
    /// In the same unit.
    pub limit: u64,
}

/// A share of a budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossed {
    /// Which budget.
    pub budget: Budget,
    /// 50, 80 or 100.
    pub percent: u8,
}
