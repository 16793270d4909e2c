//! API reads after real calls.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use precall::config::{ApiKeys, Scope};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{KEY, PATIENCE, Plan, World, caller, incoming, until};

const READER: &str = "reader-key-0123456789abcdef0123456789abcdef";
const OPERATOR: &str = "operator-key-0123456789abcdef0123456789abcd";

fn with_keys() -> Plan {
    let entry = |name, scope, key| ApiKeys::entry(name, scope, key).unwrap();
    let keys = [
        entry("tests", Scope::Admin, KEY),
        entry("reader", Scope::Read, READER),
        entry("operator", Scope::Operate, OPERATOR),
    ];
    Plan::default().env("API_KEYS", &keys.join(","))
}

pub(crate) async fn good(world: &World, path: &str) -> Value {
    let (status, body) = world.get(path).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

/// All items of a list, read page by page.
pub(crate) async fn all_pages(world: &World, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = good(world, &format!("{path}&cursor={cursor}")).await;
        items.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return items,
        }
    }
}

#[actix::test]
async fn a_call_is_shown_in_full_with_its_events() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    let row = world.completed(call).await;
    let shown = good(&world, &format!("/api/v1/calls/{call}")).await;
    for (field, column) in [
        ("caller_id", "caller_id"),
        ("conversation_id", "call_id"),
        ("threecx_call_id", "threecx_call_id"),
        ("cloned_voice_id", "cloned_voice_id"),
        ("transcript", "transcript"),
        ("status", "status"),
        ("state", "state"),
        ("cause", "cause"),
        ("line", "line"),
        ("route", "route"),
    ] {
        assert_eq!(shown[field], json!(row.get::<_, Option<String>>(column)), "{field}");
    }
    assert_eq!(shown["duration_seconds"], json!(row.get::<_, Option<i32>>("duration_seconds")));
    assert_eq!(shown["live"], Value::Null);
    let conversations = shown["conversations"].as_array().unwrap();
    let purposes: Vec<&Value> = conversations.iter().map(|c| &c["purpose"]).collect();
    assert_eq!(purposes, [&json!("greeting"), &json!("agent")]);
    assert!(conversations.iter().all(|c| c["outcome"] == "completed" && c["reported_at"].is_string()));

    let events = all_pages(&world, &format!("/api/v1/calls/{call}/events?limit=3")).await;
    let kinds: Vec<String> = events.iter().map(|e| e["event"]["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, world.events(call).await);
    let text = json!(events).to_string();
    assert!(
        !text.contains(&caller[1..]) && !text.contains("nine to five"),
        "personal data in events: {text}"
    );

    let nobody = Uuid::now_v7();
    for path in [
        format!("/api/v1/calls/{nobody}"),
        format!("/api/v1/calls/{nobody}/events"),
        "/api/v1/calls/7".into(),
    ] {
        let (status, problem) = world.get(&path).await;
        assert_eq!((status, problem["code"].as_str()), (404, Some("call_not_found")), "{path}");
    }
    world.stop().await;
}

#[actix::test]
async fn statistics_count_calls_clones_and_hits() {
    let world = World::new().await;
    let known = world.known_caller(1).await;
    for id in ["pbx-1", "pbx-2", "pbx-3"] {
        let call = world.ring(id, &known).await;
        world.completed(call).await;
    }
    let unheard = world.known_caller(2).await;
    std::fs::remove_file(world.sample(2)).unwrap();
    let call = world.ring("pbx-4", &unheard).await;
    world.completed(call).await;
    world.post_3cx(&incoming("pbx-5", "anonymous")).await;
    let figures = good(&world, "/api/v1/statistics").await;
    for (name, value) in [
        ("total_clones", json!(1)),
        ("failed_clones", json!(1)),
        ("cache_hits", json!(2)),
        ("cache_misses", json!(2)),
        ("hit_rate", json!(0.5)),
        ("total_calls", json!(5)),
        ("completed_calls", json!(4)),
        ("failed_calls", json!(1)),
        ("cached_voices", json!(1)),
        ("live_calls", json!(0)),
    ] {
        assert_eq!(figures[name], value, "{name} in {figures}");
    }
    assert!(figures["avg_creation_time_ms"].as_f64().unwrap() >= 50.0);
    world.stop().await;
}

#[actix::test]
async fn statistics_of_the_last_hours_leave_out_what_is_older() {
    let world = World::new().await;
    let known = world.known_caller(1).await;
    for id in ["pbx-1", "pbx-2"] {
        let call = world.ring(id, &known).await;
        world.completed(call).await;
    }
    let old = "update call_log set call_started_at = call_started_at - interval '2 hours' where threecx_call_id = $1";
    world.execute(old, &[&"pbx-1"]).await;
    world
        .execute("update voice_clone_log set clone_created_at = clone_created_at - interval '2 hours'", &[])
        .await;
    for (window, calls, clones, hits) in [("", 2, 1, 1), ("?hours=1", 1, 0, 1), ("?hours=3", 2, 1, 1)] {
        let figures = good(&world, &format!("/api/v1/statistics{window}")).await;
        assert_eq!(figures["total_calls"], json!(calls), "{window}: {figures}");
        assert_eq!(figures["completed_calls"], json!(calls), "{window}: {figures}");
        assert_eq!(
            (&figures["total_clones"], &figures["cache_hits"]),
            (&json!(clones), &json!(hits)),
            "{figures}"
        );
        assert_eq!(figures["since"].is_null(), window.is_empty(), "{figures}");
    }
    assert_eq!(world.get("/api/v1/statistics?hour=1").await.0, 400);
    world.stop().await;
}

#[actix::test]
async fn voice_slots_follow_each_clone_and_deletion_and_say_their_age() {
    // The account is read every five minutes: within this test once, at the start.
    let world = World::new().await;
    let slots = || async { good(&world, "/api/v1/live").await["health"]["capacity"]["voice_slots"].clone() };
    until("the account was read", || async { slots().await["checked_at"].is_string() }).await;
    let before = slots().await;
    assert_eq!(before["used"], json!(0), "{before}");
    assert!(before["age_seconds"].as_u64().unwrap() < 60, "{before}");
    for n in 1..=3 {
        let caller = world.known_caller(n).await;
        let call = world.ring(&format!("pbx-{n}"), &caller).await;
        world.completed(call).await;
        let now = slots().await;
        assert_eq!((&now["used"], &now["checked_at"]), (&json!(n), &before["checked_at"]), "{now}");
    }
    let mut page = world.http.get(format!("{}/metrics", world.app.url())).send().await.unwrap();
    let page = String::from_utf8(page.body().limit(1 << 20).await.unwrap().to_vec()).unwrap();
    for line in [
        "precall_voice_slots_used{} 3",
        "precall_voice_slots_limit{} 1000",
        "precall_voice_slots_age_seconds{} ",
    ] {
        assert!(page.lines().any(|found| found.starts_with(line)), "{line}: {page}");
    }
    assert_eq!(delete(&world, "/api/v1/callers/%2B12025550101?erase=true", KEY).await.0, 200);
    until("the deleted voice's slot is free", || async { slots().await["used"] == json!(2) }).await;
    world.stop().await;
}

#[actix::test]
async fn a_cache_hit_with_a_late_voice_is_counted_as_a_hit() {
    let world = World::with(Plan::default().env("CLONE_MAX_WAIT_SECONDS", "1").clone_delay_ms("1500")).await;
    let caller = world.known_caller(1).await;
    let late = world.ring("pbx-1", &caller).await;
    world.completed(late).await;
    world.until_row("the late voice is cached", "select 1 from voice_clone_cache", &[]).await;
    let hit = world.ring("pbx-2", &caller).await;
    world.completed(hit).await;
    let figures = good(&world, "/api/v1/statistics").await;
    assert_eq!((&figures["total_clones"], &figures["cache_hits"]), (&json!(1), &json!(1)), "{figures}");
    world.stop().await;
}

#[actix::test]
async fn a_forgotten_voice_is_cloned_again() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let first = world.ring("pbx-1", &caller).await;
    let old: String = world.completed(first).await.get("cloned_voice_id");
    let path = format!("/api/v1/cache/{caller}");
    assert_eq!(delete(&world, &path, KEY).await.1["success"], json!(true));
    assert_eq!(delete(&world, &path, KEY).await.1["success"], json!(false), "nothing is left to delete");
    let (_, answer) = world.post_3cx(&incoming("pbx-2", &caller)).await;
    assert_eq!(answer["cloned_voice_id"], Value::Null);
    let second = answer["call_id"].as_str().unwrap().parse().unwrap();
    let new: String = world.completed(second).await.get("cloned_voice_id");
    assert_ne!(old, new);
    assert_eq!(world.uploads(), 2);
    let live = "select count(*) from voice_clone_cache where caller_id = $1 and deleted_at is null";
    assert_eq!(world.count(live, &[&caller]).await, 1);
    assert_eq!(delete(&world, "/api/v1/cache/nobody", KEY).await.0, 400);
    world.stop().await;
}

