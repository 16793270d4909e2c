//! What a restart must not lose, and must not do twice.

use std::time::Duration;

use precall::simulators::elevenlabs::Fault;

use crate::support::{Plan, World, incoming};

#[actix::test]
async fn a_clone_whose_answer_a_restart_swallowed_is_found_by_its_name_and_not_uploaded_again() {
    let world = World::with(Plan { conversation: Duration::from_secs(3), ..Plan::default() }).await;
    let caller = world.known_caller(1).await;
    // The provider makes the voice and never answers; then the service goes.
    world.faults(vec![Fault { after: true, hang: true, times: Some(1), ..Fault::on("/v1/voices/add") }]);
    let call = world.ring("pbx-1", &caller).await;
    world
        .until("the voice is made", || async {
            world.simulator.voices().as_array().is_some_and(|voices| voices.len() == 1)
        })
        .await;
    let world = world.restart().await;
    let row = world.completed(call).await;
    assert!(row.get::<_, Option<String>>("cloned_voice_id").is_some(), "the call waited for what was found");
    assert_eq!(world.requests("/v1/voices/add").len(), 1);
    let found = "select count(*) from voice_events where event ->> 'found_by_name' = 'true'";
    assert_eq!(world.count(found, &[]).await, 1);
    assert_eq!(world.requests("/v1/convai/sip-trunk/outbound-call").len(), 2, "one greeting, one agent");
    assert_eq!(world.post_3cx(&incoming("pbx-1", &caller)).await.1["status"], "duplicate");
    world.stop().await;
}

#[actix::test]
async fn an_early_end_is_forgotten_once_it_has_absorbed_its_call() {
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
    assert!(world.requests("/v1/convai").is_empty(), "nobody was rung");
    world.stop().await;
}
