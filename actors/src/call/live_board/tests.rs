//! Tests of the board: what it shows, what it says of changes, and what it forgets.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::time::Duration;

use precall_call::{
    Admission, Blame, Call, Cause, Event, HandoffFailure, LineId, NoVoice, Offer, Policy, Release, Route,
    Told, Voice, open,
};

use super::*;
use crate::observe::test_policy::test_policy;
use crate::voices::terms::CloneStage;

const NOW: At = At(1_700_000_000_000_000);

fn policy() -> Policy {
    let line = LineId::new("reception");
    Policy { line, has_bridge: true, has_destination: true, ..test_policy(Route::Bridge) }
}

fn call(admission: Admission) -> Call {
    open(&Offer { policy: Arc::new(policy()), admission }, NOW).next
}

fn notes() -> BoardNotes {
    let parties = Parties {
        threecx_call_id: Some("77".to_owned()),
        pbx: "main".to_owned(),
        caller: "+49*****678".to_owned(),
        called: None,
        line: "reception".to_owned(),
    };
    BoardNotes::new(parties, Some("offered"))
}

fn show(board: &Board, id: u128, call: &Call, notes: &BoardNotes) {
    board.show(ShownCall { id: CallId(id), call, notes, actors: vec!["call"] });
}

fn ended(id: u128, ended_at: At, failed: bool) -> EndedCall {
    let release = Release { cause: Cause::Busy, blame: Some(Blame::Provider), told: Told::Nothing };
    let call = call(Admission::Refused(Cause::Busy));
    let parties = Arc::clone(&notes().parties);
    EndedCall { ended_at, failed, release, ..EndedCall::of(CallId(id), parties, &call).unwrap() }
}

fn ids(calls: &[EndedCall]) -> Vec<u128> {
    calls.iter().map(|call| call.id.0).collect()
}

#[test]
fn a_change_has_a_version_and_a_repetition_has_none() {
    let (board, mut call) = (Board::default(), call(Admission::Accepted));
    let mut versions = board.versions();
    show(&board, 1, &call, &notes());
    show(&board, 2, &call, &notes());
    assert!(versions.has_changed().unwrap());
    let seen = *versions.borrow_and_update();
    show(&board, 1, &call, &notes());
    assert!(!versions.has_changed().unwrap(), "nothing has changed");
    call.at = NOW.plus(Duration::from_secs(1));
    show(&board, 2, &call, &notes());
    let changes = board.changes(seen, NOW).unwrap();
    assert_eq!(changes.live.iter().map(|call| call.id.0).collect::<Vec<_>>(), [2]);
    assert_eq!((changes.counters.live, changes.version), (2, *versions.borrow()));
    assert!(board.changes(changes.version, NOW).unwrap().live.is_empty());
}

#[test]
fn a_call_that_ended_stays_for_five_minutes() {
    let board = Board::default();
    show(&board, 1, &call(Admission::Accepted), &notes());
    let before = board.view(NOW).version;
    show(&board, 1, &call(Admission::Refused(Cause::Budget)), &notes());
    let changes = board.changes(before, NOW).unwrap();
    assert_eq!((changes.live.len(), changes.counters.live), (0, 0));
    assert_eq!(ids(&changes.ended), [1]);
    let ended = changes.ended.first().unwrap();
    assert_eq!((ended.release.cause, ended.failed, ended.ended_at), (Cause::Budget, true, NOW));
    assert_eq!(changes.gone, [], "it is still on the board");
    board.remove(CallId(1));
    assert_eq!(ids(&board.view(NOW).ended), [1], "its actor has stopped");

    let later = NOW.plus(ended::KEPT_FOR);
    assert_eq!(board.view(later).ended, [], "not shown, although nobody has removed it");
    board.expire(later);
    let gone = board.changes(changes.version, later).unwrap();
    assert_eq!(gone.gone, [CallId(1)]);
    assert_eq!(gone.counters.failed_last_hour, 1);
    assert_eq!(board.view(NOW.plus(Duration::from_secs(3_700))).counters.failed_last_hour, 0);
}

#[test]
fn a_call_that_was_refused_at_once_is_shown_and_one_that_is_read_back_for_a_report_is_not() {
    let (board, refused) = (Board::default(), call(Admission::Refused(Cause::AtCapacity)));
    board.expect(CallId(1));
    show(&board, 1, &refused, &notes());
    show(&board, 2, &refused, &notes());
    assert_eq!(ids(&board.view(NOW).ended), [1]);
    // What a report adds to an ended call is shown, and a conversation after all is no failure.
    let mut reported = refused.clone();
    reported.utterances = 1;
    let before = board.view(NOW).version;
    show(&board, 1, &reported, &notes());
    let changes = board.changes(before, NOW).unwrap();
    assert_eq!((ids(&changes.ended), changes.counters.failed_last_hour), (vec![1], 0));
}

