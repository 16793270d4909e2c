//! What an operator does to a call: sends its caller to a person, has the voice cloned once more or left out.

use precall_simulators::elevenlabs::{Agent, Fault, Script};
use precall_simulators::threecx::Outcome;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::callers::with_keys;
use crate::live_bridge::{dialogue, ends, say, waits};
use crate::live_bridge_persons::{SALES, turns_out};
use crate::support::{KEY, PERSON, PbxPlan, PbxWorld, World, allowing_agent, until};

const FALLBACK: &str = "voice_fallback";

async fn asks(world: &World, call: Uuid, action: &str, body: Value) -> (u16, Value) {
    let key = format!("Bearer {KEY}");
    let path = format!("/api/v1/calls/{call}/{action}");
    world.post(&path, &[("authorization", &key)], body.to_string()).await
}

async fn audited(world: &World, action: &str) -> Vec<(Option<Uuid>, Option<Value>)> {
    let sql = "select subject, detail from audit_log where action = $1 order by id";
    let rows = world.client.query(sql, &[&action]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[actix::test]
async fn a_caller_who_talks_with_the_agent_is_sent_to_a_person_by_name() {
    let plan = PbxPlan::default().bridge(vec![say(400), waits(30_000)]);
    let world = PbxWorld::with(plan.env("TRANSFER_DESTINATIONS", &format!("sales={SALES}"))).await;
    world.pbx.set_routeto(vec![turns_out(SALES, Outcome::Answered)]);
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "conversing").await;
    let (status, answer) = asks(&world, call, "transfer", json!({ "destination": "marketing" })).await;
    assert_eq!((status, &answer["code"]), (400, &json!("bad_field")), "{answer}");
    let (status, answer) = asks(&world, call, "transfer", json!({ "destination": "sales" })).await;
    assert_eq!(status, 202, "{answer}");
    let row = world.released(call).await;
    let end = ["cause", "told", "status"].map(|column| row.get::<_, String>(column));
    assert_eq!(end, ["completed", "person", "completed"]);
    let report = world.report(&pbx_id);
    let to: Vec<&str> = report.transfers.iter().map(|t| t.destination.as_str()).collect();
    assert_eq!(to, [SALES]);
    assert_eq!(
        audited(&world, "call_transfer_asked").await,
        [(Some(call), Some(json!({ "destination": "sales" })))]
    );
    let (status, answer) = asks(&world, call, "transfer", json!({ "destination": "sales" })).await;
    assert_eq!((status, &answer["code"]), (409, &json!("call_not_live")), "{answer}");
    world.stop().await;
}

#[actix::test]
async fn a_caller_on_hold_is_sent_to_a_person_and_gets_the_agent_if_nobody_answers() {
    let plan = PbxPlan::default().bridge(vec![say(400), ends()]).env("AUTO_TRANSITION_ENABLED", "false");
    let world = PbxWorld::with(plan.env("TRANSFER_DESTINATIONS", &format!("sales={SALES}"))).await;
    world.pbx.set_routeto(vec![turns_out(SALES, Outcome::NoAnswer)]);
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "holding").await;
    assert_eq!(asks(&world, call, "transfer", json!({ "destination": "sales" })).await.0, 202);
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("told"), "goodbye", "the agent said goodbye");
    assert_eq!(world.report(&pbx_id).transfers.len(), 1);
    world.stop().await;
}

#[actix::test]
async fn a_caller_is_sent_to_the_fallback_destination() {
    let plan = PbxPlan::default().bridge(vec![say(400), ends()]).env("AUTO_TRANSITION_ENABLED", "false");
    let world = PbxWorld::with(plan).await;
    world.pbx.set_routeto(vec![turns_out(PERSON, Outcome::Answered)]);
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "holding").await;
    assert_eq!(asks(&world, call, "fallback", json!({})).await.0, 202);
    let row = world.released(call).await;
    assert_eq!(["cause", "told"].map(|column| row.get::<_, String>(column)), ["completed", "person"]);
    assert_eq!(audited(&world, "call_transfer_asked").await, [(Some(call), None)]);
    world.stop().await;
}

