//! Greetings that cannot be played: no recording notice, or no capacity.

use std::time::Duration;

use precall_simulators::elevenlabs;
use precall_simulators::threecx::{CallReport, EndedBy};

use crate::support::{PERSON, PbxPlan, PbxWorld};

#[actix::test]
async fn without_the_recording_notice_no_call_reaches_an_agent() {
    let down = elevenlabs::Fault { status: Some(401), ..elevenlabs::Fault::on("/v1/text-to-speech") };
    let plan = PbxPlan { provider: vec![down], ..PbxPlan::default() };
    let world = PbxWorld::with(plan).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("told"), "person");
    assert_eq!(row.get::<_, String>("status"), "failed");
    let report = world.report(&pbx_id);
    let tried: Vec<&str> = report.transfers.iter().map(|t| t.destination.as_str()).collect();
    assert_eq!(tried, [PERSON]);
    assert!(!world.heard(&pbx_id).contains(&world.greeting.start(20)), "a greeting without the notice");
    assert!(!world.events(call).await.contains(&"notice_ended".to_owned()));
    assert_eq!(world.simulator.conversations(), serde_json::json!([]));
    // Once the notice is prepared, later calls hear it.
    assert!(!world.app.engine().health().prompt_problems.is_empty());
    world.faults(Vec::new());
    world
        .until("the notice is prepared", || async { world.app.engine().health().prompt_problems.is_empty() })
        .await;
    let next = world.rings(&world.known_caller(2).await);
    world.completed(world.call_of(&next).await).await;
    assert!(world.heard(&next).contains(&world.notice().await));
    world.stop().await;
}

#[actix::test]
async fn at_the_limit_of_live_calls_the_next_call_goes_to_a_person() {
    let world = PbxWorld::with(PbxPlan::default().holding().env("MAX_LIVE_CALLS", "1")).await;
    let first = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&first).await;
    let second = world.rings(&world.known_caller(2).await);
    let report =
        world.at_pbx(&second, "the call is with a person", |call| call.transferred_at.is_some()).await;
    assert_eq!(report.transfers.len(), 1);
    assert_eq!(report.transfers[0].destination, PERSON);
    assert_eq!(report.posts_opened, 0, "precall played audio");
    assert!(
        world.routed_after(&second) < Duration::from_secs(4),
        "it took {:?}",
        world.routed_after(&second)
    );
    let refused = world.released(world.call_of(&second).await).await;
    assert_eq!(refused.get::<_, String>("cause"), "at_capacity");
    world.operator_ends(call).await;
    // The call slot is free shortly after the release.
    let caller = world.known_caller(3).await;
    let is_greeted = || async {
        let next = world.rings(&caller);
        let treated = |call: &CallReport| call.posts_opened > 0 || call.transferred_at.is_some();
        world.at_pbx(&next, "the call is greeted or transferred", treated).await.posts_opened > 0
    };
    world.until("a call slot is free again", is_greeted).await;
    let statement = "select id from call_log where caller_id = $1 and state <> 'released'";
    let third = world.until_row("the third call is known", statement, &[&caller]).await.get(0);
    world.operator_ends(third).await;
    world.stop().await;
}

#[actix::test]
async fn at_the_limit_without_a_person_the_next_call_is_ended() {
    let plan = PbxPlan::default().holding().env("MAX_LIVE_CALLS", "1").env("FALLBACK_DESTINATION", "");
    let world = PbxWorld::with(plan).await;
    let first = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&first).await;
    let second = world.rings(&world.known_caller(2).await);
    let report = world.at_pbx(&second, "the leg is dropped", |call| call.ended_by.is_some()).await;
    assert_eq!((report.ended_by, report.posts_opened), (Some(EndedBy::Client), 0));
    let refused = world.released(world.call_of(&second).await).await;
    assert_eq!(refused.get::<_, String>("cause"), "at_capacity");
    world.operator_ends(call).await;
    world.stop().await;
}
