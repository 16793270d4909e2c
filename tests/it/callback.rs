//! Route `callback`, from the webhook to the stored rows.

use serde_json::json;

use crate::support::{World, incoming};

#[actix::test]
async fn a_callback_call_is_greeted_cloned_handed_over_and_stored() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("cause"), "completed");
    assert!(row.get::<_, Option<String>>("transcript").unwrap().contains(": "));
    assert!(row.get::<_, Option<i32>>("duration_seconds").is_some());

    let dials = world.requests("/v1/convai/sip-trunk/outbound-call");
    assert_eq!(dials.len(), 2, "one greeting, one agent");
    assert_eq!(dials[0]["body"]["to_number"], json!(caller));
    assert_eq!(dials[0]["body"]["conversation_initiation_client_data"]["user_id"], json!(call.to_string()));
    let clones = world.requests("/v1/voices/add");
    assert_eq!(clones.len(), 1);
    let name = clones[0]["body"]["parts"].as_array().unwrap().iter().find(|p| p["name"] == "name").unwrap();
    assert!(name["value"].as_str().unwrap().starts_with("precall-test-"));
    assert!(!clones[0].to_string().contains(&caller[1..]), "a phone number in a voice name at the provider");
    let voice = row.get::<_, String>("cloned_voice_id");
    let spoken = &dials[1]["body"]["conversation_initiation_client_data"]["conversation_config_override"];
    assert_eq!(spoken["tts"]["voice_id"], json!(voice));

    let events = world.events(call).await;
    assert_eq!(events[0], "offered");
    assert_eq!(events[1], "greeting_dialled");
    let started = events.iter().position(|kind| kind == "handoff_started").unwrap();
    let succeeded = events.iter().position(|kind| kind == "handoff_succeeded").unwrap();
    assert!(started < succeeded);
    let greeting: String = world
        .client
        .query_one("select provider_id from conversations where call = $1 and purpose = 'greeting'", &[&call])
        .await
        .unwrap()
        .get(0);
    let agent: String = row.get("call_id");
    for (table, column, value) in [
        ("voice_clone_log", "cloned_voice_id", &voice),
        ("voice_clone_cache", "cloned_voice_id", &voice),
        ("clone_ready_events", "greeting_call_id", &greeting),
        ("clone_transfer_events", "agent_call_id", &agent),
        ("clone_transfer_events", "greeting_call_id", &greeting),
    ] {
        let statement = format!("select count(*) from {table} where {column} = $1");
        assert_eq!(world.count(&statement, &[value]).await, 1, "{table}.{column}");
    }
    world.stop().await;
}

#[actix::test]
async fn the_second_call_of_a_caller_uses_the_cached_voice() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let first = world.ring("pbx-1", &caller).await;
    world.completed(first).await;
    let (_, answer) = world.post_3cx(&incoming("pbx-2", &caller)).await;
    assert!(answer["cloned_voice_id"].is_string(), "{answer}");
    let second = answer["call_id"].as_str().unwrap().parse().unwrap();
    world.completed(second).await;
    assert_eq!(world.requests("/v1/voices/add").len(), 1);
    let uses = "select reuse_count::bigint from voice_clone_cache where caller_id = $1";
    assert_eq!(world.count(uses, &[&caller]).await, 2);
    world.stop().await;
}

#[actix::test]
async fn one_webhook_delivered_five_times_makes_one_call() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let body = incoming("pbx-1", &caller);
    let answers = futures_util::future::join_all((0..5).map(|_| world.post_3cx(&body))).await;
    let ids: std::collections::BTreeSet<_> =
        answers.iter().map(|(status, answer)| (*status, answer["call_id"].to_string())).collect();
    assert_eq!(ids.len(), 1, "{answers:?}");
    let accepted = answers.iter().filter(|(_, answer)| answer["status"] == "accepted").count();
    assert_eq!(accepted, 1);
    let call = answers[0].1["call_id"].as_str().unwrap().parse().unwrap();
    world.completed(call).await;
    assert_eq!(world.post_3cx(&body).await.1["status"], "duplicate");
    assert_eq!(world.requests("/v1/convai/sip-trunk/outbound-call").len(), 2);
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 1);
    world.stop().await;
}