#[test]
fn of_too_many_ended_calls_the_oldest_go_and_failed_ones_last() {
    let board = Board::default();
    board.end(ended(1, NOW, true));
    board.end(ended(2, NOW, false));
    for id in 3..=500 {
        board.end(ended(id, NOW, id % 2 == 0));
    }
    let before = board.view(NOW).version;
    for id in 501..=503 {
        board.end(ended(id, NOW, true));
    }
    let view = board.view(NOW);
    assert_eq!(view.ended.len(), ended::ENDED_MAX);
    assert_eq!(ids(&view.ended).get(..4).unwrap(), [1, 4, 6, 7]);
    assert_eq!(board.changes(before, NOW).unwrap().gone, [CallId(2), CallId(3), CallId(5)]);
    for id in 504..=1_100 {
        board.end(ended(id, NOW, true));
    }
    assert_eq!(board.view(NOW).ended.first().unwrap().id, CallId(601), "all failed: the oldest went");
}

#[test]
fn a_reader_that_is_too_far_behind_reads_all_again() {
    let board = Board::default();
    board.end(ended(0, NOW, true));
    let before = board.view(NOW).version;
    for id in 1..=2_600 {
        board.end(ended(id, NOW, true));
    }
    assert!(board.changes(before, NOW).is_none());
    assert!(board.changes(board.view(NOW).version, NOW).is_some());
}

#[test]
fn the_room_for_calls_that_left_stays_as_large_as_at_the_start() {
    let mut shown = Shown::default();
    let at_the_start = shown.gone.capacity();
    shown.leave((0..5_000).map(CallId).collect());
    assert_eq!((shown.gone.len(), shown.gone.capacity()), (GONE_MAX, at_the_start));
    assert_eq!((shown.gone.front().unwrap().value, shown.forgotten), (CallId(2_952), 2_952));
}

#[test]
fn a_live_call_without_an_actor_leaves_and_may_come_back() {
    let (board, call) = (Board::default(), call(Admission::Accepted));
    show(&board, 1, &call, &notes());
    let before = board.view(NOW).version;
    board.remove(CallId(1));
    assert_eq!(board.changes(before, NOW).unwrap().gone, [CallId(1)]);
    show(&board, 1, &call, &notes());
    let changes = board.changes(before, NOW).unwrap();
    assert_eq!((changes.live.len(), changes.gone), (1, Vec::new()), "it is back");
}

#[test]
fn the_clone_of_a_call_goes_through_its_stages() {
    let (board, mut call, mut notes) = (Board::default(), call(Admission::Accepted), notes());
    let stage = |call: &Call, notes: &BoardNotes| {
        show(&board, 1, call, notes);
        board.find(CallId(1)).unwrap().clone.map(|clone| (clone.stage, clone.since))
    };
    call.awaits_voice = true;
    assert_eq!(stage(&call, &notes), None, "nothing is cloned yet");
    notes.clone =
        Some(CloneProgress { stage: CloneStage::Uploading, since: NOW, asked_at: NOW, until: Some(NOW) });
    assert_eq!(stage(&call, &notes), Some((CloneStage::Uploading, NOW)));
    // The call has given up, and a late clone may still come.
    call.voice = Voice::Fallback(NoVoice::CloneTimeout);
    assert_eq!(stage(&call, &notes), Some((CloneStage::Uploading, NOW)));
    let decided = NOW.plus(Duration::from_secs(5));
    (call.awaits_voice, call.instants.voice_decided) = (false, Some(decided));
    assert_eq!(stage(&call, &notes), Some((CloneStage::Failed, decided)));
    call.voice = Voice::Cloned(precall_call::VoiceId::new("v"));
    assert_eq!(stage(&call, &notes), Some((CloneStage::Ready, decided)));
}

#[test]
fn a_problem_is_told_in_words_and_a_rule_is_none() {
    use crate::observe::call_outcomes::failure_in;
    let (board, mut call, mut notes) = (Board::default(), call(Admission::Accepted), notes());
    let problem = |call: &Call, notes: &BoardNotes| {
        show(&board, 1, call, notes);
        assert_eq!(
            board.view(NOW).counters.with_problem,
            usize::from(board.find(CallId(1)).unwrap().problem.is_some())
        );
        board.find(CallId(1)).unwrap().problem.map(std::borrow::Cow::into_owned)
    };
    assert_eq!(problem(&call, &notes), None);
    call.voice = Voice::Fallback(NoVoice::NoConsent);
    assert_eq!(problem(&call, &notes), None, "the caller gets no clone on purpose");
    call.voice = Voice::Fallback(NoVoice::NoSlot);
    assert_eq!(problem(&call, &notes).unwrap(), "fallback voice: no free voice slot");
    let failed = Event::HandoffFailed { attempt: 1, why: HandoffFailure::OverrideRefused };
    notes.failure = failure_in(&failed, Some("Override for +493012345678 is not allowed"), &call);
    let words = "handoff attempt 1 failed: Override for +***78 is not allowed";
    assert_eq!(problem(&call, &notes).unwrap(), words);
}
