//! Budgets in the whole service: a call over a budget is answered and stored, and a restart keeps the counts.

use precall_call::At;
use precall_simulators::elevenlabs::{Fault, ReportFate};
use precall_store::recovery::budget_use;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Plan, World, dial_fault, fault, incoming};

/// Posts a call that a budget must refuse; returns precall's id of it.
async fn refused(world: &World, id: &str, caller: &str) -> Uuid {
    let (status, answer) = world.post_3cx(&incoming(id, caller)).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("rejected")), "{id} {answer}");
    let call: Uuid = answer["call_id"].as_str().unwrap().parse().unwrap();
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "budget");
    assert_eq!(world.events(call).await, ["offered"]);
    call
}

async fn metrics(world: &World) -> String {
    let mut answer = world.http.get(format!("{}/metrics", world.app.url())).send().await.unwrap();
    String::from_utf8(answer.body().limit(1 << 20).await.unwrap().to_vec()).unwrap()
}

/// Usage of a budget in percent, as health reports it.
async fn used(world: &World, budget: &str) -> u64 {
    let (_, health) = world.get("/health").await;
    let budgets = health["capacity"]["budgets"].as_array().unwrap();
    budgets.iter().find(|it| it["budget"] == budget).expect("health shows the budget")["percent"]
        .as_u64()
        .unwrap()
}

/// A report of the agent's conversation. The simulator sends none.
fn report(conversation: &str, seconds: u64, cost: u64) -> Value {
    json!({
        "type": "post_call_transcription", "event_timestamp": 1_764_000_000,
        "data": {
            "agent_id": "agent_test", "conversation_id": conversation, "status": "done",
            "transcript": [{ "role": "agent", "message": "Hello" }],
            "metadata": { "call_duration_secs": seconds, "cost": cost },
        }
    })
}

/// A complete call. The agent's report is delivered twice; the greeting is not dialled.
async fn talks(world: &World, id: &str, caller: &str, seconds: u64, cost: u64) {
    let silent = |purpose| Fault { report: ReportFate::None, ..dial_fault(purpose) };
    world.faults(vec![silent("agent"), Fault { status: Some(404), ..dial_fault("greeting") }]);
    let call = world.ring(id, caller).await;
    let conversation = world.conversation(call, "agent").await;
    for _ in 0..2 {
        let (status, answer) = world.post_report(&report(&conversation, seconds, cost)).await;
        assert_eq!((status, answer["status"].as_str()), (200, Some("processed")), "{answer}");
    }
    world.completed(call).await;
}

#[actix::test]
async fn live_calls_per_caller_are_limited_and_an_ended_call_frees_its_place() {
    let plan = Plan::default().env("BUDGET_CALLER_LIVE_CALLS", "1").env("AUTO_TRANSITION_ENABLED", "false");
    let world = World::with(plan).await;
    let (caller, other) = (world.known_caller(1).await, world.known_caller(2).await);
    let call = world.ring("pbx-1", &caller).await;
    refused(&world, "pbx-2", &caller).await;
    assert_eq!(world.post_3cx(&incoming("pbx-2", &caller)).await.1["status"], "duplicate");
    let another = world.ring("pbx-3", &other).await;
    world.in_state(call, "holding").await;
    let world = world.restart().await;
    refused(&world, "pbx-4", &caller).await;
    for call in [call, another] {
        world.operate(&format!("/api/v1/calls/{call}/hangup")).await;
        world.released(call).await;
    }
    world
        .until("the caller has budget again", || async {
            let body = incoming(&Uuid::new_v4().to_string(), &caller);
            world.post_3cx(&body).await.1["status"] == json!("accepted")
        })
        .await;
    world.until("the call is dialled", || async { world.dials("greeting").len() >= 3 }).await;
    assert_eq!(world.dials("greeting").len(), 3, "refused calls are not dialled");
    world.stop().await;
}

#[actix::test]
async fn calls_per_caller_and_hour_are_limited_also_after_a_restart() {
    let world = World::with(Plan::default().env("BUDGET_CALLER_CALLS_PER_HOUR", "2")).await;
    let (caller, other) = (world.known_caller(1).await, world.known_caller(2).await);
    for id in ["pbx-1", "pbx-2"] {
        let call = world.ring(id, &caller).await;
        world.completed(call).await;
    }
    refused(&world, "pbx-3", &caller).await;
    let world = world.restart().await;
    refused(&world, "pbx-4", &caller).await;
    let call = world.ring("pbx-5", &other).await;
    world.completed(call).await;
    world
        .until("the refusal is counted", || async {
            let expected = "precall_budget_refused_uses_total{budget=\"caller_calls_per_hour\"} 1\n";
            metrics(&world).await.contains(expected)
        })
        .await;
    // One hour later; refused calls did not count.
    let earlier =
        "update call_log set call_started_at = call_started_at - interval '1 hour' where caller_id = $1
        and cause <> 'budget'";
    let world = world.restart_after(earlier, &[&caller]).await;
    let call = world.ring("pbx-6", &caller).await;
    world.completed(call).await;
    world.stop().await;
}

