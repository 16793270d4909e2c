//! Transfer to a person at any time, by the agent's tool or by a key. Only configured persons can be reached.

use std::collections::BTreeMap;

use precall_simulators::elevenlabs::{Act, Step, ToolAnswer};
use precall_simulators::threecx::{Outcome, Turn};
use serde_json::{Map, json};

use crate::live_bridge::{ends, hears, say, waits};
use crate::support::{PERSON, PbxPlan, PbxWorld};

pub(crate) const SALES: &str = "200";

fn asks_for(name: &str) -> Step {
    calls("transfer_to_person", json!({ "name": name }))
}

fn calls(tool: &str, parameters: serde_json::Value) -> Step {
    let serde_json::Value::Object(parameters) = parameters else { panic!("not an object") };
    Step::Act(Act::CallTool { name: tool.to_owned(), parameters, within_ms: 10_000 })
}

async fn with(script: Vec<Step>) -> PbxWorld {
    let persons = format!("sales={SALES},support=300");
    PbxWorld::with(PbxPlan::default().bridge(script).env("TRANSFER_DESTINATIONS", &persons)).await
}

pub(crate) fn turns_out(destination: &str, outcome: Outcome) -> Turn {
    Turn { outcome, after_ms: Some(600), destination: Some(destination.to_owned()), ..Turn::default() }
}

#[actix::test]
async fn the_agent_brings_the_caller_to_a_person_by_name() {
    let world = with(vec![say(400), asks_for("sales"), say(400), ends()]).await;
    world.pbx.set_routeto(vec![turns_out(SALES, Outcome::Answered)]);
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let row = world.released(call).await;
    let end = ["cause", "told", "status"].map(|column| row.get::<_, String>(column));
    assert_eq!(end, ["completed", "person", "completed"]);
    let report = world.report(&pbx_id);
    let to: Vec<&str> = report.transfers.iter().map(|t| t.destination.as_str()).collect();
    assert_eq!(to, [SALES]);
    assert!(
        world.heard(&pbx_id).contains(&world.hold.start(300)),
        "silence while the person's telephone rang"
    );
    world.audio_never_stopped(&pbx_id, "music while the person's telephone rings");
    world.stop().await;
}

#[actix::test]
async fn when_a_person_does_not_answer_the_agent_is_told_and_continues() {
    for (outcome, reason) in [(Outcome::Busy, "busy"), (Outcome::NoAnswer, "answer")] {
        let world = with(vec![say(400), asks_for("SALES"), say(700), ends()]).await;
        world.pbx.set_routeto(vec![turns_out(SALES, outcome)]);
        let pbx_id = world.rings(&world.known_caller(1).await);
        let call = world.call_of(&pbx_id).await;
        let row = world.completed(call).await;
        assert_eq!(row.get::<_, String>("told"), "goodbye");
        let talks = world.talks(call);
        assert_eq!(talks.len(), 1, "a second agent session was opened");
        let answer = talks[0].tool_calls[0].answer.as_ref().expect("the tool was answered");
        assert!(answer.is_error && answer.result.contains(reason), "{answer:?}");
        assert_eq!(world.report(&pbx_id).transfers.len(), 1);
        let voice: String = row.get("cloned_voice_id");
        let heard = world.heard(&pbx_id);
        let held = heard.find(&world.hold.start(300)).expect("music while the person's telephone rang");
        let back = heard.find(&world.in_voice(&voice, 680).await).expect("the agent speaks again");
        assert!(held < back);
        world.stop().await;
    }
}

#[actix::test]
async fn a_number_or_an_unknown_tool_transfers_nobody() {
    let script = vec![
        say(400),
        asks_for("+49301234567"),
        asks_for("200"),
        calls("transfer_to_person", Map::new().into()),
        calls("set_voice", json!({ "voice_id": "another" })),
        say(400),
        ends(),
    ];
    let world = with(script).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.completed(call).await;
    let talk = &world.talks(call)[0];
    let answers: Vec<&ToolAnswer> = talk.tool_calls.iter().filter_map(|call| call.answer.as_ref()).collect();
    assert_eq!(answers.len(), 4);
    assert!(answers.iter().all(|answer| answer.is_error), "{answers:?}");
    assert!(answers[0].result.contains("sales") && answers[0].result.contains("support"), "{answers:?}");
    assert!(world.asked("POST", "/routeto").is_empty());
    assert_eq!(talk.violations, [] as [String; 0]);
    world.stop().await;
}

#[actix::test]
async fn a_key_transfers_the_caller_to_a_person_during_a_conversation() {
    let world = with(vec![say(400), waits(30_000)]).await;
    world.pbx.set_routeto(vec![turns_out(PERSON, Outcome::Answered)]);
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "conversing").await;
    world.presses(&pbx_id, "0");
    let row = world.released(call).await;
    let end = ["cause", "told", "status"].map(|column| row.get::<_, String>(column));
    assert_eq!(end, ["completed", "person", "completed"]);
    let talk = &world.talks(call)[0];
    assert!(talk.end.is_some(), "the agent's socket is still open");
    world.stop().await;
}

#[actix::test]
async fn when_a_key_reaches_no_person_the_agent_is_told_and_continues() {
    let world = with(vec![say(400), waits(2_500), hears("Nobody came."), say(400), ends()]).await;
    world.pbx.set_routeto(vec![turns_out(PERSON, Outcome::Busy)]);
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "conversing").await;
    world.presses(&pbx_id, "0");
    world.completed(call).await;
    let talk = &world.talks(call)[0];
    assert_eq!(talk.contextual_updates.len(), 1, "{:?}", talk.contextual_updates);
    assert!(talk.contextual_updates[0].contains("busy"), "{:?}", talk.contextual_updates);
    let transfers: BTreeMap<String, usize> =
        world.report(&pbx_id).transfers.iter().fold(BTreeMap::new(), |mut all, transfer| {
            *all.entry(transfer.destination.clone()).or_default() += 1;
            all
        });
    assert_eq!(transfers, BTreeMap::from([(PERSON.to_owned(), 1)]));
    world.stop().await;
}
