//! Budgets: limits of use for each caller and for the installation, over a sliding hour or day.
//!
//! Pure: no clock, no I/O, no actor.

mod sliding_window;
mod spent;
mod terms;
#[cfg(test)]
mod tests;
mod thresholds;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use precall_call::{At, CallId, ConversationId};

use self::spent::ConversationUse;
pub use self::spent::Use;
pub use self::terms::{Budget, BudgetUse, ThresholdCrossed};
use crate::caller_key::CallerKey;
use crate::limits::budgets::sliding_window::SlidingWindow;
use crate::limits::budgets::thresholds::UsageThreshold;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The limits; none means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetLimits {
    /// `BUDGET_CALLER_CLONES_PER_DAY`.
    pub caller_clones_per_day: Option<u64>,
    /// `BUDGET_CALLER_LIVE_CALLS`.
    pub caller_live_calls: Option<u64>,
    /// `BUDGET_CALLER_CALLS_PER_HOUR`.
    pub caller_calls_per_hour: Option<u64>,
    /// `BUDGET_CLONES_PER_DAY`.
    pub clones_per_day: Option<u64>,
    /// `BUDGET_AGENT_MINUTES_PER_DAY`.
    pub agent_minutes_per_day: Option<u64>,
    /// `BUDGET_COST_PER_DAY`, in the provider's credits.
    pub cost_per_day: Option<u64>,
}

impl BudgetLimits {
    fn counts_no_clones(self) -> bool {
        self.caller_clones_per_day.is_none() && self.clones_per_day.is_none()
    }

    fn counts_no_conversations(self) -> bool {
        self.agent_minutes_per_day.is_none() && self.cost_per_day.is_none()
    }

    /// Whether these limits count something over time that the limits before did not count.
    #[must_use]
    pub(crate) fn count_more_than(self, before: Self) -> bool {
        (before.caller_calls_per_hour.is_none() && self.caller_calls_per_hour.is_some())
            || (before.counts_no_clones() && !self.counts_no_clones())
            || (before.counts_no_conversations() && !self.counts_no_conversations())
    }
}

/// Changes since the last [`Budgets::take_changes`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetChanges {
    /// Thresholds crossed, in order.
    pub crossed: Vec<ThresholdCrossed>,
    /// Refusals by budget.
    pub refused: HashMap<Budget, u64>,
}

/// Decides, counts what it allowed, and forgets it after the window. Use without a limit is not counted.
///
/// Memory: one entry per live call, 100,000 calls of an hour, and the clones and conversations of a day, 100,000
/// each.
/// Beyond that the oldest calls and clones no longer count. For conversations only the ids are forgotten, so the sums
/// stay right, but a second report of a forgotten conversation would count twice.
#[derive(Debug)]
pub struct Budgets {
    limits: BudgetLimits,
    live: HashMap<CallId, CallerKey>,
    live_of: HashMap<CallerKey, u64>,
    calls: SlidingWindow,
    clones: SlidingWindow,
    spent: ConversationUse,
    clones_threshold: UsageThreshold,
    minutes_threshold: UsageThreshold,
    cost_threshold: UsageThreshold,
    changes: BudgetChanges,
    latest: At,
}

impl Budgets {
    /// Budgets without use.
    #[must_use]
    pub fn new(limits: BudgetLimits) -> Self {
        Self {
            limits,
            live: HashMap::new(),
            live_of: HashMap::new(),
            calls: SlidingWindow::over(HOUR),
            clones: SlidingWindow::over(DAY),
            spent: ConversationUse::over(DAY),
            clones_threshold: UsageThreshold::of(Budget::ClonesPerDay),
            minutes_threshold: UsageThreshold::of(Budget::AgentMinutesPerDay),
            cost_threshold: UsageThreshold::of(Budget::CostPerDay),
            changes: BudgetChanges::default(),
            latest: At(i64::MIN),
        }
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> BudgetLimits {
        self.limits
    }

    /// Replaces the limits. What was counted stays. Returns the limits before.
    pub(crate) fn set_limits(&mut self, limits: BudgetLimits) -> BudgetLimits {
        std::mem::replace(&mut self.limits, limits)
    }

    /// Takes the use that `restored` has of budgets that had no limit before: it was not counted here. Live calls are
    /// not taken: one that has ended meanwhile would count for ever.
    pub(crate) fn adopt(&mut self, restored: Self, before: BudgetLimits) {
        if before.caller_calls_per_hour.is_none() {
            self.calls = restored.calls;
        }
        if before.counts_no_clones() {
            self.clones = restored.clones;
        }
        if before.counts_no_conversations() {
            self.spent = restored.spent;
        }
        self.check_thresholds();
    }

    /// Checks whether a new call is allowed; counts only a refusal. Without a caller (withheld number) only the
    /// budgets of the installation apply.
    ///
    /// # Errors
    /// The exhausted budget.
    pub(crate) fn may_call(&mut self, caller: Option<&CallerKey>, now: At) -> Result<(), Budget> {
        self.advance(now);
        let refused = self.used_up(caller);
        if let Some(budget) = refused {
            self.count_refusal(budget);
        }
        refused.map_or(Ok(()), Err)
    }

    /// Counts an admitted call. It is live until [`Self::call_over`].
    pub(crate) fn call_began(&mut self, call: CallId, caller: Option<&CallerKey>, now: At) {
        let now = self.advance(now);
        if let Some(caller) = caller {
            self.seed_call(caller, now);
            self.seed_live(call, caller);
        }
    }

    /// Ends a live call. Its count for the hour stays.
    pub fn call_over(&mut self, call: CallId) {
        let Some(caller) = self.live.remove(&call) else { return };
        let Some(count) = self.live_of.get_mut(&caller) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.live_of.remove(&caller);
        }
    }

