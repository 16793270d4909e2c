//! What a restart must not lose and must not do twice.

use std::time::Duration;

use precall_simulators::elevenlabs::Fault;

use crate::support::{Plan, World, incoming};

#[actix::test]
async fn a_clone_whose_answer_was_lost_in_a_restart_is_found_by_name_and_not_uploaded_again() {
    let world = World::with(Plan { conversation: Duration::from_secs(3), ..Plan::default() }).await;
    let caller = world.known_caller(1).await;
    // ElevenLabs creates the voice but never answers; then the service stops.
    world.faults(vec![Fault { after: true, hang: true, times: Some(1), ..Fault::on("/v1/voices/add") }]);
    let call = world.ring("pbx-1", &caller).await;
    world
        .until("the voice was created", || async {
            world.simulator.voices().as_array().is_some_and(|voices| voices.len() == 1)
        })
        .await;
    let world = world.restart().await;
    let row = world.completed(call).await;
    assert!(
        row.get::<_, Option<String>>("cloned_voice_id").is_some(),
        "the call waited for the voice that was found"
    );
    assert_eq!(world.requests("/v1/voices/add").len(), 1);
    let found = "select count(*) from voice_events where event ->> 'found_by_name' = 'true'";
    assert_eq!(world.count(found, &[]).await, 1);
    assert_eq!(world.requests("/v1/convai/sip-trunk/outbound-call").len(), 2, "one greeting, one agent");
    assert_eq!(world.post_3cx(&incoming("pbx-1", &caller)).await.1["status"], "duplicate");
    world.stop().await;
}

#[actix::test]
async fn an_early_end_is_deleted_once_its_call_has_arrived() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let end = serde_json::json!({ "event_type": "CallEnded", "call_id": "pbx-1" });
    assert_eq!(world.post_3cx(&end).await.1["status"], "ended");
    assert_eq!(world.count("select count(*) from early_ends", &[]).await, 1);
    let (_, answer) = world.post_3cx(&incoming("pbx-1", &caller)).await;
    assert_eq!(answer["status"], "ended");
    assert_eq!(world.count("select count(*) from early_ends", &[]).await, 0);
    let row = world.released(answer["call_id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(row.get::<_, String>("cause"), "caller_hung_up");
    assert!(world.requests("/v1/convai/sip-trunk").is_empty(), "nothing was dialled");
    world.stop().await;
}

#[actix::test]
async fn an_unreadable_log_ends_only_its_own_call() {
    let plan = Plan { conversation: Duration::from_millis(1_500), ..Plan::default() };
    let world = World::with(plan.env("MAX_LIVE_CALLS", "4")).await;
    let mut calls = Vec::new();
    for n in 1..=4 {
        calls.push(world.ring(&format!("pbx-{n}"), &world.known_caller(n).await).await);
    }
    for call in &calls {
        world.conversation(*call, "greeting").await;
    }
    // The first two are read back by themselves, and the others together.
    let broken = calls.remove(2);
    let spoil = "update call_events set event = '{\"v\": 99}' where call = $1 and seq = 2";
    world.execute(spoil, &[&broken]).await;
    let world = world.restart().await;
    let row = world.released(broken).await;
    assert_eq!(row.get::<_, String>("cause"), "unreadable_log");
    assert_eq!(row.get::<_, String>("blame"), "precall");
    for call in calls {
        world.completed(call).await;
    }
    for n in 5..=7 {
        world.ring(&format!("pbx-{n}"), &world.known_caller(n).await).await;
    }
    // A released call's slot is free shortly after its row is written.
    let last = world.known_caller(8).await;
    let taken = || async { world.post_3cx(&incoming("pbx-8", &last)).await.0 == 200 };
    world.until("there is a slot for a fourth call", taken).await;
    assert_eq!(world.app.engine().live().len(), 4, "four calls are live at once");
    world.stop().await;
}
