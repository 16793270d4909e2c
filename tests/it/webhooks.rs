//! Webhooks of the PBX, in any order and number.

use precall::signature::{Kind, sign};
use precall_base::clock;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{ADD, CALLED, Plan, SECRET, World, ended, incoming};

/// A plan whose greetings last until the test posts their report.
fn slow_greeting() -> Plan {
    Plan::default().conversation_ms(700)
}

fn changed(id: &str, state: &str) -> Value {
    json!({ "event_type": "CallStateChanged", "call_id": id, "state": state })
}

fn ended_after(id: &str, seconds: i64) -> Value {
    json!({ "event_type": "callended", "call_id": id, "duration": seconds, "status": "missed" })
}

async fn says(world: &World, body: &Value, status: &str) -> Value {
    let (code, answer) = world.post_3cx(body).await;
    assert_eq!((code, answer["status"].as_str()), (200, Some(status)), "{body} {answer}");
    answer
}

/// Waits until the report of every greeting so far was delivered.
async fn greeting_is_reported(world: &World, call: Uuid) {
    let greeting = world.conversation(call, "greeting").await;
    let delivered = || {
        let posts = world.simulator.webhooks();
        posts.iter().any(|post| post["conversation_id"] == json!(greeting) && post["status"] == json!(200))
    };
    world.until("the greeting's report was accepted", || async { delivered() }).await;
}

#[actix::test]
async fn a_call_whose_end_arrives_first_is_ended_without_a_dial() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let answer = says(&world, &ended("pbx-1"), "ended").await;
    assert_eq!(answer["call_id"], Value::Null, "the call is not known yet");
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 0);
    let answer = says(&world, &incoming("pbx-1", &caller), "ended").await;
    let call: Uuid = answer["call_id"].as_str().unwrap().parse().unwrap();
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "caller_hung_up");
    assert_eq!(row.get::<_, String>("status"), "failed");
    says(&world, &incoming("pbx-1", &caller), "duplicate").await;
    assert_eq!(world.asked(), Vec::<Value>::new(), "nothing was dialled");
    world.stop().await;
}

#[actix::test]
async fn an_end_that_arrived_first_is_remembered_after_a_restart() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    says(&world, &ended("pbx-1"), "ended").await;
    let world = world.restart().await;
    says(&world, &incoming("pbx-1", &caller), "ended").await;
    assert_eq!(world.asked(), Vec::<Value>::new());
    world.stop().await;
}

#[actix::test]
async fn a_pbx_end_during_the_greeting_ends_the_call_without_an_agent_dial() {
    let world = World::with(slow_greeting().clone_delay_ms("400")).await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.conversation(call, "greeting").await;
    world.until("its sample is being uploaded", || async { world.uploads() == 1 }).await;
    let answer = says(&world, &ended_after("pbx-1", 0), "ended").await;
    assert_eq!(answer["call_id"], json!(call.to_string()));
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "caller_hung_up");
    assert_eq!(row.get::<_, String>("blame"), "caller");
    assert_eq!(row.get::<_, Option<i32>>("duration_seconds"), Some(0), "zero is a valid duration");
    greeting_is_reported(&world, call).await;
    let cached = "select cloned_voice_id from voice_clone_cache where caller_id = $1";
    world.until_row("the clone job continues without the call", cached, &[&caller]).await;
    assert_eq!(world.requests(ADD).len(), 1);
    assert_eq!(world.dials("agent").len(), 0);
    says(&world, &ended_after("pbx-1", 5), "ended").await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, Option<i32>>("duration_seconds"), Some(0), "the first call end counts");
    world.stop().await;
}

#[actix::test]
async fn calls_can_continue_after_the_pbx_hung_up_if_so_configured() {
    let world = World::with(slow_greeting().env("CALLBACK_ENDS_WITH_PBX_CALL", "false")).await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.conversation(call, "greeting").await;
    says(&world, &ended_after("pbx-1", 3), "ended").await;
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("cause"), "completed");
    assert_eq!(world.dials("agent").len(), 1);
    world.stop().await;
}

#[actix::test]
async fn a_pbx_end_after_the_agent_was_reached_leaves_the_conversation() {
    let world = World::with(slow_greeting()).await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.in_state(call, "conversing").await;
    for _ in 0..3 {
        says(&world, &ended_after("pbx-1", 99), "ended").await;
    }
    let row = world.completed(call).await;
    assert_eq!(
        row.get::<_, Option<i32>>("duration_seconds"),
        Some(1),
        "the duration of the conversation, not of the PBX call"
    );
    let ends = world.events(call).await.into_iter().filter(|kind| kind == "pbx_call_ended").count();
    assert_eq!(ends, 1);
    world.stop().await;
}

#[actix::test]
async fn webhooks_without_a_call_id_apply_to_the_only_call_of_the_caller() {
    let world = World::with(slow_greeting()).await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    let twin = json!({ "event_type": "IncomingCall", "caller_id": caller, "called_number": CALLED });
    assert_eq!(says(&world, &twin, "duplicate").await["call_id"], json!(call.to_string()));
    let end = json!({ "event_type": "CallEnded", "caller_id": caller });
    assert_eq!(says(&world, &end, "ended").await["call_id"], json!(call.to_string()));
    assert_eq!(world.released(call).await.get::<_, String>("cause"), "caller_hung_up");
    world.stop().await;
}