    /// Whether this caller's voice may be cloned. Counts the clone if so.
    pub(crate) fn may_clone(&mut self, caller: &CallerKey, now: At) -> bool {
        let now = self.advance(now);
        let refused = if reached(self.clones.of(caller), self.limits.caller_clones_per_day) {
            Some(Budget::CallerClonesPerDay)
        } else if reached(self.clones.all(), self.limits.clones_per_day) {
            Some(Budget::ClonesPerDay)
        } else {
            None
        };
        if let Some(budget) = refused {
            self.count_refusal(budget);
            return false;
        }
        self.seed_clone(caller.clone(), now);
        self.check_thresholds();
        true
    }

    /// Gives back an allowed clone for which nothing was uploaded.
    pub(crate) fn clone_not_made(&mut self, caller: &CallerKey, now: At) {
        self.advance(now);
        self.clones.give_back(caller);
    }

    /// Counts a reported conversation once, with the highest values of its reports.
    pub fn conversation_over(&mut self, conversation: &ConversationId, took: Use, now: At) {
        let now = self.advance(now);
        self.seed_conversation(conversation, took, now);
        self.check_thresholds();
    }

    /// Adds a call from before the restart.
    pub(crate) fn seed_call(&mut self, caller: &CallerKey, at: At) {
        if self.limits.caller_calls_per_hour.is_some() {
            self.calls.add(caller.clone(), at);
        }
    }

    /// Adds a call from before the restart that is still live.
    pub(crate) fn seed_live(&mut self, call: CallId, caller: &CallerKey) {
        if self.limits.caller_live_calls.is_some() && self.live.insert(call, caller.clone()).is_none() {
            let count = self.live_of.entry(caller.clone()).or_insert(0);
            *count = count.saturating_add(1);
        }
    }

    /// Adds a clone from before the restart.
    pub(crate) fn seed_clone(&mut self, caller: CallerKey, at: At) {
        if !self.limits.counts_no_clones() {
            self.clones.add(caller, at);
        }
    }

    /// Adds a conversation reported before the restart.
    pub(crate) fn seed_conversation(&mut self, conversation: &ConversationId, took: Use, at: At) {
        if !self.limits.counts_no_conversations() {
            self.spent.add(conversation, took, at);
        }
    }

    /// Ends the seeding: thresholds crossed before the restart are not reported.
    pub(crate) fn seeded(&mut self, now: At) {
        self.advance(now);
        self.check_thresholds();
        self.changes = BudgetChanges::default();
    }

    /// Use of the installation's budgets.
    pub fn used(&mut self, now: At) -> Vec<BudgetUse> {
        self.advance(now);
        self.uses().collect()
    }

    /// Returns the changes since the last call of this function.
    pub(crate) fn take_changes(&mut self) -> BudgetChanges {
        std::mem::take(&mut self.changes)
    }

    fn uses(&self) -> impl Iterator<Item = BudgetUse> + use<> {
        let limits = self.limits;
        let of = |budget, used, limit: Option<u64>| limit.map(|limit| BudgetUse { budget, used, limit });
        let minutes = limits.agent_minutes_per_day.map(|minutes| minutes.saturating_mul(60));
        [
            of(Budget::ClonesPerDay, self.clones.all(), limits.clones_per_day),
            of(Budget::AgentMinutesPerDay, self.spent.all().seconds, minutes),
            of(Budget::CostPerDay, self.spent.all().credits, limits.cost_per_day),
        ]
        .into_iter()
        .flatten()
    }

    fn used_up(&self, caller: Option<&CallerKey>) -> Option<Budget> {
        let limits = self.limits;
        if let Some(caller) = caller {
            if reached(self.live_of.get(caller).copied().unwrap_or(0), limits.caller_live_calls) {
                return Some(Budget::CallerLiveCalls);
            }
            if reached(self.calls.of(caller), limits.caller_calls_per_hour) {
                return Some(Budget::CallerCallsPerHour);
            }
        }
        self.uses().find(|it| it.budget != Budget::ClonesPerDay && it.used >= it.limit).map(|it| it.budget)
    }

    fn count_refusal(&mut self, budget: Budget) {
        let count = self.changes.refused.entry(budget).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// If the clock is set back, counted use must neither vanish early nor stay for ever.
    fn advance(&mut self, now: At) -> At {
        let now = now.max(self.latest);
        self.latest = now;
        self.calls.forget(now);
        self.clones.forget(now);
        self.spent.forget(now);
        now
    }

    fn check_thresholds(&mut self) {
        let uses: Vec<BudgetUse> = self.uses().collect();
        for it in uses {
            let threshold = match it.budget {
                Budget::ClonesPerDay => &mut self.clones_threshold,
                Budget::AgentMinutesPerDay => &mut self.minutes_threshold,
                Budget::CostPerDay => &mut self.cost_threshold,
                Budget::CallerClonesPerDay | Budget::CallerLiveCalls | Budget::CallerCallsPerHour => continue,
            };
            threshold.check(it, &mut self.changes.crossed);
        }
    }
}

fn reached(used: u64, limit: Option<u64>) -> bool {
    limit.is_some_and(|limit| used >= limit)
}

/// The budgets, shared by calls and voices.
#[derive(Debug)]
pub struct SharedBudgets(Mutex<Budgets>);

impl SharedBudgets {
    /// Budgets without use.
    #[must_use]
    pub fn new(limits: BudgetLimits) -> Self {
        Self(Mutex::new(Budgets::new(limits)))
    }

    /// Lock it only briefly. A panic in another thread does not block the budgets.
    pub fn lock(&self) -> MutexGuard<'_, Budgets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
