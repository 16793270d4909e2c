//! The budgets by name, and their use.
//!
//! Pure: no clock, no I/O, no actor.

/// The budgets. The names are for logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Budget {
    /// Clones of one caller's voice.
    CallerClonesPerDay,
    /// Live calls of one caller at the same time.
    CallerLiveCalls,
    /// Calls of one caller within an hour.
    CallerCallsPerHour,
    /// Clones of all callers.
    ClonesPerDay,
    /// Duration of all conversations.
    AgentMinutesPerDay,
    /// Cost of all conversations.
    CostPerDay,
}

impl Budget {
    /// Name in logs and metrics.
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

/// Use of a budget of the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetUse {
    /// The budget.
    pub budget: Budget,
    /// Clones, seconds of conversation, or credits.
    pub used: u64,
    /// In the same unit.
    pub limit: u64,
}

/// The use of a budget reached a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThresholdCrossed {
    /// The budget.
    pub budget: Budget,
    /// 50, 80 or 100.
    pub percent: u8,
}
