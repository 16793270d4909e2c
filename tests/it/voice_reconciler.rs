//! Reconciliation of voices at ElevenLabs and in the database: strays are deleted, missing voices are forgotten, and
//! large changes need the approval of an operator.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{KEY, Plan, World, until, write_sample};

/// Creates a voice of this name at the provider, as an earlier process would.
async fn made_elsewhere(world: &World, name: &str) {
    let boundary = "edge";
    let file = world.sample(9_000);
    write_sample(&file, Uuid::new_v4().as_fields().0 % 1_000);
    let mut body = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"name\"\r\n\r\n{name}\r\n\
         --{boundary}\r\ncontent-disposition: form-data; name=\"files\"; filename=\"a.wav\"\r\n\
         content-type: audio/wav\r\n\r\n"
    )
    .into_bytes();
    body.extend(std::fs::read(file).unwrap());
    body.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
    let request = world.http.post(format!("{}/v1/voices/add", world.simulator.url()));
    let request = request
        .insert_header(("xi-api-key", "test-key"))
        .insert_header(("content-type", format!("multipart/form-data; boundary={boundary}")));
    assert_eq!(request.send_body(body).await.unwrap().status().as_u16(), 200);
}

/// The simulator gives no creation time, so the voice counts as old.
async fn strays(world: &World, count: usize) {
    for _ in 0..count {
        made_elsewhere(world, &format!("precall-test-{}", Uuid::now_v7())).await;
    }
    world.simulator.age_voices();
}

