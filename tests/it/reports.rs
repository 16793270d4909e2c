//! Post-call reports of ElevenLabs: late, twice, in parts, in old formats, or missing.

use precall_simulators::elevenlabs::{Fault, ReportFate};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Plan, World, dial_fault, ended};

const AGENT: &str = "agent_test";

fn transcription(conversation: &str, status: &str, words: &[(&str, &str)], seconds: u32) -> Value {
    let turns: Vec<Value> =
        words.iter().map(|(role, message)| json!({ "role": role, "message": message })).collect();
    json!({
        "type": "post_call_transcription",
        "event_timestamp": 1_764_000_000,
        "data": {
            "agent_id": AGENT, "conversation_id": conversation, "status": status, "transcript": turns,
            "metadata": { "call_duration_secs": seconds, "start_time_unix_secs": 1_764_000_000 },
        }
    })
}

fn never_began(conversation: &str, reason: &str) -> Value {
    json!({
        "type": "call_initiation_failure",
        "event_timestamp": 1_764_000_001,
        "data": { "agent_id": AGENT, "conversation_id": conversation, "failure_reason": reason, "metadata": {} }
    })
}

async fn taken(world: &World, report: &Value) {
    let (status, answer) = world.post_report(report).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("processed")), "{answer}");
}

/// The simulator sends no report of the agent; the test posts its own.
fn silent(purpose: &str) -> Fault {
    Fault { report: ReportFate::None, ..dial_fault(purpose) }
}

/// A call in conversation with an agent. The simulator sends no report of it.
async fn conversing(world: &World) -> (Uuid, String) {
    world.faults(vec![silent("agent")]);
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.in_state(call, "conversing").await;
    (call, world.conversation(call, "agent").await)
}

/// Status, transcript, duration in seconds.
async fn told(world: &World, call: Uuid) -> (String, Option<String>, Option<i32>) {
    let row = world.released(call).await;
    (row.get("status"), row.get("transcript"), row.get("duration_seconds"))
}

#[actix::test]
async fn late_or_poorer_reports_remove_nothing() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.completed(call).await;
    let agent = world.conversation(call, "agent").await;
    let before = told(&world, call).await;
    assert!(before.1.is_some() && before.2.is_some());
    let lesser = [
        transcription(&agent, "failed", &[], 0),
        transcription(&agent, "done", &[("agent", "something else")], 999),
        never_began(&agent, "busy"),
        json!({ "call_id": agent, "agent_id": AGENT, "status": "failed", "duration_seconds": 0 }),
        json!({ "call_id": agent, "status": "missed" }),
    ];
    for report in &lesser {
        taken(&world, report).await;
        assert_eq!(told(&world, call).await, before, "{report}");
    }
    let world = world.restart().await;
    for report in &lesser {
        taken(&world, report).await;
        assert_eq!(told(&world, call).await, before, "after a restart: {report}");
    }
    let outcome = "select outcome || duration_seconds from conversations where provider_id = $1";
    let outcome: String = world.client.query_one(outcome, &[&agent]).await.unwrap().get(0);
    assert_eq!(outcome, format!("completed{}", before.2.unwrap()));
    assert_eq!(world.count("select count(*) from unmatched_reports", &[]).await, 0);
    world.stop().await;
}

#[actix::test]
async fn a_pbx_end_after_the_release_keeps_the_transcript() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.completed(call).await;
    let before = told(&world, call).await;
    assert!(before.1.is_some());
    let (status, answer) = world.post_3cx(&ended("pbx-1")).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("ended")), "{answer}");
    assert_eq!(world.events(call).await.last().unwrap(), "pbx_call_ended", "the report is recorded");
    assert_eq!(told(&world, call).await, before);
    world.stop().await;
}

#[actix::test]
async fn a_transcript_that_follows_a_report_without_one_is_kept() {
    let world = World::new().await;
    let (call, agent) = conversing(&world).await;
    taken(
        &world,
        &json!({ "call_id": agent, "agent_id": AGENT, "status": "completed", "duration_seconds": 12 }),
    )
    .await;
    assert_eq!(told(&world, call).await, ("completed".into(), None, Some(12)));
    taken(&world, &transcription(&agent, "done", &[("agent", "Hello"), ("user", "Bye")], 12)).await;
    let words = "agent: Hello\nuser: Bye".to_owned();
    assert_eq!(told(&world, call).await, ("completed".into(), Some(words), Some(12)));
    world.stop().await;
}

#[actix::test]
async fn the_old_flat_report_format_completes_a_call() {
    let world = World::new().await;
    let (call, agent) = conversing(&world).await;
    let flat = json!({
        "call_id": agent, "agent_id": AGENT, "status": "completed", "duration_seconds": 7,
        "transcript": "agent: Hello\nuser: Bye", "custom_variables": {}, "timestamp": "2026-01-01T10:00:00Z",
    });
    let (status, answer) = world.post_report(&flat).await;
    assert_eq!((status, &answer["call_id"]), (200, &json!(agent)), "the conversation's id is known");
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("cause"), "completed");
    assert_eq!(row.get::<_, String>("call_id"), agent);
    assert_eq!(row.get::<_, Option<i32>>("duration_seconds"), Some(7));
    assert!(row.get::<_, Option<String>>("transcript").unwrap().contains("user: Bye"));
    world.stop().await;
}

#[actix::test]
async fn a_report_of_another_agent_is_acknowledged_and_not_stored() {
    let world = World::new().await;
    let (call, agent) = conversing(&world).await;
    let mut foreign = transcription(&agent, "done", &[("agent", "not ours")], 5);
    foreign["data"]["agent_id"] = json!("agent_of_somebody_else");
    taken(&world, &foreign).await;
    let mut unknown = transcription("conv_elsewhere", "done", &[("agent", "not ours")], 5);
    unknown["data"]["agent_id"] = json!("agent_of_somebody_else");
    taken(&world, &unknown).await;
    assert_eq!(world.in_state(call, "conversing").await.get::<_, Option<String>>("transcript"), None);
    assert_eq!(world.count("select count(*) from unmatched_reports", &[]).await, 0);
    world.stop().await;
}

