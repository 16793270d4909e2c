//! Every outcome of a transfer to the agent, and who gets the caller next.

use std::collections::BTreeSet;

use precall_simulators::threecx::{
    CallReport, Codes, EndedBy, EventFault, Fault, Outcome, RemoveOrder, Turn,
};
use tokio_postgres::Row;

use crate::live_bridge::dialogue;
use crate::support::{AGENT, PERSON, PbxPlan, PbxWorld};

/// The outcome of one transfer to the agent.
fn agent(outcome: Outcome) -> Turn {
    Turn {
        outcome,
        after_ms: Some(200),
        destination: Some(AGENT.to_owned()),
        times: Some(1),
        ..Turn::default()
    }
}

/// The transfer attempts, as `destination outcome`.
fn attempts(report: &CallReport) -> Vec<String> {
    report.transfers.iter().map(|t| format!("{} {}", t.destination, t.outcome)).collect()
}

fn end_of(row: &Row) -> [String; 4] {
    ["cause", "blame", "told", "status"]
        .map(|column| row.get::<_, Option<String>>(column).unwrap_or_default())
}

/// Starts a call of each of this many known callers.
async fn ring(world: &PbxWorld, callers: u32) -> Vec<String> {
    let mut calls = Vec::new();
    for n in 1..=callers {
        calls.push(world.rings(&world.known_caller(n).await));
    }
    calls
}

async fn released(world: &PbxWorld, pbx_id: &str) -> Row {
    world.released(world.call_of(pbx_id).await).await
}

#[actix::test]
async fn when_the_transfer_to_the_agent_fails_the_caller_goes_to_a_person() {
    let world = PbxWorld::with(PbxPlan::default().without_bridge()).await;
    world.pbx.set_routeto(vec![
        agent(Outcome::Busy),
        Turn { codes: Some(Codes::Numbers), ..agent(Outcome::NoAnswer) },
        agent(Outcome::Unknown),
        Turn { codes: Some(Codes::Numbers), ..agent(Outcome::Timeout) },
    ]);
    let calls = ring(&world, 4).await;
    let mut reasons = BTreeSet::new();
    for pbx_id in &calls {
        let row = released(&world, pbx_id).await;
        assert_eq!(end_of(&row), ["reached_person", "provider", "person", "failed"]);
        let report = world.report(pbx_id);
        let tried = attempts(&report);
        assert_eq!(tried.len(), 2, "{tried:?}");
        assert_eq!(tried[1], format!("{PERSON} answered"));
        assert!(world.heard(pbx_id).contains(&world.greeting));
        reasons.insert(report.transfers[0].outcome.clone());
    }
    let expected = ["DestinationBusy", "DestinationNoAnswer", "OperationTimeout", "UnknownDestination"]
        .map(str::to_owned);
    assert_eq!(reasons, BTreeSet::from(expected));
    assert_eq!(world.simulator.conversations(), serde_json::json!([]));
    world.stop().await;
}

#[actix::test]
async fn when_the_transfer_to_the_agent_fails_the_agent_is_bridged() {
    let plan =
        PbxPlan::default().bridge(dialogue()).env("CALL_ROUTE", "transfer").env("AGENT_DESTINATION", AGENT);
    let world = PbxWorld::with(plan).await;
    world.pbx.set_routeto(vec![agent(Outcome::Busy)]);
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let row = world.completed(call).await;
    assert_eq!(end_of(&row), ["agent_ended", "", "goodbye", "completed"]);
    assert_eq!(attempts(&world.report(&pbx_id)), [format!("{AGENT} DestinationBusy")]);
    let voice: String = row.get("cloned_voice_id");
    assert_eq!(world.talks(call)[0].voice_id.as_ref(), Some(&voice));
    assert!(world.heard(&pbx_id).contains(&world.in_voice(&voice, 580).await));
    world.stop().await;
}

#[actix::test]
async fn every_form_of_transfer_success_at_the_pbx_is_recognised() {
    let world = PbxWorld::new().await;
    let after = |turn: Turn| Turn { remove: RemoveOrder::After, ..turn };
    let numbers = |turn: Turn| Turn { codes: Some(Codes::Numbers), ..turn };
    let accepted = |turn: Turn| Turn { status: Some(202), ..turn };
    let answered = || agent(Outcome::Answered);
    world.pbx.set_routeto(vec![
        accepted(answered()),
        after(accepted(numbers(answered()))),
        numbers(answered()),
        after(answered()),
    ]);
    let calls = ring(&world, 4).await;
    for pbx_id in &calls {
        let row = world.completed(world.call_of(pbx_id).await).await;
        assert_eq!(end_of(&row), ["completed", "", "goodbye", "completed"]);
        let report = world.report(pbx_id);
        assert_eq!(attempts(&report), [format!("{AGENT} answered")]);
        assert_eq!(report.trunk.unwrap().voice_id, row.get("cloned_voice_id"));
        assert_ne!(
            report.ended_by,
            Some(EndedBy::Client),
            "precall ended a call that the agent had answered"
        );
    }
    world.stop().await;
}

