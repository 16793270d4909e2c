//! Agents that end the conversation normally before the caller heard a word of them.

use precall_simulators::elevenlabs::Step;
use uuid::Uuid;

use crate::live_bridge::{ends, waits};
use crate::support::{PbxPlan, PbxWorld};

/// Rings and waits for the end: the call, its cause, blame, told and status, and its handoff attempts.
async fn ended(world: &PbxWorld) -> (Uuid, [String; 4], Vec<String>) {
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let row = world.released(call).await;
    let end = ["cause", "blame", "told", "status"].map(|column| row.get::<_, String>(column));
    let statement = "select event ->> 'rung' from call_events
        where call = $1 and event ->> 'kind' = 'handoff_started' order by seq";
    let rungs = world.client.query(statement, &[&call]).await.unwrap();
    (call, end, rungs.iter().map(|row| row.get(0)).collect())
}

async fn goes_to_a_person_after_two(plan: PbxPlan, script: Vec<Step>) {
    let world = PbxWorld::with(plan.bridge(script)).await;
    let (call, end, rungs) = ended(&world).await;
    assert_eq!(end, ["agent_ended", "provider", "person", "failed"], "{rungs:?}");
    assert_eq!(rungs, ["bridge_cloned", "bridge_cloned", "destination"]);
    assert_eq!(world.talks(call).len(), 2, "called once more, and not a third time");
    let problems = world.app.engine().health().problems;
    let unheard = problems.iter().find(|problem| problem.area == "handoff");
    let unheard = unheard.unwrap_or_else(|| panic!("no problem: {problems:?}"));
    assert!(unheard.words.contains("hangs up before it speaks"), "{unheard:?}");
    assert!(unheard.remedy.contains("end-call tool"), "{unheard:?}");
    let mut answer = world.http.get(format!("{}/metrics", world.app.url())).send().await.unwrap();
    let metrics = answer.body().limit(16 << 20).await.unwrap();
    let metrics = String::from_utf8_lossy(&metrics);
    assert!(!metrics.contains("precall_lost_agents_total{"), "a normal end is no loss");
    world.stop().await;
}

#[actix::test]
async fn an_agent_that_hangs_up_while_the_greeting_plays() {
    let plan = PbxPlan { greeting_ms: 4_000, ..PbxPlan::default() };
    goes_to_a_person_after_two(plan, vec![ends()]).await;
}

#[actix::test]
async fn an_agent_that_hangs_up_after_the_caller_was_connected() {
    let plan = PbxPlan { greeting_ms: 300, ..PbxPlan::default() };
    goes_to_a_person_after_two(plan, vec![waits(4_000), ends()]).await;
}
