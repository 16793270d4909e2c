//! Budgets and provider capacity on live legs: a caller over a budget goes to a person at once.

use std::time::Duration;

use precall_simulators::elevenlabs::Fault;
use precall_simulators::threecx::{EndedBy, NewCall, WebhookMode};
use serde_json::json;

use crate::support::{CALLED, PERSON, PbxPlan, PbxWorld};

/// A call over a budget goes to a person at once and hears no audio from precall.
async fn goes_to_a_person(world: &PbxWorld, call: NewCall) {
    let pbx_id = world.rings_so(call);
    let report =
        world.at_pbx(&pbx_id, "the call is with a person", |call| call.transferred_at.is_some()).await;
    assert!(
        world.routed_after(&pbx_id) < Duration::from_secs(4),
        "it took {:?}",
        world.routed_after(&pbx_id)
    );
    assert_eq!((report.transfers.len(), report.transfers[0].destination.as_str()), (1, PERSON));
    assert_eq!(report.posts_opened, 0, "precall played audio");
    let call = world.call_of(&pbx_id).await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "budget");
    let rows = "select count(*) from call_log where threecx_call_id = $1";
    assert_eq!(world.count(rows, &[&pbx_id]).await, 1, "one row for one call");
}

#[actix::test]
async fn over_the_hourly_budget_a_leg_goes_to_a_person_and_an_earlier_webhook_adds_no_row() {
    let plan = PbxPlan::default().env("BUDGET_CALLER_CALLS_PER_HOUR", "1");
    let world = PbxWorld::with(plan).await;
    let caller = world.known_caller(1).await;
    let first = world.rings(&caller);
    world.completed(world.call_of(&first).await).await;
    goes_to_a_person(&world, NewCall::from(&caller)).await;
    let world = world.restart().await;
    goes_to_a_person(&world, NewCall::from(&caller)).await;
    let announced =
        NewCall { webhook: WebhookMode::First, called: CALLED.to_owned(), ..NewCall::from(&caller) };
    goes_to_a_person(&world, announced).await;
    assert!(world.pbx.webhooks().iter().any(|webhook| webhook["event_type"] == "IncomingCall"));
    // Callers who withhold their number share no per-caller budget.
    for _ in 0..2 {
        let hidden = world.rings("anonymous");
        world.completed(world.call_of(&hidden).await).await;
    }
    world.stop().await;
}

#[actix::test]
async fn over_the_live_call_budget_without_a_person_the_leg_is_dropped() {
    let plan =
        PbxPlan::default().holding().env("BUDGET_CALLER_LIVE_CALLS", "1").env("FALLBACK_DESTINATION", "");
    let world = PbxWorld::with(plan).await;
    let caller = world.known_caller(1).await;
    let call = world.call_of(&world.rings(&caller)).await;
    let second = world.rings(&caller);
    let report = world.at_pbx(&second, "the leg is dropped", |call| call.ended_by.is_some()).await;
    assert_eq!((report.ended_by, report.posts_opened), (Some(EndedBy::Client), 0));
    let row = world.released(world.call_of(&second).await).await;
    assert_eq!(row.get::<_, String>("cause"), "budget");
    world.operator_ends(call).await;
    world.stop().await;
}

#[actix::test]
async fn with_no_credits_left_every_caller_goes_to_a_person() {
    let world = PbxWorld::with(PbxPlan::default().env("BUDGET_COST_PER_DAY", "1")).await;
    let first = world.rings(&world.known_caller(1).await);
    // The simulator's conversations cost six credits per second.
    world.completed(world.call_of(&first).await).await;
    goes_to_a_person(&world, NewCall::from(&world.known_caller(2).await)).await;
    let world = world.restart().await;
    goes_to_a_person(&world, NewCall::from("anonymous")).await;
    world.stop().await;
}

#[actix::test]
async fn with_no_minutes_left_every_caller_goes_to_a_person() {
    let world = PbxWorld::with(PbxPlan::default().env("BUDGET_AGENT_MINUTES_PER_DAY", "1")).await;
    let first = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&first).await;
    world.completed(call).await;
    let longer = "update conversations set duration_seconds = 60 where call = $1";
    world.execute(longer, &[&call]).await;
    let world = world.restart().await;
    goes_to_a_person(&world, NewCall::from(&world.known_caller(2).await)).await;
    world.stop().await;
}

#[actix::test]
async fn health_compares_provider_capacity_with_live_calls() {
    let agent = json!({ "agent_id": "agent_test",
        "platform_settings": { "call_limits": { "agent_concurrency_limit": 7 } } });
    let limited = Fault { body: Some(agent), ..Fault::on("/v1/convai/agents/") };
    let plan = PbxPlan { provider: vec![limited], ..PbxPlan::default() }
        .holding()
        .env("MAX_LIVE_CALLS", "10")
        .env("AGENT_CONCURRENCY", "9")
        .env("THREECX_SIMULTANEOUS_CALLS", "16");
    let world = PbxWorld::with(plan).await;
    let call = world.call_of(&world.rings(&world.known_caller(1).await)).await;
    world
        .until("the provider was asked for its limit", || async {
            world.get("/health").await.1["capacity"]["agents"]["limit"] == json!(7)
        })
        .await;
    let capacity = world.get("/health").await.1["capacity"].clone();
    assert_eq!(capacity["live_calls"], json!({ "used": 1, "limit": 10, "short": false }));
    assert_eq!(capacity["agents"], json!({ "used": 0, "limit": 7, "short": true }));
    assert_eq!(capacity["threecx_calls"], json!({ "used": null, "limit": 16, "short": false }));
    let on_board = world.get("/api/v1/live").await.1["health"]["capacity"].clone();
    for figure in ["live_calls", "agents", "threecx_calls"] {
        assert_eq!(on_board[figure], capacity[figure], "the board shows the same");
    }
    world.operator_ends(call).await;
    world.stop().await;
}