#[actix::test]
async fn when_every_handoff_attempt_fails_the_caller_hears_an_apology() {
    let world = PbxWorld::with(PbxPlan::default().without_bridge()).await;
    let busy = |to: &str| Turn { destination: Some(to.to_owned()), times: None, ..agent(Outcome::Busy) };
    world.pbx.set_routeto(vec![busy(AGENT), busy(PERSON)]);
    let pbx_id = world.rings(&world.known_caller(1).await);
    let row = released(&world, &pbx_id).await;
    assert_eq!(end_of(&row), ["handoff_failed", "provider", "apology", "failed"]);
    let report = world.at_pbx(&pbx_id, "the leg is dropped", |call| call.ended_by.is_some()).await;
    assert_eq!(report.ended_by, Some(EndedBy::Client));
    assert_eq!(report.transfers.len(), 2);
    assert!(world.heard(&pbx_id).contains(&world.apology().await), "the whole apology");
    world.stop().await;
}

#[actix::test]
async fn without_a_person_the_apology_is_played_at_once() {
    let world = PbxWorld::with(PbxPlan::default().without_bridge().env("FALLBACK_DESTINATION", "")).await;
    world.pbx.set_routeto(vec![agent(Outcome::Busy)]);
    let pbx_id = world.rings(&world.known_caller(1).await);
    let row = released(&world, &pbx_id).await;
    assert_eq!(end_of(&row), ["handoff_failed", "provider", "apology", "failed"]);
    world.at_pbx(&pbx_id, "the leg is dropped", |call| call.ended_by == Some(EndedBy::Client)).await;
    assert_eq!(attempts(&world.report(&pbx_id)), [format!("{AGENT} DestinationBusy")]);
    assert!(world.heard(&pbx_id).contains(&world.apology().await));
    world.stop().await;
}

#[actix::test]
async fn a_hang_up_while_the_agent_rings_ends_the_handoff() {
    let world = PbxWorld::new().await;
    world.pbx.set_routeto(vec![agent(Outcome::CallerHangup)]);
    let pbx_id = world.rings(&world.known_caller(1).await);
    let row = released(&world, &pbx_id).await;
    assert_eq!(end_of(&row), ["caller_hung_up", "caller", "nothing", "failed"]);
    assert_eq!(world.report(&pbx_id).transfers.len(), 1);
    assert_eq!(world.asked("POST", "/routeto").len(), 1);
    world.stop().await;
}

#[actix::test]
async fn a_lost_routeto_answer_is_looked_up_and_not_repeated() {
    let world = PbxWorld::with(PbxPlan::default().without_bridge()).await;
    let answer_is_lost = || Fault { cut_response: true, times: Some(1), ..on_routeto() };
    // Answer lost and leg gone, which only the list of legs shows in time: the agent answered.
    let gone = world.rings(&world.known_caller(1).await);
    let suffix = format!("/participants/{}", world.report(&gone).participant_id);
    let slow = Fault { suffix, method: Some("GET".to_owned()), delay_ms: 2_000, ..Fault::default() };
    let untold = Fault { events: Some(EventFault::MissedRemove), times: Some(1), ..Fault::default() };
    let call = world.call_of(&gone).await;
    world.pbx.set_faults(vec![answer_is_lost(), slow, untold]);
    world.in_state(call, "conversing").await;
    let row = world.completed(world.call_of(&gone).await).await;
    assert_eq!(end_of(&row), ["completed", "", "goodbye", "completed"]);
    assert_eq!(attempts(&world.report(&gone)), [format!("{AGENT} answered")]);
    assert_eq!(world.report(&gone).trunk.unwrap().voice_id, row.get("cloned_voice_id"));
    // Answer lost and leg still there: the agent did not answer and is not dialled a second time.
    world.pbx.set_faults(vec![answer_is_lost()]);
    world.pbx.set_routeto(vec![agent(Outcome::NoAnswer)]);
    let there = world.rings(&world.known_caller(2).await);
    let row = released(&world, &there).await;
    assert_eq!(end_of(&row), ["reached_person", "provider", "person", "failed"]);
    let expected = [format!("{AGENT} DestinationNoAnswer"), format!("{PERSON} answered")];
    assert_eq!(attempts(&world.report(&there)), expected);
    world.stop().await;
}

fn on_routeto() -> Fault {
    Fault { suffix: "/routeto".to_owned(), method: Some("POST".to_owned()), ..Fault::default() }
}
