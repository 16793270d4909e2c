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

fn expected(call: u128, caller: &str, voice: &str) -> ExpectedTransfer {
    let (agent_id, destination, voice) = ("agent".into(), "88700".into(), Some(VoiceId::new(voice)));
    ExpectedTransfer {
        call: CallId(call),
        attempt: 1,
        agent_id,
        destination,
        caller: number(caller),
        voice,
        continues: false,
        earlier: None,
        since: NOW,
    }
}

fn request(caller: &str, sid: &str) -> AgentRequest {
    let (agent_id, called) = ("agent".into(), String::new());
    AgentRequest { agent_id, called, caller: number(caller), call_sid: Some(sid.into()) }
}

const A: &str = "+4915112345678";
const B: &str = "+4915112345679";

#[test]
fn a_transfer_answers_one_request_and_its_repetitions() {
    let mut transfers = ExpectedTransfers::default();
    transfers.expect(expected(1, A, "a"));
    transfers.expect(expected(2, B, "b"));
    let first = transfers.answer(&request("015112345678", "sid1"), later(5)).unwrap();
    assert_eq!((first.call, first.voice), (CallId(1), Some(VoiceId::new("a"))));
    assert_eq!(
        transfers.answer(&request(A, "sid1"), later(6)).unwrap().call,
        CallId(1),
        "a repeated request"
    );
    assert_eq!(transfers.answer(&request(A, "sid2"), later(6)), None, "used once");
}

#[test]
fn a_transfer_is_also_found_by_the_dialled_number() {
    for called in ["88700", "700"] {
        let mut transfers = ExpectedTransfers::default();
        transfers.expect(expected(1, A, "a"));
        let request = AgentRequest { agent_id: "imported".into(), called: called.into(), ..request(A, "1") };
        assert_eq!(transfers.answer(&request, later(1)).unwrap().call, CallId(1), "{called}");
    }
}

#[test]
fn a_withheld_number_gets_no_voice_but_matches_the_only_call() {
    let mut transfers = ExpectedTransfers::default();
    transfers.expect(expected(1, A, "a"));
    let found = transfers.answer(&request("anonymous", "1"), later(1)).unwrap();
    assert_eq!((found.call, found.voice), (CallId(1), None));
}

#[test]
fn ambiguous_expired_withdrawn_and_unrelated_transfers_are_not_answered() {
    let mut transfers = ExpectedTransfers::default();
    assert_eq!(transfers.answer(&request(A, "1"), NOW), None);
    transfers.expect(expected(1, A, "a"));
    transfers.expect(expected(2, A, "b"));
    assert_eq!(transfers.answer(&request(A, "2"), later(1)), None, "two transfers match");
    transfers.withdraw(CallId(2));
    let another = AgentRequest { agent_id: "another".into(), ..request(A, "3") };
    assert_eq!(transfers.answer(&another, later(1)), None);
    let elsewhere = AgentRequest { called: "701".into(), ..another.clone() };
    assert_eq!(transfers.answer(&elsewhere, later(1)), None);
    transfers.expect(expected(3, "anonymous", "c"));
    assert_eq!(
        transfers.answer(&request("anonymous", "4"), later(1)),
        None,
        "two transfers match a withheld number"
    );
    assert_eq!(transfers.answer(&request(A, "5"), later(61)), None, "60 s have passed");
}