#[actix::test]
async fn webhooks_of_unknown_or_outbound_calls_store_nothing() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    says(&world, &changed("pbx-unknown", "Talking"), "ignored").await;
    for (event, direction) in
        [("IncomingCall", "Out"), ("CallEnded", "outbound"), ("CALLSTATECHANGED", "OUT")]
    {
        let body =
            json!({ "event_type": event, "call_id": "pbx-out", "caller_id": caller, "direction": direction });
        let answer = says(&world, &body, "ignored").await;
        assert_eq!(answer["threecx_call_id"], "pbx-out");
    }
    says(&world, &json!({ "event_type": "CallEnded", "caller_id": caller }), "ended").await;
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 0);
    assert_eq!(
        world.count("select count(*) from early_ends", &[]).await,
        0,
        "an end without an id absorbs nothing"
    );
    assert_eq!(world.asked(), Vec::<Value>::new());
    world.stop().await;
}

#[actix::test]
async fn pbx_state_changes_are_recorded_on_their_call() {
    let world = World::with(slow_greeting()).await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    says(&world, &changed("pbx-1", "Ringing"), "accepted").await;
    says(&world, &changed("pbx-1", "Ringing"), "accepted").await;
    says(&world, &changed("pbx-1", "Talking"), "accepted").await;
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, Value>("metadata")["pbx_state"], "Talking");
    let changes = world.events(call).await.into_iter().filter(|kind| kind == "pbx_state_changed").count();
    assert_eq!(changes, 2, "a repeated state is recorded once");
    world.stop().await;
}

#[actix::test]
async fn a_repeated_webhook_is_a_duplicate_within_the_time_window_and_refused_after_it() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let body = incoming("pbx-1", &caller).to_string();
    let signed_before = |seconds: i64| {
        let at = precall_call::At(clock::now().0 - seconds * 1_000_000);
        sign(Kind::ThreeCx, SECRET.as_bytes(), body.as_bytes(), at)
    };
    let post = |header: (&'static str, String)| {
        let (world, body) = (&world, body.clone());
        async move { world.post("/webhook/3cx", &[(header.0, &header.1)], body).await }
    };
    let (status, problem) = post(signed_before(400)).await;
    assert_eq!((status, problem["code"].as_str()), (401, Some("signature_expired")));
    let (status, _) = post(signed_before(-120)).await;
    assert_eq!(status, 401, "signed in the future");
    let (status, problem) = world.post("/webhook/3cx", &[], body.clone()).await;
    assert_eq!((status, problem["code"].as_str()), (401, Some("signature_missing")));
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 0);
    let header = signed_before(200);
    assert_eq!(post(header.clone()).await.1["status"], "accepted");
    assert_eq!(post(header).await.1["status"], "duplicate");
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 1);
    world.stop().await;
}

#[actix::test]
async fn the_same_webhook_after_the_call_and_after_a_restart_is_a_duplicate() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.completed(call).await;
    let again = incoming("pbx-1", &caller);
    assert_eq!(says(&world, &again, "duplicate").await["call_id"], json!(call.to_string()));
    let world = world.restart().await;
    assert_eq!(says(&world, &again, "duplicate").await["call_id"], json!(call.to_string()));
    assert_eq!(world.dials("greeting").len(), 1);
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 1);
    world.stop().await;
}

#[actix::test]
async fn no_webhook_body_is_answered_with_500() {
    let world = World::new().await;
    let long = "9".repeat(255);
    let bodies = [
        json!({}),
        json!([]),
        json!({ "event_type": "IncomingCall" }),
        json!({ "event_type": "IncomingCall", "call_id": long, "caller_id": long, "called_number": long }),
        json!({ "event_type": "IncomingCall", "call_id": "a\u{0}b", "caller_id": "\u{0}", "called_number": "\u{0}" }),
        json!({ "event_type": "IncomingCall", "call_id": 7, "caller_id": 12_025_550_150_u64, "called_number": null }),
        json!({ "event_type": "IncomingCall", "call_id": "x", "caller_id": {}, "called_number": [[]] }),
        json!({ "event_type": "IncomingCall", "call_id": "\u{202e}🙂", "caller_id": "\"A\" <sip:+12025550151@x>" }),
        json!({ "event_type": "CallEnded", "call_id": "7", "duration": -1 }),
        json!({ "event_type": "CallEnded", "call_id": "7", "duration": 4_294_967_295_u32 }),
        json!({ "event_type": "CallEnded", "call_id": "7", "duration": 1e300, "recording_url": "\u{0}" }),
        json!({ "event_type": "CallStateChanged", "call_id": "7", "state": "\u{0}\u{1}" }),
        json!({ "event_type": "CallStateChanged", "call_id": "7", "direction": "sideways" }),
        json!({ "event_type": "Missed", "call_id": "7" }),
    ];
    for body in &bodies {
        let (status, answer) = world.post_3cx(body).await;
        assert!(matches!(status, 200 | 400), "{body}: {status} {answer}");
    }
    world.until("all events are durable", || async { world.app.engine().health().queued_events == 0 }).await;
    world.stop().await;
}
