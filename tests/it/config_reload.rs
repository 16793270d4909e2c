//! Reload of the configuration in a running service: new calls use it, live calls keep what they began with.

use precall::config::{ApiKeys, Scope};
use precall_simulators::elevenlabs::Agent;
use serde_json::{Value, json};

use crate::callers::{order, order_with, with_keys};
use crate::support::{KEY, PERSON, PbxPlan, PbxWorld, Plan, SECRET, World, caller, incoming, until};

fn first_words(dial: &Value) -> &Value {
    &dial["body"]["conversation_initiation_client_data"]["conversation_config_override"]["agent"]["first_message"]
}

async fn called(world: &World, n: u32) {
    let call = world.ring(&format!("pbx-{n}"), &caller(n)).await;
    world.completed(call).await;
}

#[actix::test]
async fn new_calls_use_the_new_greeting_agent_and_limits() {
    let world = World::new().await;
    world.simulator.set_agent(Agent::allowing(&["agent.first_message", "tts.voice_id"]));
    called(&world, 1).await;
    let (status, answer) = world
        .reload(&[
            ("GREETING_MESSAGE", "Good evening."),
            ("ELEVENLABS_AGENT_ID", "agent_of_the_evening"),
            ("PORT", "4711"),
        ])
        .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["changed"], json!(["ELEVENLABS_AGENT_ID", "GREETING_MESSAGE"]));
    assert_eq!(answer["needs_restart"], json!(["PORT"]));
    called(&world, 2).await;
    let greetings = world.dials("greeting");
    assert_ne!(first_words(&greetings[0]), "Good evening.");
    assert_eq!(first_words(&greetings[1]), "Good evening.");
    assert_eq!(greetings[0]["body"]["agent_id"], "agent_test");
    assert_eq!(greetings[1]["body"]["agent_id"], "agent_of_the_evening");
    // A report of the agent of an earlier call is still one of ours: both calls are completed.
    let (_, answer) = world.reload(&[("MAX_LIVE_CALLS", "1"), ("OWN_NUMBERS", "+12025550177")]).await;
    assert_eq!(answer["changed"], json!(["MAX_LIVE_CALLS", "OWN_NUMBERS"]));
    let (_, refused) = world.post_3cx(&incoming("pbx-3", &caller(3))).await;
    assert_eq!(refused["status"], "rejected", "the called number is not ours any more: {refused}");
    world.is_sound().await;
    world.stop().await;
}

#[actix::test]
async fn a_live_call_keeps_what_it_began_with() {
    let plan = PbxPlan::default().holding().env("FALLBACK_DESTINATION", PERSON);
    let world = PbxWorld::with(plan).await;
    let old = world.rings(&world.known_caller(1).await);
    let old_call = world.call_of(&old).await;
    world.in_state(old_call, "holding").await;
    let (status, answer) =
        world.reload(&[("AUTO_TRANSITION_ENABLED", "true"), ("MAX_LIVE_CALLS", "7")]).await;
    assert_eq!((status, &answer["changed"]), (200, &json!(["MAX_LIVE_CALLS", "AUTO_TRANSITION_ENABLED"])));
    let new = world.rings(&world.known_caller(2).await);
    world.completed(world.call_of(&new).await).await;
    world.in_state(old_call, "holding").await;
    world.operator_hands_over(old_call).await;
    world.completed(old_call).await;
    world.stop().await;
}

#[actix::test]
async fn a_wrong_configuration_changes_nothing_and_health_says_so_until_a_good_one() {
    let world = World::with(with_keys()).await;
    let before = world.get("/api/v1/config").await.1["items"].clone();
    let change = [("GREETING_MESSAGE", "Good evening."), ("MAX_LIVE_CALLS", "many")];
    world.write_settings(&change);
    let (status, problem) = order(&world, "POST", "/api/v1/config/reload", &json!({})).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("config_refused")), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("MAX_LIVE_CALLS (") && detail.contains(" line "), "{detail}");
    let (_, shown) = world.get("/api/v1/config").await;
    assert!(shown["refused"].as_str().unwrap().contains("MAX_LIVE_CALLS"), "{shown}");
    assert_eq!(shown["items"], before, "nothing was changed");
    let problem_of = |health: &Value| {
        let problems = health["problems"].as_array().unwrap().clone();
        problems.into_iter().find(|problem| problem["area"] == "configuration")
    };
    let (_, health) = world.get("/health").await;
    let problem = problem_of(&health).unwrap_or_else(|| panic!("{health}"));
    assert!(problem.to_string().contains("MAX_LIVE_CALLS"), "{problem}");
    let (status, answer) = world.reload(&[("MAX_LIVE_CALLS", "9")]).await;
    assert_eq!(status, 200, "{answer}");
    assert!(problem_of(&world.get("/health").await.1).is_none());
    let rows = world.client.query("select who, detail from audit_log order by id", &[]).await.unwrap();
    let rows: Vec<(String, Value)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let refused = json!({ "outcome": "refused", "wrong": ["MAX_LIVE_CALLS"] });
    let taken = json!({ "outcome": "reloaded", "changed": ["MAX_LIVE_CALLS", "GREETING_MESSAGE"],
        "needs_restart": [] });
    assert_eq!(rows, [("anna".to_owned(), refused), ("anna".to_owned(), taken)]);
    world.stop().await;
}

