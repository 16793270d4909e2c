//! Tests of the rules: when an area is degraded, and how it gets well again.
#![allow(clippy::indexing_slicing)] // A failed test is a failed test.

use super::*;

const SECOND: i64 = 1_000_000;

fn at(seconds: i64) -> At {
    At(seconds * SECOND)
}

fn call(n: u128) -> Option<CallId> {
    Some(CallId(n))
}

/// One letter an outcome, a second each: `f` failed, `s` succeeded. Each is of another call.
fn after(area: Area, letters: &str) -> Outcomes {
    let mut outcomes = Outcomes::default();
    for (n, letter) in (0_u32..).zip(letters.chars()) {
        let (whose, now) = (call(n.into()), at(n.into()));
        match letter {
            'f' => outcomes.failed(area, whose, "refused", now),
            _ => outcomes.succeeded(area, whose, now),
        }
    }
    outcomes
}

fn is_degraded(outcomes: &Outcomes, now: At) -> bool {
    !outcomes.problems(now).is_empty()
}

#[test]
fn work_is_degraded_by_the_rule() {
    let table = [
        ("", false),
        ("s", false),
        ("f", true), // All of them failed.
        ("ff", true),
        ("fs", false), // The next success clears it.
        ("ffs", false),
        ("sf", false), // One of two is not yet a pattern.
        ("ssssff", false),
        ("ssssfff", true), // Three in a row.
        ("ssssfffs", false),
        ("fsfs", true), // Half of four.
        ("fsfss", false),
        ("fffs", true),
        ("fffsss", true),
        ("fffssss", false),
    ];
    for area in [Area::Clone, Area::Handoff, Area::Greeting, Area::LegAudio] {
        for (letters, degraded) in table {
            assert_eq!(is_degraded(&after(area, letters), at(60)), degraded, "{area:?} {letters}");
        }
    }
}

#[test]
fn strangers_cannot_degrade_webhooks_that_work() {
    for (letters, degraded) in [("ff", false), ("fff", true), ("fffs", false), ("sfffffff", false)] {
        for area in [Area::ThreeCxWebhook, Area::ReportWebhook, Area::InitiationWebhook] {
            assert_eq!(is_degraded(&after(area, letters), at(60)), degraded, "{area:?} {letters}");
        }
    }
}

#[test]
fn webhooks_that_stopped_working_are_seen_after_minutes() {
    let mut outcomes = after(Area::ThreeCxWebhook, "sss");
    for seconds in [60, 120, 180] {
        outcomes.failed(Area::ThreeCxWebhook, None, "401 signature_wrong", at(seconds));
    }
    assert!(!is_degraded(&outcomes, at(181)));
    outcomes.failed(Area::ThreeCxWebhook, None, "401 signature_wrong", at(190));
    assert!(is_degraded(&outcomes, at(191)));
}

#[test]
fn a_problem_says_since_when_how_often_whose_and_in_which_words() {
    let mut outcomes = after(Area::Handoff, "ff");
    outcomes.reason(
        Area::Handoff,
        CallId(9),
        "not_found, status 404, agent_not_found: no agent +49301234567",
    );
    outcomes.failed(Area::Handoff, call(9), "refused", at(30));
    let problems = outcomes.problems(at(60));
    assert_eq!(problems.len(), 1);
    let problem = &problems[0];
    assert_eq!((problem.area, problem.since, problem.call), ("handoff", at(0), call(9)));
    assert_eq!((problem.failed, problem.succeeded), (3, 0));
    assert_eq!(problem.words, "not_found, status 404, agent_not_found: no agent +***67");
    assert!(problem.remedy.contains("ELEVENLABS_AGENT_ID"), "{}", problem.remedy);
}

#[test]
fn a_call_counts_once_and_a_second_attempt_does_not_undo_the_first() {
    let mut outcomes = Outcomes::default();
    for _ in 0..5 {
        outcomes.failed(Area::Handoff, call(1), "override voice_id is not allowed", at(1));
    }
    outcomes.succeeded(Area::Handoff, call(1), at(2));
    let problems = outcomes.problems(at(3));
    assert_eq!((problems[0].failed, problems[0].succeeded), (1, 0));
    assert!(problems[0].remedy.contains("override"));
    outcomes.succeeded(Area::Handoff, call(2), at(4));
    assert!(!is_degraded(&outcomes, at(5)));
    // Calls that explain nothing do not hide the provider's words.
    outcomes.reason(Area::Clone, CallId(4), "slots_full, status 400");
    outcomes.failed_again(Area::Clone, call(4), "the clone failed", at(5));
    outcomes.failed_again(Area::Clone, call(5), "not tried", at(5));
    assert_eq!(outcomes.problems(at(5))[0].words, "slots_full, status 400");
    // A greeting that the provider accepted may fail later.
    outcomes.succeeded(Area::Greeting, call(3), at(6));
    outcomes.failed(Area::Greeting, call(3), "failed", at(7));
    let greeting = outcomes.problems(at(8)).into_iter().find(|problem| problem.area == "greeting");
    assert_eq!(greeting.map(|greeting| (greeting.failed, greeting.succeeded)), Some((1, 0)));
}

#[test]
fn work_decays_only_after_a_good_probe() {
    let mut outcomes = after(Area::Clone, "fff");
    outcomes.probed(Ok(()), at(60));
    assert!(is_degraded(&outcomes, at(61)), "a probe does not hide failing work");
    assert!(is_degraded(&outcomes, at(599)));
    assert!(!is_degraded(&outcomes, at(603)));
    let unprobed = after(Area::Clone, "fff");
    assert!(is_degraded(&unprobed, at(100_000)), "nothing says that it is well again");
    let mut broken = after(Area::Clone, "fff");
    broken.probed(Ok(()), at(60));
    broken.probed(Err("unauthorised, status 401"), at(120));
    assert_eq!(broken.problems(at(1000)).len(), 2);
    // Webhooks have no probe.
    assert!(!is_degraded(&after(Area::ThreeCxWebhook, "fff"), at(603)));
}

#[test]
fn a_bad_probe_is_a_problem_of_its_own_until_a_good_one() {
    let mut outcomes = Outcomes::default();
    outcomes.probed(Err("unauthorised, status 401, invalid_api_key: Invalid API key"), at(1));
    outcomes.probed(Err("timeout: no answer in 10 s"), at(61));
    let problems = outcomes.problems(at(62));
    assert_eq!((problems[0].area, problems[0].since), ("elevenlabs", at(1)));
    assert!(problems[0].words.starts_with("timeout"));
    outcomes.probed(Ok(()), at(121));
    assert_eq!(outcomes.problems(at(122)), []);
}

#[test]
fn memory_is_bounded() {
    let mut outcomes = Outcomes::default();
    for n in 0..10_000 {
        outcomes.reason(Area::Clone, CallId(n), &"x".repeat(10_000));
        outcomes.failed(Area::Handoff, call(n), &"0123456789 ".repeat(1_000), at(1));
    }
    assert_eq!((outcomes.reasons.len(), outcomes.histories[&Area::Handoff].outcomes.len()), (64, 64));
    assert!(outcomes.problems(at(2))[0].words.chars().count() <= 300);
    assert!(outcomes.reasons.iter().all(|(_, _, words)| words.len() <= 300));
}
