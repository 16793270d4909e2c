//! Tests of call registry.
#![allow(clippy::unwrap_used)] // A failing test may panic.

use super::*;

const NOW: At = At(1_700_000_000_000_000);

fn at(seconds: i64) -> At {
    At(NOW.0 + seconds * 1_000_000)
}

fn sighting(id: Option<&str>, caller: &str) -> Sighting {
    let region = "DE".parse().unwrap();
    Sighting {
        pbx: "default".into(),
        threecx_call_id: id.map(Into::into),
        caller: CallerNumber::parse(caller, region),
        called: Some(CallerNumber::parse("+4930901820", region)),
    }
}

const A: &str = "+4915112345678";
const B: &str = "+4915112345679";

#[test]
fn a_repeated_webhook_is_the_same_call_for_35_minutes_and_for_as_long_as_the_call_lives() {
    let mut registry = CallRegistry::default();
    assert_eq!(registry.find(&sighting(Some("7"), A), NOW), SightingMatch::New);
    registry.admit(CallId(1), sighting(Some("7"), A), NOW);
    assert_eq!(registry.find(&sighting(Some("7"), A), at(1)), SightingMatch::Call(CallId(1)));
    assert_eq!(registry.find(&sighting(Some("7"), A), at(3 * 3600)), SightingMatch::Call(CallId(1)));
    registry.released(CallId(1));
    assert_eq!(registry.live(), 0);
    assert_eq!(registry.find(&sighting(Some("7"), A), at(3 * 3600 + 60)), SightingMatch::Call(CallId(1)));
    assert_eq!(registry.find(&sighting(Some("7"), A), at(6 * 3600)), SightingMatch::New);
}

#[test]
fn of_two_calls_that_are_one_at_the_pbx_the_earlier_was_taken_again() {
    let mut registry = CallRegistry::default();
    for (call, id, caller, seen) in [(1, "7", A, 0), (2, "7", A, 9), (3, "7", B, 9), (4, "8", A, 9)] {
        registry.insert(CallId(call), sighting(Some(id), caller), at(seen), CallLiveness::Live);
    }
    let taken_again = (1..=4).filter(|call| registry.was_taken_again(CallId(*call)));
    assert_eq!(taken_again.collect::<Vec<_>>(), [1]);
}

#[test]
fn another_caller_with_the_same_id_is_another_call() {
    let mut registry = CallRegistry::default();
    registry.admit(CallId(1), sighting(Some("7"), A), NOW);
    assert_eq!(registry.find(&sighting(Some("7"), B), at(1)), SightingMatch::New);
}

#[test]
fn without_an_id_number_and_time_must_match_exactly_one_call() {
    let mut registry = CallRegistry::default();
    registry.admit(CallId(1), sighting(Some("7"), A), NOW);
    assert_eq!(registry.find(&sighting(None, A), at(9)), SightingMatch::Call(CallId(1)));
    assert_eq!(registry.find(&sighting(None, A), at(11)), SightingMatch::New);
    assert_eq!(registry.find(&sighting(None, B), at(1)), SightingMatch::New);
    assert_eq!(registry.find(&sighting(Some("8"), A), at(1)), SightingMatch::New, "two ids are two calls");
    registry.admit(CallId(2), sighting(Some("8"), A), at(1));
    assert_eq!(registry.find(&sighting(None, A), at(2)), SightingMatch::New, "two calls fit");
}

#[test]
fn withheld_numbers_match_only_by_id() {
    let mut registry = CallRegistry::default();
    registry.admit(CallId(1), sighting(Some("7"), "anonymous"), NOW);
    assert_eq!(registry.find(&sighting(None, "anonymous"), at(1)), SightingMatch::New);
    assert_eq!(registry.find(&sighting(Some("7"), "anonymous"), at(1)), SightingMatch::Call(CallId(1)));
}

#[test]
fn an_early_end_matches_its_call_once() {
    let mut registry = CallRegistry::default();
    assert_eq!(registry.find_for_notice(&sighting(Some("7"), "anonymous"), NOW), None);
    assert!(registry.ended_early("default", "7", NOW));
    assert_eq!(registry.find(&sighting(Some("7"), A), at(5)), SightingMatch::EndedBefore);
    registry.admit(CallId(1), sighting(Some("7"), A), at(5));
    assert_eq!(registry.find(&sighting(Some("7"), A), at(6)), SightingMatch::Call(CallId(1)));
}

#[test]
fn early_ends_are_forgotten_by_age_and_by_number() {
    let mut registry = CallRegistry::default();
    assert!(registry.ended_early("default", "7", NOW));
    assert!(registry.ended_early("default", "8", at(5)));
    assert!(!registry.ended_early("default", "7", at(60)), "known");
    let late = |seconds| NOW.plus(REMEMBERED).plus(Duration::from_secs(seconds));
    assert_eq!(registry.find(&sighting(Some("8"), A), late(6)), SightingMatch::New);
    // Its call came, and a later call of the same id ended early as well.
    assert!(registry.ended_early("default", "9", late(6)));
    registry.admit(CallId(1), sighting(Some("9"), A), late(7));
    assert!(registry.ended_early("default", "9", late(8)));
    assert_eq!(registry.find(&sighting(Some("9"), B), late(9)), SightingMatch::EndedBefore);
    for n in 0..=EARLY_ENDS_MAX {
        assert!(registry.ended_early("default", &format!("x{n}"), late(10)));
    }
    assert_eq!(registry.find(&sighting(Some("x0"), A), late(10)), SightingMatch::New, "the oldest");
    assert_eq!(registry.find(&sighting(Some("x1"), A), late(10)), SightingMatch::EndedBefore);
    assert_eq!(registry.early_ends.len(), EARLY_ENDS_MAX);
}