#[actix::test]
async fn two_reloads_at_once_are_carried_out_one_after_the_other() {
    let world = World::new().await;
    world.write_settings(&[("MAX_LIVE_CALLS", "8")]);
    let path = "/api/v1/config/reload";
    let (first, second) = tokio::join!(world.operate(path), world.operate(path));
    assert_eq!((first.0, second.0), (200, 200), "{first:?} {second:?}");
    let mut changed = [first.1["changed"].clone(), second.1["changed"].clone()];
    changed.sort_by_key(|names| names.as_array().unwrap().len());
    assert_eq!(changed, [json!([]), json!(["MAX_LIVE_CALLS"])]);
    world.stop().await;
}

#[actix::test]
async fn webhook_secrets_and_api_keys_are_exchanged_without_a_restart() {
    const NEW: &str = "new-secret-of-the-webhooks";
    const NEW_KEY: &str = "new-key-0123456789abcdef0123456789abcdef";
    let world = World::with(Plan::default().conversation_ms(300)).await;
    let signed = async |secret: &str, n: u32| {
        let body = incoming(&format!("pbx-{n}"), &caller(n)).to_string();
        let kind = precall::signature::Kind::ThreeCx;
        let now = precall_base::clock::now();
        let (name, value) = precall::signature::sign(kind, secret.as_bytes(), body.as_bytes(), now);
        world.post("/webhook/3cx", &[(name, value.as_str())], body).await.0
    };
    assert_eq!([signed(SECRET, 1).await, signed(NEW, 2).await], [200, 401]);
    let both = [("THREECX_WEBHOOK_SECRET", NEW), ("THREECX_WEBHOOK_SECRET_PREVIOUS", SECRET)];
    assert_eq!(world.reload(&both).await.0, 200);
    assert_eq!([signed(SECRET, 3).await, signed(NEW, 4).await], [200, 200]);
    assert_eq!(world.reload(&[("THREECX_WEBHOOK_SECRET_PREVIOUS", "")]).await.0, 200);
    assert_eq!([signed(SECRET, 5).await, signed(NEW, 6).await], [401, 200]);

    let asked = async |key: &str| order_with(&world, key, "GET", "/api/v1/config", None).await.0;
    assert_eq!([asked(KEY).await, asked(NEW_KEY).await], [200, 401]);
    let entry = ApiKeys::entry("new", Scope::Admin, NEW_KEY).unwrap();
    assert_eq!(world.reload(&[("API_KEYS", &entry)]).await.0, 200);
    assert_eq!([asked(KEY).await, asked(NEW_KEY).await], [401, 200]);
    world.stop().await;
}

#[actix::test]
async fn requests_to_elevenlabs_have_the_new_key_at_once() {
    let world = World::new().await;
    called(&world, 1).await;
    world.simulator.set_api_key("the-new-key-of-elevenlabs");
    let refused = world.ring("pbx-2", &caller(2)).await;
    world.released(refused).await;
    assert_eq!(world.reload(&[("ELEVENLABS_API_KEY", "the-new-key-of-elevenlabs")]).await.0, 200);
    called(&world, 3).await;
    world.stop().await;
}

#[actix::test]
async fn a_new_budget_counts_what_was_used_before() {
    let world = World::new().await;
    called(&world, 1).await;
    assert_eq!(world.reload(&[("BUDGET_CALLER_CALLS_PER_HOUR", "1")]).await.0, 200);
    let refused = async |id: &str, n: u32| {
        let (_, answer) = world.post_3cx(&incoming(id, &caller(n))).await;
        answer["status"] == "rejected"
    };
    until("the use of the last hour is read", || refused("pbx-2", 1)).await;
    assert!(!refused("pbx-3", 3).await, "another caller");
    world.stop().await;
}

