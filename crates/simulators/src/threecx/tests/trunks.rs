//! A PBX with a simulated ElevenLabs behind one of its numbers.

use std::time::Duration;

use serde_json::json;

use super::super::{EndedBy, NewCall, Options, Outcome, State, Trunk, Turn};
use super::{Pbx, eventually, leg_path, options};
use crate::elevenlabs;

async fn joined(conversation: Duration) -> (Pbx, elevenlabs::Simulator) {
    let agents = elevenlabs::start(elevenlabs::Options { conversation, ..elevenlabs::Options::default() })
        .await
        .unwrap();
    let mut trunk: Trunk = format!("88100={}", agents.url()).parse().unwrap();
    trunk.agent_id = Some("agent_7".to_owned());
    (Pbx::with(Options { trunks: vec![trunk], ..options() }).await, agents)
}

fn status(agents: &elevenlabs::Simulator, id: &str) -> String {
    let list = agents.conversations();
    let found = list.as_array().unwrap().iter().find(|one| one["conversation_id"] == id).unwrap();
    found["status"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_transfer_becomes_a_conversation_and_ends_with_it() {
    let (pbx, agents) = joined(Duration::from_millis(400)).await;
    let placed = pbx.place(NewCall::from("+49301234567"));
    let answer = pbx.post(&format!("{}/routeto", leg_path(&placed)), &json!({"destination": "88100"})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let call = pbx.call(&placed);
    assert_eq!((call.state, pbx.simulator.legs()), (State::Transferred, 0));
    let conversation = call.trunk.unwrap().conversation_id;
    let shown = agents.conversations()[0].clone();
    assert_eq!((&shown["conversation_id"], &shown["agent_id"]), (&json!(conversation), &json!("agent_7")));
    assert_eq!(shown["to_number"], "+49301234567");
    let call = pbx.until(&placed, "ends", |call| call.state == State::Ended).await;
    assert_eq!(call.ended_by, Some(EndedBy::Agent));
}

#[actix_web::test]
async fn a_hang_up_ends_the_conversation() {
    let (pbx, agents) = joined(Duration::from_secs(600)).await;
    let placed = pbx.rings();
    pbx.post(&format!("{}/routeto", leg_path(&placed)), &json!({"destination": "88100"})).await;
    let conversation = pbx.call(&placed).trunk.unwrap().conversation_id;
    eventually("it begins", || async { (status(&agents, &conversation) == "in-progress").then_some(()) })
        .await;
    pbx.simulator.hang_up(&placed.call_id);
    eventually("the conversation is over", || async {
        (status(&agents, &conversation) == "done").then_some(())
    })
    .await;
    assert_eq!(pbx.call(&placed).ended_by, Some(EndedBy::Caller));
}

#[actix_web::test]
async fn an_agent_that_is_not_there_leaves_the_caller_with_us() {
    let (pbx, agents) = joined(Duration::from_secs(600)).await;
    agents.stop().await;
    let placed = pbx.rings();
    let answer = pbx.post(&format!("{}/routeto", leg_path(&placed)), &json!({"destination": "88100"})).await;
    assert_eq!((answer.status, &answer.json()["reason"]), (422, &json!("DestinationIsNotReachable")));
    assert_eq!(pbx.call(&placed).state, State::Connected);
}

#[actix_web::test]
async fn the_script_rules_trunks_too() {
    let (pbx, agents) = joined(Duration::from_secs(600)).await;
    pbx.simulator.set_routeto(vec![Turn { outcome: Outcome::Busy, ..Turn::default() }]);
    let placed = pbx.rings();
    let answer = pbx.post(&format!("{}/routeto", leg_path(&placed)), &json!({"destination": "88100"})).await;
    assert_eq!((answer.status, &answer.json()["reason"]), (422, &json!("DestinationBusy")));
    assert_eq!(agents.conversations(), json!([]));
}