async fn reconcile(world: &World, yes: bool) -> (u16, Value) {
    let body = json!({ "yes": yes }).to_string();
    let headers =
        [("authorization", format!("Bearer {KEY}")), ("content-type", "application/json".to_owned())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    world.post("/api/v1/voices/reconcile", &headers, body).await
}

fn at_provider(world: &World) -> usize {
    world.simulator.voices().as_array().unwrap().len()
}

async fn cloned(world: &World, n: u32) -> Uuid {
    let caller = world.known_caller(n).await;
    let call = world.ring(&format!("pbx-{n}"), &caller).await;
    world.completed(call).await;
    call
}

#[actix::test]
async fn a_new_database_needs_one_approval_before_stray_voices_are_deleted() {
    let world = World::with(Plan { voice_slots: 40, ..Plan::default() }).await;
    for n in 1..=6 {
        cloned(&world, n).await;
    }
    made_elsewhere(&world, "precall-another-0199c0de-0000-7000-8000-000000000001").await;
    made_elsewhere(&world, "Anna").await;
    strays(&world, 1).await;
    let (status, answer) = reconcile(&world, false).await;
    assert_eq!((status, answer["strays"].as_array().unwrap().len()), (200, 1), "{answer}");
    assert!(answer["needs_yes"].as_str().unwrap().contains("new or restored"), "{answer}");
    assert_eq!((answer["at_provider"].clone(), answer["known"].clone()), (json!(7), json!(6)));
    assert_eq!(at_provider(&world), 9);
    let (_, answer) = reconcile(&world, true).await;
    assert_eq!((&answer["deleted"], &answer["needs_yes"]), (&json!(1), &Value::Null), "{answer}");
    assert_eq!(at_provider(&world), 8, "six of ours and two of others");
    let audit = "select detail ->> 'deleted' from audit_log where action = 'voices_reconciled'
        order by id desc limit 1";
    assert_eq!(world.client.query_one(audit, &[]).await.unwrap().get::<_, String>(0), "1");
    strays(&world, 1).await;
    let (_, answer) = reconcile(&world, false).await;
    assert_eq!(answer["deleted"], json!(1), "an operator has approved once: {answer}");
    strays(&world, 2).await;
    let (_, answer) = reconcile(&world, false).await;
    assert!(answer["needs_yes"].as_str().unwrap().contains("2 of 8"), "more than a fifth: {answer}");
    let world = world.restart().await;
    let (_, answer) = reconcile(&world, true).await;
    assert_eq!(answer["deleted"], json!(2), "{answer}");
    strays(&world, 1).await;
    let (_, answer) = reconcile(&world, false).await;
    assert_eq!(answer["deleted"], json!(1), "a restart forgets nothing: {answer}");
    // A restored older database knows fewer voices than exist.
    let world = world.restart_after("select setval('engine_generation', 1)", &[]).await;
    strays(&world, 1).await;
    let (_, answer) = reconcile(&world, false).await;
    assert!(answer["needs_yes"].as_str().unwrap().contains("restored"), "{answer}");
    world.stop().await;
}

#[actix::test]
async fn a_voice_deleted_at_the_provider_is_removed_from_the_cache() {
    let world = World::new().await;
    let call = cloned(&world, 1).await;
    let voices = world.simulator.voices();
    let voice = voices[0]["voice_id"].as_str().unwrap();
    let delete = world.http.delete(format!("{}/v1/voices/{voice}", world.simulator.url()));
    let delete = delete.insert_header(("xi-api-key", "test-key"));
    assert_eq!(delete.send().await.unwrap().status().as_u16(), 200);
    let (_, answer) = reconcile(&world, true).await;
    assert_eq!(answer["gone"], json!([voice]), "{answer}");
    let event = "select event from voice_events where event ->> 'kind' = 'voice_deleted'";
    let event: Value = world.until_row("its log says so", event, &[]).await.get(0);
    assert_eq!((&event["why"], &event["was_gone"]), (&json!("reconciled"), &json!(true)));
    let caller: String = world
        .client
        .query_one("select caller_id from call_log where id = $1", &[&call])
        .await
        .unwrap()
        .get(0);
    let again = world.ring("pbx-2", &caller).await;
    let row = world.completed(again).await;
    assert_ne!(row.get::<_, String>("cloned_voice_id"), voice);
    world.stop().await;
}

#[actix::test]
async fn voices_are_listed_with_their_consent_and_cloned_ahead_into_free_slots() {
    let world = World::with(Plan { voice_slots: 2, ..Plan::default() }.env("CACHE_TTL", "86400")).await;
    cloned(&world, 1).await;
    let (_, page) = world.get("/api/v1/voices").await;
    assert_eq!((&page["items"][0]["consent"], &page["items"][0]["calls"]), (&json!(1), &json!(1)), "{page}");
    assert!(page["items"][0]["speaker"].is_string());
    // Two callers who called several times while the provider was down.
    for n in [2_u32, 3] {
        let caller = world.mapped_caller(n).await;
        for ordinal in 0..n {
            let call = world.ring(&format!("pbx-{n}-{ordinal}"), &caller).await;
            world.completed(call).await;
        }
        world.consent(&caller, &world.sample(n)).await;
    }
    until("the account's limit is known", || async {
        world.simulator.requests().iter().any(|request| request["path"] == "/v1/user/subscription")
    })
    .await;
    let headers =
        [("authorization", format!("Bearer {KEY}")), ("content-type", "application/json".to_owned())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (status, answer) =
        world.post("/api/v1/voices/warm", &headers, json!({ "limit": 5 }).to_string()).await;
    assert_eq!((status, &answer["wanting"], &answer["begun"]), (202, &json!(2), &json!(1)), "{answer}");
    until("the more frequent caller has a voice", || async { at_provider(&world) == 2 }).await;
    let frequent = crate::support::caller(3);
    let made = "select 1 from voice_events s join voice_events r on r.job = s.job and r.seq = 1
        where s.event ->> 'kind' = 'clone_succeeded' and r.pii ->> 'caller_id' = $1";
    world.until_row("the new voice is the more frequent caller's", made, &[&frequent]).await;
    let kept = "select 1 from voice_events where event ->> 'kind' = 'voice_deleted'";
    assert!(world.client.query_opt(kept, &[]).await.unwrap().is_none(), "no voice was deleted to make room");
    let again = world.ring("pbx-9", &frequent).await;
    world.completed(again).await;
    let source = "select source from clone_ready_events where call = $1";
    let source: String = world.client.query_one(source, &[&again]).await.unwrap().get(0);
    assert_eq!(source, "cache");
    world.stop().await;
}