#[actix::test]
async fn each_report_uses_up_minutes_once() {
    let plan = Plan::default().env("BUDGET_AGENT_MINUTES_PER_DAY", "10");
    let world = World::with(plan).await;
    let caller = world.known_caller(1).await;
    talks(&world, "pbx-1", &caller, 290, 0).await;
    assert_eq!(used(&world, "agent_minutes_per_day").await, 48, "the repeated report counts once");
    let (running, conversation) = {
        world.faults(vec![Fault { report: ReportFate::None, ..dial_fault("agent") }]);
        let call = world.ring("pbx-2", &world.known_caller(2).await).await;
        (call, world.conversation(call, "agent").await)
    };
    talks(&world, "pbx-3", &caller, 350, 0).await;
    refused(&world, "pbx-4", &caller).await;
    let shown = metrics(&world).await;
    assert!(shown.contains("precall_budget_used_ratio{budget=\"agent_minutes_per_day\"} 1.0"), "{shown}");
    world
        .until("each threshold was crossed once", || async {
            let shown = metrics(&world).await;
            [50, 80, 100].iter().all(|percent| {
                let mark = format!("{{budget=\"agent_minutes_per_day\",percent=\"{percent}\"}} 1\n");
                shown.contains(&format!("precall_budget_crossed_marks_total{mark}"))
            })
        })
        .await;
    // A running conversation continues.
    world.in_state(running, "conversing").await;
    world.post_report(&report(&conversation, 60, 0)).await;
    world.completed(running).await;
    let world = world.restart().await;
    refused(&world, "pbx-5", &caller).await;
    assert!(
        used(&world, "agent_minutes_per_day").await >= 116,
        "{}",
        used(&world, "agent_minutes_per_day").await
    );
    // One day later.
    let earlier = "update conversations set reported_at = reported_at - interval '1 day'
        where reported_at is not null and $1";
    let world = world.restart_after(earlier, &[&true]).await;
    talks(&world, "pbx-6", &caller, 10, 0).await;
    world.stop().await;
}

#[actix::test]
async fn a_later_report_with_fewer_credits_gives_none_back() {
    let world = World::with(Plan::default().env("BUDGET_COST_PER_DAY", "1000")).await;
    let caller = world.known_caller(1).await;
    let silent = |purpose| Fault { report: ReportFate::None, ..dial_fault(purpose) };
    world.faults(vec![silent("agent"), Fault { status: Some(404), ..dial_fault("greeting") }]);
    let call = world.ring("pbx-1", &caller).await;
    let conversation = world.conversation(call, "agent").await;
    let mut wordless = report(&conversation, 60, 700);
    wordless["data"]["transcript"] = json!([]);
    world.post_report(&wordless).await;
    // This report is new because it has a transcript, but it has no cost.
    let flat = json!({ "call_id": conversation, "agent_id": "agent_test", "status": "completed",
        "transcript": "agent: Hello" });
    world.post_report(&flat).await;
    world.completed(call).await;
    assert_eq!(used(&world, "cost_per_day").await, 70);
    let world = world.restart().await;
    assert_eq!(used(&world, "cost_per_day").await, 70, "after a restart");
    world.post_report(&report(&conversation, 60, 700)).await;
    assert_eq!(used(&world, "cost_per_day").await, 70, "it was already counted before the restart");
    talks(&world, "pbx-2", &caller, 60, 300).await;
    refused(&world, "pbx-3", &caller).await;
    let world = world.restart().await;
    refused(&world, "pbx-4", &caller).await;
    world.stop().await;
}

#[actix::test]
async fn clones_of_the_last_day_count_after_a_restart() {
    let plan = Plan::default().env("BUDGET_CLONES_PER_DAY", "4").env("BUDGET_CALLER_CLONES_PER_DAY", "2");
    let world = World::with(plan).await;
    let (made, failed) = (world.known_caller(1).await, world.known_caller(2).await);
    for caller in [&made, &made] {
        let call = world.ring(&Uuid::new_v4().to_string(), caller).await;
        world.completed(call).await;
    }
    world.faults(vec![Fault { status: Some(422), ..fault("/v1/voices/add") }]);
    let call = world.ring("pbx-2", &failed).await;
    world.completed(call).await;
    assert_eq!(world.uploads(), 2, "the second call reused the first call's voice");
    let world = world.restart().await;
    assert_eq!(used(&world, "clones_per_day").await, 25, "a failed clone counts nothing");
    let clones = budget_use::clones(&world.client, At(0)).await.unwrap();
    let of: Vec<_> = clones.iter().map(|clone| (clone.account.as_str(), clone.caller.as_str())).collect();
    assert_eq!(of, [("default", made.as_str())]);
    world.stop().await;
}

#[actix::test]
async fn clones_are_limited_and_a_clone_without_upload_counts_nothing() {
    for variable in ["BUDGET_CALLER_CLONES_PER_DAY", "BUDGET_CLONES_PER_DAY"] {
        let world = World::with(Plan::default().env(variable, "1")).await;
        let missing =
            async |call: Uuid| -> Option<String> { world.completed(call).await.get("voice_missing") };
        let unheard = world.known_caller(2).await;
        std::fs::remove_file(world.sample(2)).unwrap();
        let call = world.ring("pbx-0", &unheard).await;
        assert_eq!(missing(call).await.as_deref(), Some("sample_refused"), "{variable}");
        let caller = world.known_caller(1).await;
        let first = world.ring("pbx-1", &caller).await;
        assert_eq!(missing(first).await, None, "{variable}: a refused clone counts nothing");
        let path = format!("/api/v1/cache/{}", caller.replace('+', "%2B"));
        let forget = world.http.delete(format!("{}{path}", world.app.url())).bearer_auth(crate::support::KEY);
        assert_eq!(forget.send().await.unwrap().status().as_u16(), 200);
        let second = world.ring("pbx-2", &caller).await;
        assert_eq!(missing(second).await.as_deref(), Some("budget"), "{variable}");
        assert_eq!(world.uploads(), 1, "{variable}");
        let world = world.restart().await;
        let third = world.ring("pbx-3", &caller).await;
        let row = world.completed(third).await;
        assert_eq!(row.get::<_, Option<String>>("voice_missing").as_deref(), Some("budget"), "{variable}");
        world.stop().await;
    }
}
