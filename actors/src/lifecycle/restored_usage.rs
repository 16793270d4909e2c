//! Restores budgets and seats at the start, from the database and from what still waits in spools.

use std::time::Duration;

use precall_call::At;
use precall_store::error::StoreError;
use precall_store::recovery::budget_use;
use tokio_postgres::GenericClient;

use crate::call::services::CallServices;
use crate::caller_key::CallerKey;
use crate::lifecycle::still_spooled::StillSpooled;
use crate::limits::budgets::{BudgetLimits, Budgets, Use};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The current budgets. Calls that may have a conversation get a seat; each keeps or releases it once its log is
/// read.
pub(super) async fn budgets(
    services: &CallServices,
    client: &impl GenericClient,
    spooled: &StillSpooled,
    now: At,
) -> Result<Budgets, StoreError> {
    let limits = services.budgets.lock().limits();
    let mut budgets = counted(limits, client, spooled, now).await?;
    for live in budget_use::live(client).await? {
        if let Some(caller) = live.caller {
            budgets.seed_live(live.call, &CallerKey { account: live.account, caller });
        }
        if live.has_conversation {
            services.agent_seats.hold(live.call);
        }
    }
    budgets.seeded(now);
    Ok(budgets)
}

/// What was used within the last hour and day, without live calls.
pub(super) async fn counted(
    limits: BudgetLimits,
    client: &impl GenericClient,
    spooled: &StillSpooled,
    now: At,
) -> Result<Budgets, StoreError> {
    let ago = |span: Duration| At(now.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)));
    let mut budgets = Budgets::new(limits);
    // Only configured budgets need their history.
    if limits.caller_calls_per_hour.is_some() {
        for call in budget_use::calls(client, ago(HOUR)).await? {
            budgets.seed_call(&CallerKey { account: call.account, caller: call.caller }, call.at);
        }
        for over in spooled.accepted(ago(HOUR)) {
            if let Some(caller) = over.key.caller.clone() {
                budgets.seed_call(&CallerKey { account: over.account.clone(), caller }, over.key.first_seen);
            }
        }
    }
    if limits.clones_per_day.is_some() || limits.caller_clones_per_day.is_some() {
        for clone in budget_use::clones(client, ago(DAY)).await? {
            budgets.seed_clone(CallerKey { account: clone.account, caller: clone.caller }, clone.at);
        }
    }
    if limits.agent_minutes_per_day.is_some() || limits.cost_per_day.is_some() {
        let spooled = spooled.conversations.iter().filter(|took| took.at > ago(DAY)).cloned();
        for took in budget_use::conversations(client, ago(DAY)).await?.into_iter().chain(spooled) {
            let count = |n: i64| u64::try_from(n).unwrap_or(0);
            let used = Use { seconds: count(took.seconds), credits: count(took.credits) };
            budgets.seed_conversation(&took.conversation, used, took.at);
        }
    }
    budgets.seeded(now);
    Ok(budgets)
}
