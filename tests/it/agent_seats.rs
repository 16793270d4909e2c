//! `AGENT_CONCURRENCY`: without a free agent seat, a call goes to the next rung of the handoff ladder.

use serde_json::json;
use uuid::Uuid;

use crate::live_bridge::{say, waits};
use crate::support::{PERSON, PbxPlan, PbxWorld, Plan, World};

/// Open agent conversations, as health reports them.
async fn seats(world: &World) -> i64 {
    world.get("/health").await.1["capacity"]["agents"]["used"].as_i64().unwrap()
}

async fn hang_up(world: &World, call: Uuid) {
    world.operate(&format!("/api/v1/calls/{call}/hangup")).await;
    world.released(call).await;
}

#[actix::test]
async fn callback_greeting_and_agent_each_take_a_seat() {
    let plan = Plan::default()
        .env("AGENT_CONCURRENCY", "1")
        .env("HANDOFF_MAX_SECONDS", "2")
        .env("CALLBACK_ENDS_WITH_PBX_CALL", "false")
        .conversation_ms(2_000);
    let world = World::with(plan).await;
    let (first, second) = (world.known_caller(1).await, world.known_caller(2).await);
    let talking = world.ring("pbx-1", &first).await;
    world.until("the greeting has a seat", || async { seats(&world).await == 1 }).await;
    let turned_down = world.ring("pbx-2", &second).await;
    let row = world.released(turned_down).await;
    assert_eq!(row.get::<_, String>("cause"), "handoff_failed");
    let dials = "select count(*) from conversations where call = $1 and dial <> 'refused'";
    assert_eq!(world.count(dials, &[&turned_down]).await, 0, "nothing was dialled");
    world.completed(talking).await;
    assert_eq!(world.dials("greeting").len() + world.dials("agent").len(), 2);
    world.until("both seats are free", || async { seats(&world).await == 0 }).await;
    let next = world.ring("pbx-3", &second).await;
    world.completed(next).await;
    world.stop().await;
}

#[actix::test]
async fn with_all_seats_taken_a_bridge_caller_goes_to_a_person_also_after_a_restart() {
    let plan = PbxPlan::default()
        .bridge(vec![say(300), waits(60_000)])
        .env("AGENT_CONCURRENCY", "1")
        .env("HANDOFF_MAX_SECONDS", "2");
    let world = PbxWorld::with(plan).await;
    let first = world.rings(&world.known_caller(1).await);
    let talking = world.call_of(&first).await;
    world.in_state(talking, "conversing").await;
    let goes_to_a_person = async |world: &PbxWorld, n| {
        let pbx_id = world.rings(&world.known_caller(n).await);
        let call = world.call_of(&pbx_id).await;
        let row = world.released(call).await;
        assert_eq!(row.get::<_, String>("told"), "person");
        assert_eq!(world.report(&pbx_id).transfers[0].destination, PERSON);
        assert_eq!(world.talks(call).len(), 0, "a conversation was opened");
        let failed =
            "select count(*) from call_events where call = $1 and event ->> 'kind' = 'handoff_failed'
            and event ->> 'why' = 'refused'";
        assert_eq!(world.count(failed, &[&call]).await, 2, "both agent rungs failed");
    };
    goes_to_a_person(&world, 2).await;
    assert_eq!(world.in_state(talking, "conversing").await.get::<_, Option<String>>("cause"), None);
    let world = world.restart().await;
    assert_eq!(seats(&world).await, 1, "a resumed conversation gets its seat before new calls");
    world.talk(talking, 2).await;
    goes_to_a_person(&world, 3).await;
    world.operator_ends(talking).await;
    world.until("its seat is free", || async { seats(&world).await == 0 }).await;
    let next = world.rings(&world.known_caller(4).await);
    let call = world.call_of(&next).await;
    world.in_state(call, "conversing").await;
    world.operator_ends(call).await;
    // The first caller's audio stream was reopened after the restart.
    world.stop_after_cuts().await;
}

#[actix::test]
async fn a_caller_on_hold_has_no_seat() {
    let world = World::with(Plan::default().env("AUTO_TRANSITION_ENABLED", "false")).await;
    let call = world.ring("pbx-1", &world.known_caller(1).await).await;
    world.in_state(call, "holding").await;
    world.until("the greeting's seat is free", || async { seats(&world).await == 0 }).await;
    world.operate(&format!("/api/v1/calls/{call}/handoff")).await;
    world.completed(call).await;
    world.stop().await;
}

#[actix::test]
async fn a_transfer_takes_a_seat_until_its_conversation_is_over() {
    let mut plan =
        PbxPlan::default().without_bridge().env("AGENT_CONCURRENCY", "1").env("HANDOFF_MAX_SECONDS", "2");
    plan.world = plan.world.conversation_ms(60_000);
    let world = PbxWorld::with(plan).await;
    let first = world.rings(&world.known_caller(1).await);
    let talking = world.call_of(&first).await;
    world.in_state(talking, "conversing").await;
    assert_eq!(seats(&world).await, 1);
    let second = world.rings(&world.known_caller(2).await);
    let row = world.released(world.call_of(&second).await).await;
    assert_eq!(row.get::<_, String>("told"), "person");
    let to: Vec<_> = world.report(&second).transfers.into_iter().map(|it| it.destination).collect();
    assert_eq!(json!(to), json!([PERSON]));
    hang_up(&world, talking).await;
    world.until("its seat is free", || async { seats(&world).await == 0 }).await;
    world.hangs_up(&first);
    world.stop().await;
}
