//! Health tells the truth: what fails for callers is a problem in the provider's words, and goes away when it works
//! again.

use precall_simulators::elevenlabs::{Agent, Fault, Script};
use serde_json::{Value, json};

use crate::live_bridge::dialogue;
use crate::support::{ADD, PbxPlan, PbxWorld, Plan, World, dial_fault, fault, incoming};

const SIGNED_URL: &str = "/v1/convai/conversation/get-signed-url";

/// The problems of this area.
async fn problems(world: &World, area: &str) -> Vec<Value> {
    let (_, health) = world.get("/health").await;
    let all = health["problems"].as_array().cloned().unwrap_or_default();
    if !all.is_empty() {
        assert_eq!(health["status"], "degraded", "{health}");
    }
    all.into_iter().filter(|problem| problem["area"] == area).collect()
}

async fn until_problem(world: &World, area: &str, words: &str) -> Value {
    let found = || async { says(&problems(world, area).await, words).is_some() };
    world.until(&format!("a problem of {area} says `{words}`"), found).await;
    let problem = says(&problems(world, area).await, words).unwrap();
    assert!(problem["since"].is_string() && !problem["remedy"].as_str().unwrap().is_empty(), "{problem}");
    let live = world.get("/api/v1/live").await.1;
    assert!(live["health"]["problems"].to_string().contains(words), "{live}");
    problem
}

fn says(problems: &[Value], words: &str) -> Option<Value> {
    problems.iter().find(|problem| problem["words"].as_str().unwrap().contains(words)).cloned()
}

async fn until_well(world: &World) {
    let is_ok = || async { world.get("/health").await.1["status"] == "ok" };
    world.until("health is ok", is_ok).await;
}

fn refused(path: &str, status: u16, detail: Value) -> Fault {
    Fault { status: Some(status), body: Some(json!({ "detail": detail })), ..fault(path) }
}

#[actix::test]
async fn failing_clones_degrade_health_until_one_succeeds() {
    let world = World::with(Plan::default().conversation_ms(40).clone_delay_ms("5")).await;
    let detail = json!({ "status": "voice_limit_reached", "message": "You have 30 / 30 voices" });
    world.faults(vec![refused(ADD, 400, detail)]);
    let call = world.ring("one", &world.known_caller(1).await).await;
    world.released(call).await;
    let problem = until_problem(&world, "clone", "free voice slot").await;
    assert_eq!(problem["call"], json!(call.to_string()));
    assert!(problem["remedy"].as_str().unwrap().contains("voice slots"), "{problem}");
    world.faults(Vec::new());
    world.released(world.ring("two", &world.known_caller(2).await).await).await;
    until_well(&world).await;
    world.stop().await;
}

#[actix::test]
async fn a_refused_agent_on_callback_is_a_problem_of_the_handoff() {
    let world = World::with(Plan::default().conversation_ms(40).clone_delay_ms("5")).await;
    let detail =
        json!({ "code": "agent_not_found", "message": "No agent agent_test, called by +12025550101" });
    world.faults(vec![refused_dial("agent", 404, detail)]);
    let caller = world.known_caller(1).await;
    world.released(world.ring("one", &caller).await).await;
    let problem = until_problem(&world, "handoff", "agent_not_found").await;
    assert!(!problem.to_string().contains("12025550101"), "a full number: {problem}");
    world.faults(Vec::new());
    world.released(world.ring("two", &world.known_caller(2).await).await).await;
    until_well(&world).await;
    world.stop().await;
}

fn refused_dial(purpose: &str, status: u16, detail: Value) -> Fault {
    Fault { status: Some(status), body: Some(json!({ "detail": detail })), ..dial_fault(purpose) }
}

#[actix::test]
async fn a_refused_greeting_is_a_problem_of_the_greeting() {
    let world = World::with(Plan::default().conversation_ms(40).clone_delay_ms("5")).await;
    let detail = json!({ "code": "rate_limit_exceeded", "message": "slow down" });
    world.faults(vec![refused_dial("greeting", 429, detail)]);
    world.released(world.ring("one", &world.known_caller(1).await).await).await;
    until_problem(&world, "greeting", "slow down").await;
    world.stop().await;
}

