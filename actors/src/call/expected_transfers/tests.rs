//! Tests of expected transfers.
#![allow(clippy::unwrap_used)] // A test that cannot go on should stop.

use super::*;

const NOW: At = At(1_700_000_000_000_000);

fn later(seconds: u64) -> At {
    NOW.plus(Duration::from_secs(seconds))
}

fn number(raw: &str) -> CallerNumber {
    CallerNumber::parse(raw, "DE".parse().unwrap())
}

fn expected(call: u128, caller: &str, voice: &str) -> Expected {
    let (agent_id, destination, voice) = ("agent".into(), "88700".into(), Some(VoiceId::new(voice)));
    Expected { call: CallId(call), agent_id, destination, caller: number(caller), voice, since: NOW }
}

fn asker(caller: &str, sid: &str) -> Asker {
    let (agent_id, called) = ("agent".into(), String::new());
    Asker { agent_id, called, caller: number(caller), call_sid: Some(sid.into()) }
}

const A: &str = "+4915112345678";
const B: &str = "+4915112345679";

#[test]
fn the_one_transfer_of_this_caller_is_answered_once_and_the_same_asker_again() {
    let mut transfers = ExpectedTransfers::default();
    transfers.expect(expected(1, A, "a"));
    transfers.expect(expected(2, B, "b"));
    let first = transfers.answer(&asker("015112345678", "sid1"), later(5)).unwrap();
    assert_eq!((first.call, first.voice), (CallId(1), Some(VoiceId::new("a"))));
    assert_eq!(transfers.answer(&asker(A, "sid1"), later(6)).unwrap().call, CallId(1), "a repeated question");
    assert_eq!(transfers.answer(&asker(A, "sid2"), later(6)), None, "used once");
}

#[test]
fn an_agent_is_known_by_the_number_it_was_reached_at_as_well() {
    for called in ["88700", "700"] {
        let mut transfers = ExpectedTransfers::default();
        transfers.expect(expected(1, A, "a"));
        let asker = Asker { agent_id: "imported".into(), called: called.into(), ..asker(A, "1") };
        assert_eq!(transfers.answer(&asker, later(1)).unwrap().call, CallId(1), "{called}");
    }
}

#[test]
fn a_withheld_number_earns_no_voice_but_its_report_finds_the_only_call() {
    let mut transfers = ExpectedTransfers::default();
    transfers.expect(expected(1, A, "a"));
    let found = transfers.answer(&asker("anonymous", "1"), later(1)).unwrap();
    assert_eq!((found.call, found.voice), (CallId(1), None));
}

#[test]
fn several_none_withheld_expired_withdrawn_and_of_another_agent_are_not_answered() {
    let mut transfers = ExpectedTransfers::default();
    assert_eq!(transfers.answer(&asker(A, "1"), NOW), None);
    transfers.expect(expected(1, A, "a"));
    transfers.expect(expected(2, A, "b"));
    assert_eq!(transfers.answer(&asker(A, "2"), later(1)), None, "which of the two?");
    transfers.withdraw(CallId(2));
    let another = Asker { agent_id: "another".into(), ..asker(A, "3") };
    assert_eq!(transfers.answer(&another, later(1)), None);
    let elsewhere = Asker { called: "701".into(), ..another.clone() };
    assert_eq!(transfers.answer(&elsewhere, later(1)), None);
    transfers.expect(expected(3, "anonymous", "c"));
    assert_eq!(transfers.answer(&asker("anonymous", "4"), later(1)), None, "one of two");
    assert_eq!(transfers.answer(&asker(A, "5"), later(61)), None, "60 s have passed");
}