#[test]
fn an_extension_matches_without_an_id_and_is_no_public_caller() {
    let mut registry = CallRegistry::default();
    let extension =
        || Sighting { caller: CallerNumber::parse("104", "DE".parse().unwrap()), ..sighting(None, A) };
    assert!(matches!(extension().caller, CallerNumber::Internal(_)));
    registry.admit(CallId(1), extension(), NOW);
    assert_eq!(registry.find(&extension(), at(1)), SightingMatch::Call(CallId(1)));
    assert_eq!(registry.live_calls_of(&extension().caller).count(), 0);
    registry.released(CallId(1));
    assert_eq!(registry.find(&extension(), at(1)), SightingMatch::New);
}

#[test]
fn a_notice_without_a_caller_is_about_the_latest_call_with_its_id() {
    let mut registry = CallRegistry::default();
    registry.admit(CallId(1), sighting(Some("7"), A), NOW);
    registry.released(CallId(1));
    registry.admit(CallId(2), sighting(Some("7"), B), at(1));
    assert_eq!(registry.find_for_notice(&sighting(Some("7"), "anonymous"), at(2)), Some(CallId(2)));
    assert_eq!(registry.find_for_notice(&sighting(Some("7"), A), at(2)), Some(CallId(1)));
}

#[test]
fn a_report_without_an_id_is_about_the_one_call_that_came_in_while_the_pbx_call_lasted() {
    let mut registry = CallRegistry::default();
    registry.admit(CallId(1), sighting(Some("7"), A), NOW);
    registry.released(CallId(1));
    let caller = |number| sighting(None, number).caller;
    let mut of =
        |number, began, ended| registry.find_for_report(&caller(number), (at(began), at(ended)), at(60));
    assert_eq!(of(A, -30, 20), Some(CallId(1)), "the PBX had it before precall");
    assert_eq!(of(A, 10, 20), Some(CallId(1)), "a clock that is ten seconds ahead");
    assert_eq!(of(A, 11, 20), None, "precall had it before the PBX");
    assert_eq!(of(A, -30, -1), None, "a report of the call before says nothing of this one");
    assert_eq!(of(B, -30, 20), None, "another caller");
    assert_eq!(of("anonymous", -30, 20), None, "callers without a number are not told apart");
    registry.admit(CallId(2), sighting(Some("8"), A), at(5));
    let mut of = |began, ended| registry.find_for_report(&caller(A), (at(began), at(ended)), at(60));
    assert_eq!(of(-1, 20), None, "two calls fit");
    assert_eq!(of(-1, 4), Some(CallId(1)), "one of the two");
}

#[test]
fn calls_of_one_id_are_found_until_each_is_forgotten() {
    let mut calls = CallsById::default();
    let of = |calls: &CallsById, id: u8| {
        let mut of: Vec<u128> = calls.of(&[id; 16]).map(|call| call.0).collect();
        of.sort_unstable();
        of
    };
    for (id, call) in [(7, 3), (7, 1), (7, 2), (7, 3), (7, 2), (8, 4)] {
        calls.insert([id; 16], CallId(call));
    }
    assert_eq!((of(&calls, 7), of(&calls, 8), of(&calls, 9)), (vec![1, 2, 3], vec![4], vec![]));
    for (call, left) in [(4, vec![1, 2, 3]), (2, vec![1, 3]), (3, vec![1]), (3, vec![1]), (1, vec![])] {
        calls.remove([7; 16], CallId(call));
        assert_eq!(of(&calls, 7), left);
    }
    assert_eq!((of(&calls, 8), calls.first.len(), calls.further.len()), (vec![4], 1, 0));
}

#[test]
fn the_tables_of_a_busy_pbx_stay_as_large_as_at_the_start() {
    let mut registry = CallRegistry::default();
    // Places of removed calls are not counted as room.
    let room = |registry: &CallRegistry| {
        [registry.known.capacity(), registry.by_id.first.capacity(), registry.by_age.capacity()]
    };
    let at_the_start = room(&registry);
    assert!(at_the_start.iter().all(|room| *room >= ROOM_FOR_CALLS));
    // 100 calls a minute for an hour and a half.
    for n in 0..9_000 {
        let (call, now) = (CallId(u128::try_from(n).unwrap()), at(n * 6 / 10));
        let sighting = sighting(Some(&n.to_string()), A);
        assert_eq!(registry.find(&sighting, now), SightingMatch::New);
        registry.admit(call, sighting, now);
        registry.released(call);
        assert!(registry.known.len() <= 3_503 && registry.known.len() == registry.by_id.first.len());
        assert!(room(&registry).iter().zip(at_the_start).all(|(room, then)| *room <= then));
    }
    assert!(registry.by_id.further.is_empty());
}