async fn delete(world: &World, path: &str, key: &str) -> (u16, Value) {
    let request = world.http.delete(format!("{}{path}", world.app.url())).bearer_auth(key);
    let mut answer = request.send().await.unwrap();
    let body = answer.body().await.unwrap();
    (answer.status().as_u16(), serde_json::from_slice(&body).unwrap())
}

#[actix::test]
async fn an_operator_can_hand_over_or_hang_up_a_call() {
    let world = World::with(with_keys().env("AUTO_TRANSITION_ENABLED", "false")).await;
    let (first, second) = (world.known_caller(1).await, world.known_caller(2).await);
    let (handed, ended) = (world.ring("pbx-1", &first).await, world.ring("pbx-2", &second).await);
    for call in [handed, ended] {
        world.in_state(call, "holding").await;
        world
            .until_row("the voice is ready", "select 1 from clone_ready_events where call = $1", &[&call])
            .await;
        assert_eq!(world.in_state(call, "holding").await.get::<_, String>("status"), "initiated");
        let live = &good(&world, &format!("/api/v1/calls/{call}")).await["live"];
        assert_eq!((&live["state"], &live["voice"]), (&json!("holding"), &json!("cloned")), "{live}");
    }
    assert_eq!(world.dials("agent").len(), 0, "no handoff without an order");
    let order = |call: Uuid, what: &str| format!("/api/v1/calls/{call}/{what}");
    let bearer = |key: &str| format!("Bearer {key}");
    let (status, _) =
        world.post(&order(handed, "handoff"), &[("authorization", &bearer(READER))], String::new()).await;
    assert_eq!(status, 403);
    let (status, _) = world.post(&order(handed, "handoff"), &[("x-api-key", OPERATOR)], String::new()).await;
    assert_eq!(status, 202);
    let row = world.completed(handed).await;
    assert!(row.get::<_, Option<String>>("cloned_voice_id").is_some());
    assert_eq!(world.operate(&order(ended, "hangup")).await.0, 202);
    let row = world.released(ended).await;
    assert_eq!(row.get::<_, String>("cause"), "operator_ended");
    assert_eq!(row.get::<_, String>("blame"), "operator");
    assert_eq!(world.dials("agent").len(), 1);
    world
        .until("the call is not live any more", || async {
            world.operate(&order(ended, "hangup")).await.0 == 409
        })
        .await;
    assert_eq!(world.operate(&order(Uuid::now_v7(), "hangup")).await.0, 404);
    world.stop().await;
}

