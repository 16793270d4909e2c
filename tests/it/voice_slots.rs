//! The account has few voice slots: an unused voice is deleted to make room, a voice in use never is.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Plan, World, incoming, until};

fn with_slots(slots: u32) -> Plan {
    Plan { voice_slots: slots, ..Plan::default() }
}

/// Voices at the provider.
fn voices(world: &World) -> BTreeSet<String> {
    let voices = world.simulator.voices();
    voices.as_array().unwrap().iter().map(|voice| voice["voice_id"].as_str().unwrap().to_owned()).collect()
}

/// Voices that exist according to the database.
async fn known(world: &World) -> BTreeSet<String> {
    let sql = "select event ->> 'voice_id' from voice_events e where event ->> 'kind' = 'clone_succeeded'
        and not exists (select from voice_events d where d.job = e.job and d.event ->> 'kind' = 'voice_deleted')";
    world.client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn voice_of(world: &World, call: Uuid) -> (Option<String>, Option<String>) {
    let sql = "select cloned_voice_id, voice_missing from call_log where id = $1";
    let row = world.client.query_one(sql, &[&call]).await.unwrap();
    (row.get(0), row.get(1))
}

async fn one_call(world: &World, n: u32, caller: &str) -> Uuid {
    let call = world.ring(&format!("pbx-{n}"), caller).await;
    world.completed(call).await;
    call
}

#[actix::test]
async fn the_least_recently_used_voice_is_deleted_for_a_new_one() {
    let world = World::with(with_slots(2)).await;
    let callers = [world.known_caller(1).await, world.known_caller(2).await, world.known_caller(3).await];
    let first = one_call(&world, 1, &callers[0]).await;
    let second = one_call(&world, 2, &callers[1]).await;
    one_call(&world, 3, &callers[0]).await;
    let third = one_call(&world, 4, &callers[2]).await;
    let (kept, _) = voice_of(&world, first).await;
    let (gone, _) = voice_of(&world, second).await;
    let (new, _) = voice_of(&world, third).await;
    let expected = BTreeSet::from([kept.unwrap(), new.unwrap()]);
    assert_eq!(voices(&world), expected, "the second caller's voice was used least recently");
    until("the database says the same", || async { known(&world).await == expected }).await;
    let cached = "select count(*) from voice_clone_cache where cloned_voice_id = $1 and deleted_at is null";
    assert_eq!(world.count(cached, &[&gone]).await, 0);
    // A caller who returns gets a voice again.
    let again = one_call(&world, 5, &callers[1]).await;
    assert!(voice_of(&world, again).await.0.is_some());
    assert_eq!(voices(&world).len(), 2);
    world.stop().await;
}

#[actix::test]
async fn a_voice_in_use_is_not_deleted_for_another() {
    let world = World::with(Plan { voice_slots: 1, ..Plan::default().conversation_ms(1_500) }).await;
    let (first, second) = (world.known_caller(1).await, world.known_caller(2).await);
    let talks = world.ring("pbx-1", &first).await;
    world.in_state(talks, "conversing").await;
    let held = voices(&world);
    let other = world.ring("pbx-2", &second).await;
    world.completed(other).await;
    assert_eq!(voice_of(&world, other).await, (None, Some("no_slot".to_owned())));
    assert_eq!(voices(&world), held);
    world.completed(talks).await;
    let again = one_call(&world, 3, &second).await;
    assert!(voice_of(&world, again).await.0.is_some(), "the other voice is not in use any more");
    world.stop().await;
}

#[actix::test]
async fn a_voice_in_use_is_not_deleted_after_a_restart() {
    let world = World::with(Plan { voice_slots: 1, ..Plan::default().conversation_ms(3_000) }).await;
    let (first, second) = (world.known_caller(1).await, world.known_caller(2).await);
    let talks = world.ring("pbx-1", &first).await;
    world.in_state(talks, "conversing").await;
    let held = voices(&world);
    let world = world.restart().await;
    let other = world.ring("pbx-2", &second).await;
    world.until("its voice is decided", || async { voice_of(&world, other).await.1.is_some() }).await;
    assert_eq!(voice_of(&world, other).await.1.as_deref(), Some("no_slot"));
    assert_eq!(voices(&world), held);
    world.completed(talks).await;
    world.stop().await;
}

#[actix::test]
async fn an_expired_voice_is_deleted_at_the_provider() {
    let world = World::with(Plan::default().env("CACHE_TTL", "1")).await;
    let caller = world.known_caller(1).await;
    one_call(&world, 1, &caller).await;
    until("the voice is deleted", || async { voices(&world).is_empty() }).await;
    until("the database says so", || async { known(&world).await.is_empty() }).await;
    let why: Value = world
        .client
        .query_one("select event from voice_events where event ->> 'kind' = 'voice_deleted'", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!((&why["why"], &why["was_gone"]), (&json!("expired"), &json!(false)));
    world.stop().await;
}

#[actix::test]
async fn a_forgotten_voice_is_deleted_at_the_provider() {
    let world = World::with(Plan::default().env("CACHE_TTL", "4")).await;
    let caller = world.known_caller(1).await;
    one_call(&world, 1, &caller).await;
    assert_eq!(voices(&world).len(), 1);
    let path = format!("/api/v1/cache/{}", caller.replace('+', "%2B"));
    let request = world.http.delete(format!("{}{path}", world.app.url())).bearer_auth(crate::support::KEY);
    assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
    until("the voice is deleted", || async { voices(&world).is_empty() }).await;
    until("the database says so", || async { known(&world).await.is_empty() }).await;
    world.stop().await;
}

/// `SLOT_CALLERS` and `SLOT_CALLS` set larger numbers.
#[actix::test]
async fn many_callers_share_few_voice_slots() {
    let number =
        |name: &str, usual| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (callers, calls): (u32, u32) = (number("SLOT_CALLERS", 30), number("SLOT_CALLS", 120));
    let plan = Plan { voice_slots: 10, ..Plan::default().conversation_ms(40).clone_delay_ms("5") };
    let world = World::with(
        plan.env("CALLBACK_LIMIT_CONCURRENT", "100000").env("CALLBACK_LIMIT_PER_HOUR", "1000000"),
    )
    .await;
    let mut numbers = Vec::new();
    for n in 0..callers {
        let number = format!("+1202{}", 2_000_000 + n);
        let sample = format!("{n}.wav");
        crate::support::write_sample(&world.sample(n), n);
        let sql =
            "insert into caller_voice_mapping (caller_id, voice_sample_url, voice_name) values ($1, $2, 'x')";
        world.execute(sql, &[&number, &sample]).await;
        world.consent(&number, &world.sample(n)).await;
        numbers.push(number);
    }
    let (mut random, mut live, mut most) = (7_u64, Vec::new(), 0);
    for n in 0..calls {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let caller = &numbers[usize::try_from((random >> 33) % u64::from(callers)).unwrap()];
        // A caller who is called back already is refused as busy.
        let (status, answer) = world.post_3cx(&incoming(&format!("pbx-{n}"), caller)).await;
        assert_eq!(status, 200, "{answer}");
        live.push(answer["call_id"].as_str().unwrap().parse().unwrap());
        most = most.max(voices(&world).len());
        if live.len() == 8 {
            world.released(live.remove(0)).await;
        }
    }
    for call in live {
        world.released(call).await;
    }
    assert!(most <= 10, "{most} voices at once");
    until("provider and database agree", || async { known(&world).await == voices(&world) }).await;
    let counts = "select count(*) filter (where cloned_voice_id is not null),
        count(*) filter (where voice_missing is not null) from call_log";
    let row = world.client.query_one(counts, &[]).await.unwrap();
    let (cloned, missing): (i64, i64) = (row.get(0), row.get(1));
    println!(
        "{calls} calls of {callers} callers: {cloned} with their voice, {missing} without, {most} voices at most"
    );
    assert!(cloned > missing, "{cloned} {missing}");
    world.stop().await;
}
