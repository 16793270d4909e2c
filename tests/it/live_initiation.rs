//! The voice of a transferred call is used by its own conversation only.

use precall_simulators::threecx::Turn;
use serde_json::{Value, json};

use crate::support::{AGENT, PbxPlan, PbxWorld, agent_answers};

const FALLBACK: &str = "voice_fallback";

/// An inbound agent conversation; returns the voice that it got.
async fn reaches_agent(world: &PbxWorld, caller: &str, call_sid: &str) -> Value {
    let body = json!({ "called_number": AGENT, "caller_id": caller, "call_sid": call_sid, "agent_id": "agent_test" });
    let url = format!("{}/sim/inbound", world.simulator.url());
    let mut answer = world.http.post(url).send_json(&body).await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer["voice_id"].clone()
}

#[actix::test]
async fn a_voice_is_given_once_and_only_to_its_own_transfer() {
    let mut plan = PbxPlan::default();
    plan.world = plan.world.conversation_ms(1_500);
    let world = PbxWorld::with(plan).await;
    let (caller, stranger) = (world.known_caller(1).await, world.known_caller(2).await);
    assert_eq!(reaches_agent(&world, &stranger, "nobody").await, FALLBACK);
    let pbx_id = world.rings(&caller);
    let report = world.at_pbx(&pbx_id, "the call is with the agent", |call| call.trunk.is_some()).await;
    assert_eq!(
        reaches_agent(&world, &caller, "meanwhile").await,
        FALLBACK,
        "the transfer was already answered"
    );
    let row = world.completed(world.call_of(&pbx_id).await).await;
    assert_eq!(report.trunk.unwrap().voice_id, row.get("cloned_voice_id"));
    assert_eq!(reaches_agent(&world, &caller, "later").await, FALLBACK, "the call is over");
    world.stop().await;
}

#[actix::test]
async fn two_transfers_of_one_caller_at_once_use_the_fallback_voice() {
    let world = PbxWorld::new().await;
    // Long enough for both transfers to overlap.
    world.pbx.set_routeto(vec![Turn { after_ms: Some(1_500), ..agent_answers() }]);
    let caller = world.known_caller(1).await;
    let calls = [world.rings(&caller), world.rings(&caller)];
    for pbx_id in &calls {
        let report =
            world.at_pbx(pbx_id, "the call is with the agent", |call| call.transferred_at.is_some()).await;
        assert_eq!(report.trunk.unwrap().voice_id.as_deref(), Some(FALLBACK));
    }
    for pbx_id in &calls {
        let call = world.call_of(pbx_id).await;
        world.in_state(call, "conversing").await;
        // ElevenLabs does not know this call's id, so no report will end it.
        world.operator_ends(call).await;
    }
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 2);
    world.stop().await;
}