#[actix::test]
async fn api_keys_allow_only_their_scope() {
    let world = World::with(with_keys()).await;
    let number = caller(1);
    let paths = ["/api/v1/calls", "/api/v1/statistics", "/api/v1/live"];
    for path in paths {
        let url = format!("{}{path}", world.app.url());
        let plain = world.http.get(&url).send().await.unwrap();
        assert_eq!(plain.status().as_u16(), 401, "{path}");
        assert!(plain.headers().contains_key("www-authenticate"));
        let wrong = world.http.get(&url).bearer_auth("wrong-key-0123456789abcdef0123456789abcdef");
        assert_eq!(wrong.send().await.unwrap().status().as_u16(), 401, "{path}");
        for key in [READER, OPERATOR, KEY] {
            assert_eq!(
                world.http.get(&url).bearer_auth(key).send().await.unwrap().status().as_u16(),
                200,
                "{path}"
            );
            let by_header = world.http.get(&url).insert_header(("x-api-key", key)).send().await.unwrap();
            assert_eq!(by_header.status().as_u16(), 200, "{path}");
        }
    }
    let cache = format!("/api/v1/cache/{number}");
    assert_eq!(delete(&world, &cache, READER).await.0, 403);
    assert_eq!(delete(&world, &cache, OPERATOR).await.0, 200);
    let (status, _) =
        world.post(&format!("/api/v1/calls/{}/hangup", Uuid::now_v7()), &[], String::new()).await;
    assert_eq!(status, 401);
    world.stop().await;
}

#[actix::test]
async fn without_api_keys_the_api_refuses_every_request() {
    let world = World::with(Plan::default().env("API_KEYS", "")).await;
    assert_eq!(world.get("/api/v1/calls").await.0, 401);
    assert_eq!(world.get("/health/ready").await.0, 200);
    world.stop().await;
}

