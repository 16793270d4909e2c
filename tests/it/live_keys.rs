//! Keys of the caller: one skips the greeting but not the notice, one transfers to a person at any time.

use precall_simulators::threecx::{Outcome, Turn};
use uuid::Uuid;

use crate::support::{AGENT, PERSON, PbxPlan, PbxWorld, Plan};

/// Slow clones, so that there is hold music, and a greeting too long to end before the key.
async fn slow_world(clone_delay: &'static str) -> PbxWorld {
    let world = Plan { clone_delay, ..Plan::default() };
    PbxWorld::with(PbxPlan { world, greeting_ms: 4_000, ..PbxPlan::default() }).await
}

async fn rings(world: &PbxWorld, n: u32) -> (String, Uuid) {
    let pbx_id = world.rings(&world.known_caller(n).await);
    let call = world.call_of(&pbx_id).await;
    (pbx_id, call)
}

/// The caller's key led to a person, after the complete notice.
async fn reached_person(world: &PbxWorld, pbx_id: &str, call: Uuid) {
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "completed");
    assert_eq!(row.get::<_, String>("told"), "person");
    let report = world.report(pbx_id);
    assert_eq!(report.transfers.last().map(|t| t.destination.as_str()), Some(PERSON));
    assert!(world.heard(pbx_id).contains(&world.notice().await), "the whole notice comes first");
}

#[actix::test]
async fn the_skip_key_skips_the_greeting_but_not_the_notice() {
    let world = slow_world("50").await;
    let notice = world.notice().await;
    let (pbx_id, call) = rings(&world, 1).await;
    world.hears(&pbx_id, &notice.start(50)).await;
    world.presses(&pbx_id, "1");
    world.hears(&pbx_id, &world.greeting.start(200)).await;
    assert!(world.heard(&pbx_id).contains(&notice), "the notice was cut short");
    world.in_state(call, "greeting").await;
    // Keys without a meaning change nothing.
    world.presses(&pbx_id, "5#");
    world.presses(&pbx_id, "1");
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("cause"), "completed");
    assert!(!world.heard(&pbx_id).contains(&world.greeting.end(1_000)), "the rest was skipped");
    world.stop().await;
}

#[actix::test]
async fn the_person_key_works_in_every_phase() {
    let world = slow_world("6000").await;
    let notice = world.notice().await;
    let (during_notice, notice_call) = rings(&world, 1).await;
    let (during_greeting, greeting_call) = rings(&world, 2).await;
    let (on_hold, hold_call) = rings(&world, 3).await;
    world.hears(&during_notice, &notice.start(50)).await;
    world.presses(&during_notice, "0");
    world.hears(&during_greeting, &world.greeting.start(100)).await;
    world.presses(&during_greeting, "0");
    // First skips the greeting, then asks for a person.
    world.hears(&on_hold, &world.greeting.start(100)).await;
    world.presses(&on_hold, "1");
    world.in_state(hold_call, "holding").await;
    world.presses(&on_hold, "0");
    for (pbx_id, call) in
        [(&during_notice, notice_call), (&during_greeting, greeting_call), (&on_hold, hold_call)]
    {
        reached_person(&world, pbx_id, call).await;
        assert_eq!(world.report(pbx_id).transfers.len(), 1, "the agent was not dialled");
        assert!(!world.heard(pbx_id).contains(&world.greeting.end(1_000)));
    }
    // Audio in transit when the notice ended is still heard.
    assert!(!world.heard(&during_notice).contains(&world.greeting.start(500)));
    world.stop().await;
}

#[actix::test]
async fn the_person_key_during_agent_ringing_transfers_to_a_person_next() {
    let world = PbxWorld::new().await;
    let busy = Turn {
        outcome: Outcome::Busy,
        after_ms: Some(1_500),
        destination: Some(AGENT.to_owned()),
        ..Turn::default()
    };
    world.pbx.set_routeto(vec![busy]);
    let (pbx_id, call) = rings(&world, 1).await;
    world.at_pbx(&pbx_id, "the agent's telephone rings", |call| !call.transfers.is_empty()).await;
    world.presses(&pbx_id, "0");
    reached_person(&world, &pbx_id, call).await;
    assert_eq!(world.report(&pbx_id).transfers.len(), 2);
    world.stop().await;
}