#[actix::test]
async fn a_refused_signed_url_is_a_problem_of_the_handoff() {
    let detail = json!({ "code": "agent_not_found", "message": "no such agent" });
    let plan = PbxPlan { provider: vec![refused(SIGNED_URL, 404, detail)], ..PbxPlan::default() };
    let world = PbxWorld::with(plan.bridge(Vec::new())).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    world.released(world.call_of(&pbx_id).await).await;
    let problem = until_problem(&world, "handoff", "no such agent").await;
    assert!(problem["remedy"].as_str().unwrap().contains("ELEVENLABS_AGENT_ID"), "{problem}");
    world.stop().await;
}

#[actix::test]
async fn the_probe_finds_a_refused_key_and_a_missing_agent_without_a_call() {
    let plan = Plan::default().env("ELEVENLABS_PROBE_SECONDS", "1");
    let world = World::with(plan).await;
    until_well(&world).await;
    let detail = json!({ "status": "invalid_api_key", "message": "Invalid API key" });
    world.faults(vec![refused("/v1/user/subscription", 401, detail)]);
    let problem = until_problem(&world, "elevenlabs", "Invalid API key").await;
    assert!(problem["remedy"].as_str().unwrap().contains("ELEVENLABS_API_KEY"), "{problem}");
    world.faults(vec![refused("/v1/convai/agents/", 404, json!({ "message": "no such agent" }))]);
    until_problem(&world, "elevenlabs", "no such agent").await;
    // A restricted key may lack the permission to read both.
    let lacks =
        json!({ "status": "missing_permissions", "message": "The key lacks the permission user_read" });
    let scoped =
        ["/v1/user/subscription", "/v1/convai/agents/"].map(|path| refused(path, 401, lacks.clone()));
    world.faults(scoped.to_vec());
    until_well(&world).await;
    world.stop().await;
}

#[actix::test]
async fn refused_webhooks_are_a_problem_until_one_is_accepted() {
    let world = World::with(Plan::default().conversation_ms(40).clone_delay_ms("5")).await;
    for _ in 0..3 {
        let header = [("X-3CX-Signature", "t=1000000000,v0=00")];
        assert_eq!(world.post("/webhook/3cx", &header, incoming("x", "100").to_string()).await.0, 401);
    }
    until_problem(&world, "webhooks", "401 signature_malformed").await;
    world.released(world.ring("one", &world.known_caller(1).await).await).await;
    until_well(&world).await;
    world.stop().await;
}

#[actix::test]
async fn slow_clones_are_a_problem_although_each_succeeds_in_the_end() {
    let plan = Plan::default().conversation_ms(40).clone_delay_ms("2500").env("VOICE_CLONE_TIMEOUT", "1");
    let world = World::with(plan).await;
    world.released(world.ring("one", &world.known_caller(1).await).await).await;
    let problem = until_problem(&world, "clone", "not ready in time").await;
    assert_eq!((&problem["failed"], &problem["succeeded"]), (&json!(1), &json!(0)));
    // The late voice is cached, and a call that uses it says nothing about cloning.
    let cached = "select count(*) from voice_clone_cache where deleted_at is null";
    world.until("the late voice is cached", || async { world.count(cached, &[]).await == 1 }).await;
    assert_eq!(problems(&world, "clone").await.len(), 1);
    world.stop().await;
}

#[actix::test]
async fn an_override_that_is_not_allowed_is_a_problem_although_the_agent_answers() {
    let script = Script::new(dialogue()).unwrap();
    let strict = Agent { allowed_overrides: Vec::new(), script, ..Agent::default() };
    let world = PbxWorld::with(PbxPlan::default().bridge_to(strict)).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    world.released(world.call_of(&pbx_id).await).await;
    let problem = until_problem(&world, "agent", "voice").await;
    assert!(!problem["remedy"].as_str().unwrap().is_empty(), "{problem}");
    world.stop().await;
}