#[actix::test]
async fn metrics_contain_no_phone_number() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.completed(call).await;
    let url = format!("{}/metrics", world.app.url());
    let page = world.http.get(url).send().await.unwrap().body().await.unwrap();
    let page = String::from_utf8(page.to_vec()).unwrap();
    let latency = "precall_provider_request_seconds_count{service=\"elevenlabs\",endpoint=";
    for endpoint in ["add_voice", "outbound_call"] {
        assert!(page.contains(&format!("{latency}\"{endpoint}\",status=\"2xx\"}}")), "{endpoint}: {page}");
    }
    assert!(page.contains("precall_mailbox_age_seconds{actor=\"supervisor\"}"), "{page}");
    let counted = |line: &&str| !line.starts_with('#') && line.contains("released") && line.ends_with(" 1");
    assert!(page.lines().any(|line| counted(&line)), "the call is counted: {page}");
    let agent = world.conversation(call, "agent").await;
    for name in [&caller[1..], "pbx-1", &call.to_string(), &agent, "+1202", "Test"] {
        assert!(!page.contains(name), "{name} in {page}");
    }
    world.stop().await;
}

#[actix::test]
async fn an_event_stream_that_reconnects_misses_nothing() {
    let world = World::new().await;
    let mut heard: Vec<Value> = Vec::new();
    for n in 1..=4 {
        let caller = world.known_caller(n).await;
        let call = world.ring(&format!("pbx-{n}"), &caller).await;
        let last = heard.last().map_or(0, |event| event["position"].as_i64().unwrap());
        // The client reads three events, disconnects in the middle of the call, and reconnects.
        heard.extend(follow(&world, last, 3).await);
        world.completed(call).await;
    }
    let all = "select position from call_events union all select position from voice_events order by 1";
    let rows = world.client.query(all, &[]).await.unwrap();
    let positions: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    let missing = positions.len() - heard.len();
    let last = heard.last().unwrap()["position"].as_i64().unwrap();
    heard.extend(follow(&world, last, missing).await);
    let told: Vec<i64> = heard.iter().map(|event| event["position"].as_i64().unwrap()).collect();
    assert_eq!(told, positions, "every event once, in order");
    let streams: BTreeSet<&str> = heard.iter().map(|event| event["stream"].as_str().unwrap()).collect();
    assert_eq!(streams, BTreeSet::from(["call", "voice"]));
    assert!(!json!(heard).to_string().contains("2025550"), "a phone number in the stream");
    world.stop().await;
}

#[actix::test]
async fn an_event_stream_that_reconnects_after_a_restart_misses_nothing() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.completed(call).await;
    let heard = follow(&world, 0, 2).await;
    let behind = heard[1]["position"].as_i64().unwrap();
    let rest = "select count(*) from (select position from call_events union all select position from voice_events) e
        where position > $1";
    let rest = usize::try_from(world.count(rest, &[&behind]).await).unwrap();
    let world = world.restart().await;
    // Stored events are sent even if no new event happens.
    assert_eq!(follow(&world, behind, rest).await.len(), rest);
    world.stop().await;
}

#[actix::test]
async fn a_new_event_stream_gets_new_events_only() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let old = world.ring("pbx-1", &caller).await;
    world.completed(old).await;
    let world = world.restart().await;
    let following = follow_from(&world, None, 1);
    let ringing = async {
        let news = world.ring("pbx-2", &caller).await;
        world.completed(news).await;
        news
    };
    let (heard, news) = futures_util::future::join(following, ringing).await;
    assert_eq!(heard[0]["id"], json!(news.to_string()), "the first event: {}", heard[0]);
    world.stop().await;
}

/// The next events after a position.
async fn follow(world: &World, behind: i64, count: usize) -> Vec<Value> {
    follow_from(world, Some(behind), count).await
}

/// The next events after a position, or from now on without one.
async fn follow_from(world: &World, behind: Option<i64>, count: usize) -> Vec<Value> {
    let mut request = world.http.get(format!("{}/api/v1/events", world.app.url())).bearer_auth(KEY);
    if let Some(behind) = behind {
        request = request.insert_header(("last-event-id", behind.to_string()));
    }
    let mut stream = request.send().await.unwrap();
    assert_eq!(stream.status().as_u16(), 200);
    let hear = async {
        let (mut text, mut events) = (String::new(), Vec::new());
        while events.len() < count {
            let chunk = stream.next().await.expect("the stream stays open").unwrap();
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some((frame, rest)) = text.split_once("\n\n") {
                events.extend(event_of(frame));
                text = rest.to_owned();
            }
        }
        events.truncate(count);
        events
    };
    // Keep-alive comments continue while nothing happens, so the deadline covers the whole read.
    tokio::time::timeout(PATIENCE, hear).await.expect("the events arrive in time")
}

fn event_of(frame: &str) -> Option<Value> {
    let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name));
    let event: Value = serde_json::from_str(field("data: ")?).unwrap();
    assert_eq!(field("id: ").unwrap(), event["position"].to_string());
    assert_eq!(field("event: ").unwrap(), event["stream"].as_str().unwrap());
    Some(event)
}