#[actix::test]
async fn a_clone_that_failed_is_made_once_more_for_the_call_that_waits() {
    let world = World::with(with_keys().env("AUTO_TRANSITION_ENABLED", "false")).await;
    world.faults(vec![Fault { status: Some(422), ..Fault::on("/v1/voices/add") }]);
    let call = world.ring("pbx-1", &world.known_caller(1).await).await;
    let row = world.in_state(call, "holding").await;
    assert_eq!(row.get::<_, Option<String>>("cloned_voice_id"), None);
    world.faults(Vec::new());
    let (status, answer) = asks(&world, call, "retry-clone", json!({})).await;
    assert_eq!((status, &answer["used_for"]), (202, &json!("this_call")), "{answer}");
    let is_ready = || async { world.events(call).await.iter().any(|kind| kind == "voice_ready") };
    until("the call has its voice", is_ready).await;
    // Sent to nobody: the call is on route `callback`.
    let (status, answer) = asks(&world, call, "fallback", json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!("not_possible")), "{answer}");
    world.operate(&format!("/api/v1/calls/{call}/hangup")).await;
    world.released(call).await;
    let (status, answer) = asks(&world, call, "retry-clone", json!({})).await;
    assert_eq!((status, &answer["used_for"]), (202, &json!("next_call")), "{answer}");
    world.stop().await;
}

#[actix::test]
async fn a_call_that_waits_for_its_clone_goes_on_in_the_fallback_voice() {
    let plan = PbxPlan::default().bridge(vec![say(400), ends()]).clone_delay_ms("25000");
    let world = PbxWorld::with(plan).await;
    let call = world.call_of(&world.rings(&world.known_caller(1).await)).await;
    world.in_state(call, "holding").await;
    let (status, answer) = asks(&world, call, "fallback-voice", json!({})).await;
    assert_eq!(status, 202, "{answer}");
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, Option<String>>("voice_missing").as_deref(), Some("operator_asked"));
    let voices: Vec<_> = world.talks(call).into_iter().map(|talk| talk.voice_id).collect();
    assert_eq!(voices, [Some(FALLBACK.to_owned())]);
    assert_eq!(audited(&world, "call_fallback_voice_asked").await, [(Some(call), None)]);
    world.stop().await;
}

#[actix::test]
async fn an_agent_in_the_cloned_voice_is_replaced_by_one_in_the_fallback_voice() {
    let world = PbxWorld::with(PbxPlan::default().bridge(vec![say(400), waits(30_000)])).await;
    let call = world.call_of(&world.rings(&world.known_caller(1).await)).await;
    world.in_state(call, "conversing").await;
    world.talk(call, 1).await;
    world.simulator.set_agent(Agent { script: Script::new(dialogue()).unwrap(), ..allowing_agent() });
    let (status, answer) = asks(&world, call, "fallback-voice", json!({})).await;
    assert_eq!(status, 202, "{answer}");
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, Option<String>>("voice_missing").as_deref(), Some("operator_asked"));
    let voices: Vec<_> = world.talks(call).into_iter().map(|talk| talk.voice_id).collect();
    assert_eq!(voices.len(), 2, "{voices:?}");
    assert_ne!(voices[0].as_deref(), Some(FALLBACK));
    assert_eq!(voices[1].as_deref(), Some(FALLBACK));
    let (status, answer) = asks(&world, call, "fallback-voice", json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!("call_not_live")), "{answer}");
    world.stop().await;
}

#[actix::test]
async fn a_conversation_that_elevenlabs_carries_keeps_its_voice() {
    let world = World::with(with_keys().conversation_ms(3_000).clone_delay_ms("50")).await;
    let call = world.ring("pbx-1", &world.known_caller(1).await).await;
    world.in_state(call, "conversing").await;
    let (status, answer) = asks(&world, call, "fallback-voice", json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!("not_possible")), "{answer}");
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, Option<String>>("voice_missing"), None);
    assert_eq!(audited(&world, "call_fallback_voice_asked").await, []);
    world.stop().await;
}