#[actix::test]
async fn a_report_of_an_unknown_conversation_is_stored_once() {
    let world = World::new().await;
    for _ in 0..3 {
        taken(&world, &transcription("conv_of_tomorrow", "done", &[("agent", "early")], 5)).await;
    }
    let mut names_no_call = transcription("conv_elsewhere", "done", &[], 5);
    names_no_call["data"]["user_id"] = json!(Uuid::now_v7().to_string());
    taken(&world, &names_no_call).await;
    let kept = "select count(*) from unmatched_reports";
    assert_eq!(world.count(kept, &[]).await, 2);
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 0);
    world.stop().await;
}

#[actix::test]
async fn a_report_of_a_long_ended_call_raises_its_status() {
    let world = World::with(Plan::default().conversation_ms(100)).await;
    let (call, agent) = conversing(&world).await;
    let (status, _) = world.operate(&format!("/api/v1/calls/{call}/hangup")).await;
    assert_eq!(status, 202);
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "operator_ended");
    assert_eq!(row.get::<_, String>("status"), "failed");
    // The call is not in memory any more: it is read back from its log.
    let world = world.restart().await;
    taken(&world, &transcription(&agent, "done", &[("agent", "Hello")], 9)).await;
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("cause"), "operator_ended", "the cause does not change");
    assert_eq!(row.get::<_, Option<String>>("transcript").as_deref(), Some("agent: Hello"));
    assert_eq!(row.get::<_, Option<i32>>("duration_seconds"), Some(9));
    assert_eq!(world.events(call).await.last().unwrap(), "reported");
    assert_eq!(world.app.engine().health().live_calls, 0, "the call is not live again");
    world.stop().await;
}

#[actix::test]
async fn a_report_of_a_greeting_never_completes_a_call() {
    let world = World::with(Plan::default().env("AUTO_TRANSITION_ENABLED", "false")).await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    let row = world.in_state(call, "holding").await;
    assert_eq!(row.get::<_, String>("status"), "initiated");
    world.operate(&format!("/api/v1/calls/{call}/hangup")).await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("status"), "failed");
    let greeting = world.conversation(call, "greeting").await;
    taken(&world, &transcription(&greeting, "done", &[("agent", "One moment")], 3)).await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("status"), "failed");
    assert_eq!(row.get::<_, Option<String>>("transcript"), None);
    world.stop().await;
}

#[actix::test]
async fn missing_reports_are_fetched_from_the_provider() {
    let world = World::with(Plan::default().env("POSTCALL_WAIT_SECONDS", "1")).await;
    world.faults(vec![silent("greeting"), silent("agent")]);
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("cause"), "completed");
    assert!(row.get::<_, Option<String>>("transcript").is_some());
    assert_eq!(world.simulator.webhooks(), Vec::<Value>::new(), "no report came by webhook");
    let reported = "select count(*) from conversations where call = $1 and reported_at is not null";
    assert_eq!(world.count(reported, &[&call]).await, 2);
    world.stop().await;
}

#[actix::test]
async fn a_report_delivered_twice_counts_once() {
    let world = World::new().await;
    let twice = |purpose| Fault { report: ReportFate::Twice, ..dial_fault(purpose) };
    world.faults(vec![twice("greeting"), twice("agent")]);
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.completed(call).await;
    world.until("both reports were sent twice", || async { world.simulator.webhooks().len() == 4 }).await;
    let posts = world.simulator.webhooks();
    assert!(posts.iter().all(|post| post["status"] == json!(200)), "{posts:?}");
    let reported = world.events(call).await.into_iter().filter(|kind| kind == "reported").count();
    assert_eq!(reported, 2, "one a conversation");
    assert_eq!(world.count("select count(*) from conversations", &[]).await, 2);
    world.stop().await;
}

#[actix::test]
async fn no_report_body_is_answered_with_500() {
    let world = World::new().await;
    let (call, agent) = conversing(&world).await;
    let strange = [
        json!({ "type": "post_call_transcription", "data": { "agent_id": AGENT, "conversation_id": agent,
            "status": "in-progress\u{0}", "transcript": [{ "role": "\u{0}", "message": "nul \u{0} inside" }],
            "metadata": { "call_duration_secs": 1e18, "start_time_unix_secs": i64::MAX, "cost": -1.5,
                "termination_reason": "\u{0}" } } }),
        json!({ "type": "post_call_transcription", "event_timestamp": i64::MIN, "data": { "agent_id": AGENT,
            "conversation_id": "x".repeat(256), "status": "done" } }),
        json!({ "type": "call_initiation_failure", "data": { "agent_id": AGENT, "conversation_id": "conv_a",
            "failure_reason": { "a": "\u{0}" }, "metadata": [] } }),
        json!({ "type": "of_next_year", "data": 1 }),
        json!({ "type": "post_call_transcription", "data": {} }),
        json!({ "call_id": "conv_b", "transcript": "\u{0}", "duration_seconds": "-3", "status": 1 }),
        json!({ "call_id": "\u{0}" }),
        json!([1]),
        json!("text"),
    ];
    for report in &strange {
        let (status, answer) = world.post_report(report).await;
        assert!(matches!(status, 200 | 400), "{report}: {status} {answer}");
    }
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, Option<i32>>("duration_seconds").map(|s| s >= 0), Some(true));
    world.stop().await;
}
