//! Tests of budgets with their own clock.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use super::*;
use crate::limits::budgets::sliding_window::ENTRIES_MAX;

const NOW: At = At(1_700_000_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

fn caller(n: usize) -> CallerKey {
    CallerKey::of_default_account(&format!("+1202555{n:04}"))
}

fn id(n: usize) -> ConversationId {
    ConversationId::new(format!("conv_{n}"))
}

fn minutes(minutes: u64, credits: u64) -> Use {
    Use { seconds: minutes * 60, credits }
}

/// Asks for a call and starts it if it is allowed.
fn call(budgets: &mut Budgets, id: u128, whose: usize, now: At) -> Result<(), Budget> {
    budgets.may_call(Some(&caller(whose)), now)?;
    budgets.call_began(CallId(id), Some(&caller(whose)), now);
    Ok(())
}

fn clone(budgets: &mut Budgets, whose: usize, now: At) -> bool {
    budgets.may_clone(&caller(whose), now)
}

#[test]
fn without_limits_everything_is_allowed_and_nothing_is_stored() {
    let mut budgets = Budgets::new(BudgetLimits::default());
    for n in 0..1_000 {
        assert!(call(&mut budgets, n, 1, NOW).is_ok() && clone(&mut budgets, 1, NOW));
        budgets.conversation_over(&id(1), minutes(1_000, 1_000), NOW);
    }
    assert_eq!((budgets.used(NOW), budgets.take_changes()), (Vec::new(), BudgetChanges::default()));
    assert_eq!((budgets.live.len(), budgets.calls.all(), budgets.clones.all()), (0, 0, 0));
    assert_eq!(budgets.spent.all(), Use::default());
}

#[test]
fn the_hour_of_a_caller_slides_and_is_separate_from_other_callers() {
    let limits = BudgetLimits { caller_calls_per_hour: Some(2), ..BudgetLimits::default() };
    let mut budgets = Budgets::new(limits);
    assert_eq!(call(&mut budgets, 1, 1, NOW), Ok(()));
    assert_eq!(call(&mut budgets, 2, 1, NOW.plus(SECOND)), Ok(()));
    assert_eq!(call(&mut budgets, 3, 1, NOW.plus(SECOND * 2)), Err(Budget::CallerCallsPerHour));
    assert_eq!(call(&mut budgets, 4, 2, NOW.plus(SECOND * 2)), Ok(()));
    assert_eq!(
        budgets.may_call(None, NOW.plus(SECOND * 2)),
        Ok(()),
        "a withheld number has no caller budget"
    );
    let elsewhere = CallerKey { account: "another".to_owned(), ..caller(1) };
    assert_eq!(budgets.may_call(Some(&elsewhere), NOW.plus(SECOND * 2)), Ok(()), "another account");
    // The refused call did not count: the first call leaves the window and one more is allowed.
    assert_eq!(call(&mut budgets, 5, 1, NOW.plus(HOUR)), Ok(()));
    assert_eq!(call(&mut budgets, 6, 1, NOW.plus(HOUR)), Err(Budget::CallerCallsPerHour));
    assert_eq!(call(&mut budgets, 7, 1, NOW), Err(Budget::CallerCallsPerHour), "a clock that was set back");
    assert_eq!(budgets.take_changes().refused, HashMap::from([(Budget::CallerCallsPerHour, 3)]));
    assert_eq!(budgets.take_changes(), BudgetChanges::default(), "reported once");
}

#[test]
fn live_calls_count_until_they_are_over() {
    let limits = BudgetLimits { caller_live_calls: Some(1), ..BudgetLimits::default() };
    let mut budgets = Budgets::new(limits);
    budgets.seed_live(CallId(1), &caller(1));
    budgets.seed_live(CallId(1), &caller(1));
    budgets.seeded(NOW);
    assert_eq!(
        call(&mut budgets, 2, 1, NOW.plus(DAY)),
        Err(Budget::CallerLiveCalls),
        "counts across a restart"
    );
    budgets.call_over(CallId(1));
    budgets.call_over(CallId(1));
    assert_eq!(call(&mut budgets, 2, 1, NOW.plus(DAY)), Ok(()));
    budgets.call_over(CallId(2));
    assert_eq!((budgets.live.len(), budgets.live_of.len()), (0, 0), "nothing is left in memory");
}

#[test]
fn a_clone_counts_when_allowed_and_is_given_back_if_not_made() {
    let limits =
        BudgetLimits { caller_clones_per_day: Some(1), clones_per_day: Some(2), ..BudgetLimits::default() };
    let mut budgets = Budgets::new(limits);
    budgets.seed_clone(caller(1), NOW);
    budgets.seeded(NOW);
    assert!(!clone(&mut budgets, 1, NOW.plus(SECOND)), "one before the restart");
    assert!(clone(&mut budgets, 2, NOW.plus(SECOND)));
    assert!(!clone(&mut budgets, 3, NOW.plus(SECOND * 2)), "two clones of all callers");
    budgets.clone_not_made(&caller(2), NOW.plus(SECOND * 2));
    assert!(clone(&mut budgets, 3, NOW.plus(SECOND * 2)));
    assert!(!clone(&mut budgets, 2, NOW.plus(SECOND * 2)));
    assert!(clone(&mut budgets, 1, NOW.plus(DAY)), "a day later");
    assert_eq!(budgets.may_call(Some(&caller(1)), NOW.plus(DAY)), Ok(()), "calls are not affected");
    let refused = [(Budget::CallerClonesPerDay, 1), (Budget::ClonesPerDay, 2)];
    assert_eq!(budgets.take_changes().refused, HashMap::from(refused));
}

#[test]
fn a_conversation_counts_once_with_the_highest_reported_values() {
    let limits =
        BudgetLimits { agent_minutes_per_day: Some(10), cost_per_day: Some(100), ..BudgetLimits::default() };
    let mut budgets = Budgets::new(limits);
    budgets.seed_conversation(&id(1), minutes(4, 0), NOW);
    budgets.seeded(NOW);
    for _ in 0..5 {
        budgets.conversation_over(&id(1), minutes(4, 30), NOW.plus(SECOND));
    }
    let used = |budgets: &mut Budgets, now| budgets.used(now).iter().map(|it| it.used).collect::<Vec<_>>();
    assert_eq!(used(&mut budgets, NOW.plus(SECOND)), [240, 30]);
    budgets.conversation_over(&id(2), minutes(6, 0), NOW.plus(HOUR));
    assert_eq!(budgets.may_call(None, NOW.plus(HOUR)), Err(Budget::AgentMinutesPerDay));
    // By the minute: the whole minute must be a day old.
    assert!(budgets.may_call(None, NOW.plus(DAY - SECOND * 60)).is_err());
    assert_eq!(budgets.may_call(None, NOW.plus(DAY + SECOND * 60)), Ok(()));
    assert_eq!(used(&mut budgets, NOW.plus(DAY + SECOND * 60)), [360, 0]);
    budgets.conversation_over(&id(3), minutes(0, 100), NOW.plus(DAY + SECOND * 60));
    assert_eq!(budgets.may_call(Some(&caller(1)), NOW.plus(DAY + HOUR)), Err(Budget::CostPerDay));
    assert_eq!(used(&mut budgets, NOW.plus(DAY * 3)), [0, 0]);
    assert!(budgets.spent.is_empty(), "nothing is left in memory");
}

#[test]
fn a_threshold_is_reported_once_until_use_falls_clearly_below_it() {
    let limits = BudgetLimits { clones_per_day: Some(100), ..BudgetLimits::default() };
    let mut budgets = Budgets::new(limits);
    let crossed_percents = |budgets: &mut Budgets| {
        budgets.take_changes().crossed.iter().map(|crossed| crossed.percent).collect::<Vec<_>>()
    };
    for n in 0..49 {
        assert!(clone(&mut budgets, n, NOW));
    }
    assert_eq!(crossed_percents(&mut budgets), [] as [u8; 0]);
    let give_back = |budgets: &mut Budgets, n| {
        budgets.clone_not_made(&caller(n), NOW);
    };
    clone(&mut budgets, 49, NOW);
    give_back(&mut budgets, 49);
    clone(&mut budgets, 49, NOW);
    assert_eq!(crossed_percents(&mut budgets), [50], "small changes around it are one crossing");
    for n in 50..100 {
        assert!(clone(&mut budgets, n, NOW));
    }
    assert!(!clone(&mut budgets, 100, NOW));
    assert_eq!(crossed_percents(&mut budgets), [80, 100]);
    // A day later the use is zero, and the threshold is reported again.
    for n in 0..50 {
        clone(&mut budgets, n, NOW.plus(DAY));
    }
    assert_eq!(crossed_percents(&mut budgets), [50]);
    let mut restarted = Budgets::new(limits);
    for n in 0..85 {
        restarted.seed_clone(caller(n), NOW);
    }
    restarted.seeded(NOW);
    clone(&mut restarted, 85, NOW);
    assert_eq!(crossed_percents(&mut restarted), [] as [u8; 0], "reported before the restart");
}

#[test]
fn memory_is_bounded_and_sums_stay_right_above_the_bound() {
    let limits = BudgetLimits {
        caller_calls_per_hour: Some(1),
        agent_minutes_per_day: Some(1_000_000),
        ..BudgetLimits::default()
    };
    let mut budgets = Budgets::new(limits);
    for n in 0..=ENTRIES_MAX {
        budgets.seed_call(&caller(n), NOW.plus(Duration::from_millis(u64::try_from(n).unwrap())));
        budgets.conversation_over(&id(n), minutes(1, 0), NOW);
    }
    let then = NOW.plus(SECOND * 200);
    assert_eq!(budgets.may_call(Some(&caller(0)), then), Ok(()), "the oldest is forgotten");
    assert_eq!(budgets.may_call(Some(&caller(1)), then), Err(Budget::CallerCallsPerHour));
    let expected = u64::try_from(ENTRIES_MAX + 1).unwrap() * 60;
    assert_eq!(budgets.used(then).first().unwrap().used, expected);
    budgets.conversation_over(&id(1), minutes(1, 0), then);
    assert_eq!(budgets.used(then).first().unwrap().used, expected, "its id is remembered");
    budgets.conversation_over(&id(0), minutes(1, 0), then);
    assert_eq!(budgets.used(then).first().unwrap().used, expected + 60, "its id is forgotten");
}
