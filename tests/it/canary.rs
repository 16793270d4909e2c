//! The canary: test calls of precall itself, with a simulated 3CX that has a second API client.

use precall_simulators::threecx::{self, Fault, SecondClient, StreamFault};
use serde_json::{Value, json};

use crate::callers::{order, order_with, with_keys};
use crate::live_bridge::{say, waits};
use crate::support::{KEY, PbxPlan, PbxWorld, SECRET, World, fault, until};

/// The route point of the canary.
const DN: &str = "901";
const STEPS: [&str; 7] = ["dial", "offer", "answer", "greeting", "agent", "agent_audio", "hang_up"];

fn plan() -> PbxPlan {
    let second = SecondClient { id: DN.to_owned(), secret: SECRET.parse().unwrap() };
    let mut plan = PbxPlan::default().bridge(vec![say(1_500), waits(60_000)]);
    plan.pbx = threecx::Options { second_client: Some(second), ..plan.pbx };
    plan.env("CANARY_CLIENT_ID", DN).env("CANARY_CLIENT_SECRET", SECRET)
}

async fn canary(world: &World) -> Value {
    let (status, answer) = world.get("/api/v1/canary").await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Waits until so many runs have ended. Returns the newest.
async fn ended(world: &World, runs: usize) -> Value {
    let is_over = |answer: &Value| {
        let items = answer["items"].as_array().unwrap();
        items.len() >= runs
            && items.iter().all(|run| run["outcome"].is_string())
            && answer["is_running"] == false
    };
    until("the runs have ended", || async { is_over(&canary(world).await) }).await;
    canary(world).await["items"][0].clone()
}

/// Asks for a run and waits for its end.
async fn asked(world: &World) -> Value {
    let before = canary(world).await["items"].as_array().unwrap().len();
    let (status, answer) = order_with(world, KEY, "POST", "/api/v1/canary", None).await;
    assert_eq!(status, 202, "{answer}");
    ended(world, before + 1).await
}

fn steps(run: &Value) -> Vec<&str> {
    run["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect()
}

async fn problems(world: &World) -> String {
    let health = world.get("/health").await.1;
    let all = health["problems"].as_array().cloned().unwrap_or_default();
    all.iter().filter(|problem| problem["area"] == "canary").map(ToString::to_string).collect()
}

#[actix::test]
async fn it_passes_on_a_sound_installation_and_counts_nowhere() {
    let plan = plan().env("BUDGET_AGENT_MINUTES_PER_DAY", "1").env("AGENT_CONCURRENCY", "1");
    let world = PbxWorld::with(plan).await;
    let before = world.metrics().await;
    let run = asked(&world).await;
    assert_eq!(run["outcome"], "passed", "{run}");
    assert_eq!(steps(&run), STEPS, "{run}");
    assert!(run["agent_ms"].as_i64().unwrap() > 0, "{run}");
    let call: uuid::Uuid = run["call_id"].as_str().unwrap().parse().unwrap();
    world.released(call).await;

    // The call is there for who asks for it, and in no figure about callers.
    let (_, list) = world.get("/api/v1/calls").await;
    assert_eq!(list["items"], json!([]), "{list}");
    let (_, list) = world.get("/api/v1/calls?canary=true").await;
    assert_eq!(list["items"][0]["id"], run["call_id"], "{list}");
    let (_, statistics) = world.get("/api/v1/statistics").await;
    assert_eq!((&statistics["total_calls"], &statistics["failed_calls"]), (&json!(0), &json!(0)));
    let (_, live) = world.get("/api/v1/live").await;
    assert_eq!(live["items"], json!([]), "{live}");
    let after = world.metrics().await;
    let about_calls = |page: &str| -> Vec<String> {
        let names = [
            "_calls_total",
            "_attempts_total",
            "_phases_total",
            "precall_budget",
            "precall_time_to",
            "_seats",
        ];
        let is = |line: &&str| !line.starts_with('#') && names.iter().any(|name| line.contains(name));
        page.lines().filter(is).map(ToOwned::to_owned).collect()
    };
    assert_eq!(about_calls(&after), about_calls(&before));
    assert!(after.contains("precall_canary_runs_total{route=\"bridge\",outcome=\"passed\"} 1"), "{after}");
    assert!(after.contains("precall_canary_failed_in_a_row_runs{route=\"bridge\"} 0"), "{after}");
    assert!(world.uploads() == 0, "no voice is cloned for it");
    let audited = "select count(*) from audit_log where action = 'canary_asked' and who is not null";
    assert_eq!(world.count(audited, &[]).await, 1);
    world.is_sound().await;
    world.stop().await;
}

#[actix::test]
async fn the_step_that_fails_is_named_and_two_failures_are_a_problem() {
    let world = PbxWorld::with(plan()).await;
    let refusal =
        json!({ "finalstatus": "Rejected", "reason": "NotSpecified", "reasontext": "no licence left" });
    world.pbx.set_faults(vec![Fault {
        method: Some("POST".to_owned()),
        status: Some(422),
        body: Some(refusal),
        ..Fault::on(&format!("/callcontrol/{DN}/devices"))
    }]);
    let run = asked(&world).await;
    assert_eq!((&run["outcome"], &run["step"]), (&json!("failed"), &json!("dial")), "{run}");
    assert!(run["words"].as_str().unwrap().contains("no licence left"), "{run}");
    assert_eq!(problems(&world).await, "", "one failure may be chance");
    world.pbx.set_faults(Vec::new());

    world.faults(vec![precall_simulators::elevenlabs::Fault {
        status: Some(401),
        ..fault("/v1/convai/conversation/get-signed-url")
    }]);
    let run = asked(&world).await;
    assert_eq!((&run["outcome"], &run["step"]), (&json!("failed"), &json!("agent")), "{run}");
    assert_eq!(steps(&run), STEPS[..4], "{run}");
    let problem = problems(&world).await;
    assert!(problem.contains("step agent") && problem.contains("2 test calls"), "{problem}");
    assert_eq!(world.metric("precall_canary_failed_in_a_row_runs{route=\"bridge\"}").await, 2.0);
    world.faults(Vec::new());

    let run = asked(&world).await;
    assert_eq!(run["outcome"], "passed", "{run}");
    assert_eq!(problems(&world).await, "");
    let health = world.get("/health").await.1;
    assert_eq!(health["problems"], json!([]), "failed test calls are no outcome of callers' calls: {health}");
    world.stop().await;
}

#[actix::test]
async fn a_greeting_that_nobody_hears_and_an_agent_that_says_nothing_are_named() {
    let world = PbxWorld::with(plan()).await;
    world.pbx.set_faults(vec![Fault { streams: Some(StreamFault::Deaf), ..Fault::default() }]);
    let run = asked(&world).await;
    assert_eq!((&run["outcome"], &run["step"]), (&json!("failed"), &json!("greeting")), "{run}");
    world.pbx.set_faults(Vec::new());
    let silent = precall_simulators::elevenlabs::Agent {
        script: precall_simulators::elevenlabs::Script::new(vec![waits(60_000)]).unwrap(),
        ..crate::support::allowing_agent()
    };
    world.simulator.set_agent(silent);
    let run = asked(&world).await;
    assert_eq!((&run["outcome"], &run["step"]), (&json!("failed"), &json!("agent_audio")), "{run}");
    world.stop_after_cuts().await;
}

#[actix::test]
async fn it_has_a_budget_of_its_own_and_a_bypass_skips_it() {
    let world = PbxWorld::with(plan().env("CANARY_CALLS_PER_DAY", "1")).await;
    let bypass = |on: bool| json!({ "on": on, "reason": "test" });
    order(&world, "PUT", "/api/v1/bypass", &bypass(true)).await;
    let run = asked(&world).await;
    assert_eq!((&run["outcome"], &run["words"]), (&json!("skipped"), &json!("the bypass is on")), "{run}");
    order(&world, "PUT", "/api/v1/bypass", &bypass(false)).await;
    assert_eq!(asked(&world).await["outcome"], "passed", "a skipped run used nothing");
    let run = asked(&world).await;
    assert_eq!(run["outcome"], "skipped", "{run}");
    assert!(run["words"].as_str().unwrap().contains("CANARY_CALLS_PER_DAY"), "{run}");
    let shown = canary(&world).await;
    assert_eq!((&shown["used"]["calls"], &shown["used"]["calls_limit"]), (&json!(1), &json!(1)), "{shown}");
    assert_eq!(world.pbx.calls().len(), 1);
    world.stop().await;
}

#[actix::test]
async fn callers_come_first() {
    let world = PbxWorld::with(plan().env("MAX_LIVE_CALLS", "1")).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "conversing").await;
    let run = asked(&world).await;
    assert_eq!(run["outcome"], "skipped", "{run}");
    assert!(run["words"].as_str().unwrap().contains("MAX_LIVE_CALLS"), "{run}");
    world.hangs_up(&pbx_id);
    world.released(call).await;

    // A caller who comes during a test call is taken, and the test call gives way.
    let (status, answer) = order_with(&world, KEY, "POST", "/api/v1/canary", None).await;
    assert_eq!(status, 202, "{answer}");
    // Its own leg, not only its dial: a call that is not taken yet would be turned away.
    world
        .until_row("the test call is taken", "select from call_log where canary and state = 'greeting'", &[])
        .await;
    let pbx_id = world.rings(&world.known_caller(2).await);
    let call = world.call_of(&pbx_id).await;
    let run = ended(&world, 2).await;
    assert_eq!(run["outcome"], "interrupted", "{run}");
    assert!(run["words"].as_str().unwrap().contains("MAX_LIVE_CALLS"), "{run}");
    assert!(steps(&run).contains(&"offer"), "it was under way: {run}");
    world.in_state(call, "conversing").await;
    world.hangs_up(&pbx_id);
    world.released(call).await;
    world.stop().await;
}

#[actix::test]
async fn the_schedule_goes_on_over_a_restart() {
    let world = PbxWorld::with(plan().env("CANARY_EVERY_MINUTES", "60")).await;
    let run = ended(&world, 1).await;
    assert_eq!((&run["outcome"], &run["asked_by"]), (&json!("passed"), &Value::Null), "{run}");
    let world = world.restart().await;
    until("the schedule is read", || async { canary(&world).await["next_at"].is_string() }).await;
    let shown = canary(&world).await;
    assert_eq!(shown["items"].as_array().unwrap().len(), 1, "not due yet: {shown}");
    world.execute("update canary_runs set started_at = started_at - interval '2 hours'", &[]).await;
    let world = world.restart().await;
    let run = ended(&world, 2).await;
    assert_eq!(run["outcome"], "passed", "{run}");
    assert!(world.metrics().await.contains("precall_canary_last_success_seconds{route=\"bridge\"}"));
    world.stop().await;
}

#[actix::test]
async fn a_run_that_its_process_left_behind_is_closed_and_its_leg_dropped() {
    let world = PbxWorld::with(plan()).await;
    let (status, _) = order_with(&world, KEY, "POST", "/api/v1/canary", None).await;
    assert_eq!(status, 202);
    until("the test call is there", || async { world.pbx.calls().len() == 1 }).await;
    let world = world.restart().await;
    let run = ended(&world, 1).await;
    assert_eq!(run["outcome"], "interrupted", "{run}");
    assert_eq!(asked(&world).await["outcome"], "passed");
    world.stop_after_cuts().await;
}

#[actix::test]
async fn without_a_client_of_its_own_there_is_no_test_call() {
    let world = PbxWorld::with(PbxPlan::default().bridge(vec![say(400), waits(60_000)])).await;
    let (status, answer) = order_with(&world, KEY, "POST", "/api/v1/canary", None).await;
    assert_eq!((status, &answer["code"]), (409, &json!("canary_off")), "{answer}");
    assert!(answer["detail"].as_str().unwrap().contains("CANARY_CLIENT_ID"), "{answer}");
    assert_eq!(canary(&world).await["items"], json!([]));
    world.stop().await;
}

#[actix::test]
async fn route_callback_calls_the_number_of_the_canary_or_nobody() {
    let world = World::with(with_keys()).await;
    let run = asked(&world).await;
    assert_eq!(run["outcome"], "passed", "{run}");
    assert_eq!(steps(&run), ["look_up"]);
    assert!(run["words"].as_str().unwrap().contains("nobody was rung"), "{run}");
    assert!(world.dials("greeting").is_empty() && world.dials("agent").is_empty());
    world.stop().await;

    let plan = with_keys().env("CANARY_NUMBER", "+12025550170").env("CALLBACK_LIMIT_PER_HOUR", "1");
    let world = World::with(plan).await;
    let run = asked(&world).await;
    assert_eq!(run["outcome"], "passed", "{run}");
    assert_eq!(steps(&run), ["dial", "greeting", "agent", "agent_audio", "hang_up"], "{run}");
    assert_eq!((world.dials("greeting").len(), world.dials("agent").len()), (1, 1));
    // The dial guard counts callers only.
    let call = world.ring("pbx-1", &world.known_caller(1).await).await;
    world.in_state(call, "greeting").await;
    world.completed(call).await;
    let (_, statistics) = world.get("/api/v1/statistics").await;
    assert_eq!(statistics["total_calls"], json!(1), "{statistics}");
    world.stop().await;
}