#[actix::test]
async fn lines_of_the_database_take_the_new_defaults() {
    const SALES: &str = "+12025550180";
    let world = World::new().await;
    world.simulator.set_agent(Agent::allowing(&["agent.first_message"]));
    world.execute("insert into lines (number, agent_id) values ($1, 'agent_sales')", &[&SALES]).await;
    assert_eq!(world.reload(&[("GREETING_MESSAGE", "Good evening.")]).await.0, 200);
    let body = json!({ "event_type": "IncomingCall", "call_id": "pbx-1", "caller_id": caller(1),
        "called_number": SALES });
    assert_eq!(world.post_3cx(&body).await.0, 200);
    until("the greeting is dialled", || async { world.dials("greeting").len() == 1 }).await;
    let greeting = &world.dials("greeting")[0];
    assert_eq!(
        (&greeting["body"]["agent_id"], first_words(greeting)),
        (&json!("agent_sales"), &json!("Good evening."))
    );
    let (_, shown) = world.get("/api/v1/config").await;
    let item = |name: &str| {
        let items = shown["items"].as_array().unwrap();
        items.iter().find(|item| item["name"] == name).unwrap().clone()
    };
    assert_eq!(item("ELEVENLABS_AGENT_ID")["lines"], json!([SALES]));
    assert_eq!(item("GREETING_MESSAGE")["lines"], json!([]));
    world.stop().await;
}

#[actix::test]
async fn the_running_configuration_shows_its_sources_and_no_secret() {
    let world = World::new().await;
    world.write_settings(&[("MAX_LIVE_CALLS", "9"), ("INSTALLATION", "other")]);
    let (status, shown) = world.get("/api/v1/config").await;
    assert_eq!(status, 200, "{shown}");
    let item = |name: &str| {
        let items = shown["items"].as_array().unwrap();
        items.iter().find(|item| item["name"] == name).unwrap().clone()
    };
    let limit = item("MAX_LIVE_CALLS");
    assert_eq!(
        (&limit["value"], &limit["differs"], &limit["needs_restart"]),
        (&json!("500"), &json!(true), &json!(false))
    );
    assert_eq!(limit["source"]["from"], "default");
    let name = item("INSTALLATION");
    assert_eq!(
        (&name["value"], &name["differs"], &name["needs_restart"]),
        (&json!("test"), &json!(true), &json!(true))
    );
    assert_eq!(name["source"]["from"], "file");
    assert!(name["source"]["line"].as_u64().is_some_and(|line| line > 0), "{name}");
    assert_eq!(item("WEBHOOK_SECRET")["value"], "set");
    assert_eq!(item("RETENTION_DAYS")["value"], Value::Null);
    for secret in [SECRET, "test-key"] {
        assert!(!shown.to_string().contains(secret), "{secret}");
    }
    world.stop().await;
}

#[actix::test]
async fn a_lower_limit_refuses_the_next_call_and_ends_none() {
    let world = World::with(Plan::default().conversation_ms(2_000)).await;
    let live = world.ring("pbx-1", &caller(1)).await;
    assert_eq!(world.reload(&[("MAX_LIVE_CALLS", "1")]).await.0, 200);
    let (status, problem) = world.post_3cx(&incoming("pbx-2", &caller(2))).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("at_capacity")), "{problem}");
    assert_eq!(world.get("/health").await.1["capacity"]["live_calls"]["limit"], 1);
    world.completed(live).await;
    world.stop().await;
}

#[actix::test]
async fn a_process_that_does_not_lead_yet_reloads_as_well() {
    let plan = PbxPlan::default().env("NOTICE_GIVEN_BY", "pbx").env("NOTICE_MESSAGE", "");
    let world = PbxWorld::with(plan).await;
    let world = world.restart_without_database().await;
    let change = [("MAX_LIVE_CALLS", "1"), ("GREETING_MAX_SECONDS", "14")];
    let (status, answer) = world.reload(&change).await;
    assert_eq!(
        (status, &answer["changed"]),
        (200, &json!(["MAX_LIVE_CALLS", "GREETING_MAX_SECONDS"])),
        "{answer}"
    );
    world.open_database().await;
    world.ready().await;
    assert_eq!(world.get("/health").await.1["capacity"]["live_calls"]["limit"], 1);
    let call = world.call_of(&world.rings(&world.known_caller(1).await)).await;
    world.completed(call).await;
    world.stop_after_cuts().await;
}
