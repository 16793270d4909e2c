//! Settings of a called number (a line) and the calls that use them.

use precall_simulators::elevenlabs::Agent;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::callers::{order, with_keys};
use crate::support::{CALLED, Plan, World, caller};

const SALES: &str = "+12025550180";
const ALLOWED: [&str; 4] =
    ["tts.voice_id", "agent.first_message", "agent.language", "conversation.max_duration_seconds"];

fn calling(id: &str, caller: &str, called: &str) -> Value {
    json!({ "event_type": "IncomingCall", "call_id": id, "caller_id": caller, "called_number": called })
}

async fn ring(world: &World, id: &str, caller: &str, called: &str) -> Uuid {
    let (status, answer) = world.post_3cx(&calling(id, caller, called)).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("accepted")), "{answer}");
    answer["call_id"].as_str().unwrap().parse().unwrap()
}

async fn with_sales(world: &World) {
    world
        .execute(
            "insert into lines (number, agent_id, phone_number_id, greeting_message, greeting_voice_id, language,
                fallback_voice_id, greeting_max_seconds)
             values ($1, 'agent_sales', 'phnum_sales', 'Sales, one moment.', 'voice_of_sales', 'de', 'voice_spare', 9)",
            &[&SALES],
        )
        .await;
    world.app.reload_lines().await;
}

fn overrides(dial: &Value) -> &Value {
    &dial["body"]["conversation_initiation_client_data"]["conversation_config_override"]
}

#[actix::test]
async fn a_line_sets_agent_texts_and_voices_of_its_calls() {
    let world = World::new().await;
    world.simulator.set_agent(Agent::allowing(&ALLOWED));
    with_sales(&world).await;
    let call = ring(&world, "pbx-1", &caller(1), SALES).await;
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("line"), SALES);
    assert_eq!(row.get::<_, String>("called_number"), SALES);
    let (greeting, agent) = (&world.dials("greeting")[0], &world.dials("agent")[0]);
    for dial in [greeting, agent] {
        assert_eq!(dial["body"]["agent_id"], "agent_sales");
        assert_eq!(dial["body"]["agent_phone_number_id"], "phnum_sales");
        assert_eq!(overrides(dial)["agent"]["language"], "de");
    }
    assert_eq!(overrides(greeting)["agent"]["first_message"], "Sales, one moment.");
    assert_eq!(overrides(greeting)["tts"]["voice_id"], "voice_of_sales");
    assert_eq!(overrides(greeting)["conversation"]["max_duration_seconds"], 9);
    assert_eq!(overrides(agent)["tts"]["voice_id"], "voice_spare");
    let offered = "select event -> 'policy' ->> 'line' from call_events where call = $1 and seq = 1";
    let offered: String = world.client.query_one(offered, &[&call]).await.unwrap().get(0);
    assert_eq!(offered, SALES);
    world.stop().await;
}

#[actix::test]
async fn a_call_to_a_number_without_a_line_uses_the_default_line() {
    const DID: &str = "+12025550188";
    let world = World::with(Plan::default().env("OWN_NUMBERS", &format!("{CALLED}, {DID}"))).await;
    with_sales(&world).await;
    let other = ring(&world, "pbx-1", &caller(1), CALLED).await;
    let nowhere = ring(&world, "pbx-2", &caller(2), DID).await;
    for call in [other, nowhere] {
        assert_eq!(world.completed(call).await.get::<_, String>("line"), "default");
    }
    for dial in world.dials("agent") {
        assert_eq!(dial["body"]["agent_id"], "agent_test");
        assert_eq!(overrides(&dial)["tts"]["voice_id"], "voice_fallback");
    }
    world.stop().await;
}

#[actix::test]
async fn a_line_is_found_in_every_notation_of_its_number() {
    let world = World::new().await;
    for (n, number) in [(1, "(202) 555-0180"), (2, "+1 202 555 0180"), (3, "0012025550180"), (4, "700")] {
        world.execute("delete from lines", &[]).await;
        world.execute("insert into lines (number, greeting_message) values ($1, 'Sales')", &[&number]).await;
        world.app.reload_lines().await;
        let called = if number == "700" { number } else { SALES };
        let call = ring(&world, &format!("pbx-{n}"), &caller(n), called).await;
        assert_eq!(world.completed(call).await.get::<_, String>("line"), number);
    }
    world.stop().await;
}

#[actix::test]
async fn live_calls_of_a_line_are_limited() {
    let world = World::with(Plan::default().conversation_ms(400)).await;
    world.execute("insert into lines (number, max_live_calls) values ($1, 1)", &[&SALES]).await;
    world.app.reload_lines().await;
    let first = ring(&world, "pbx-1", &caller(1), SALES).await;
    let (status, problem) = world.post_3cx(&calling("pbx-2", &caller(2), SALES)).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("at_capacity")), "{problem}");
    let elsewhere = ring(&world, "pbx-3", &caller(3), CALLED).await;
    world.completed(first).await;
    world.completed(elsewhere).await;
    world
        .until("a call slot is free again", || async {
            world.post_3cx(&calling("pbx-2", &caller(2), SALES)).await.0 == 200
        })
        .await;
    world.stop().await;
}

#[actix::test]
async fn a_line_limit_counts_calls_from_before_a_restart() {
    let world = World::with(Plan::default().conversation_ms(1_500)).await;
    world.execute("insert into lines (number, max_live_calls) values ($1, 1)", &[&SALES]).await;
    world.app.reload_lines().await;
    let first = ring(&world, "pbx-1", &caller(1), SALES).await;
    world.conversation(first, "greeting").await;
    let world = world.restart().await;
    let (status, problem) = world.post_3cx(&calling("pbx-2", &caller(2), SALES)).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("at_capacity")), "{problem}");
    world.completed(first).await;
    world.stop().await;
}

#[actix::test]
async fn changed_lines_apply_without_a_restart() {
    let world = World::with(Plan::default().env("OWN_NUMBERS", SALES)).await;
    with_sales(&world).await;
    let words = |n: usize| overrides(&world.dials("greeting")[n])["agent"]["first_message"].clone();
    let first = ring(&world, "pbx-1", &caller(1), SALES).await;
    world.completed(first).await;
    world.execute("update lines set greeting_message = 'Good evening.'", &[]).await;
    let unchanged = ring(&world, "pbx-2", &caller(2), SALES).await;
    world.completed(unchanged).await;
    world.app.reload_lines().await;
    let changed = ring(&world, "pbx-3", &caller(3), SALES).await;
    world.completed(changed).await;
    assert_eq!([words(0), words(1), words(2)], ["Sales, one moment.", "Sales, one moment.", "Good evening."]);
    world.execute("delete from lines", &[]).await;
    world.app.reload_lines().await;
    let gone = ring(&world, "pbx-4", &caller(4), SALES).await;
    assert_eq!(world.completed(gone).await.get::<_, String>("line"), "default");
    world.stop().await;
}

#[actix::test]
async fn a_live_call_keeps_its_settings_when_its_line_is_deleted() {
    let world = World::with(Plan::default().conversation_ms(500)).await;
    with_sales(&world).await;
    let call = ring(&world, "pbx-1", &caller(1), SALES).await;
    world.conversation(call, "greeting").await;
    world.execute("delete from lines", &[]).await;
    world.app.reload_lines().await;
    // Its agent belongs to no line any more, but this installation started the conversation.
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("line"), SALES);
    assert_eq!(world.dials("agent")[0]["body"]["agent_id"], "agent_sales");
    world.stop().await;
}

async fn line_order(world: &World, method: &str, path: &str, body: Value) -> Value {
    let (status, answer) = order(world, method, path, &body).await;
    assert_eq!(status, 200, "{method} {path}: {answer}");
    answer
}

fn agent_of(dial: &Value) -> &Value {
    &dial["body"]["agent_id"]
}

#[actix::test]
async fn a_line_is_drafted_published_and_rolled_back_without_a_restart() {
    let world = World::with(with_keys()).await;
    let path = format!("/api/v1/lines/{}", SALES.replace('+', "%2B"));
    let agent = |agent: &str| json!({ "agent_id": agent, "phone_number_id": "phnum_sales" });
    let (status, _) = order(&world, "GET", &path, &Value::Null).await;
    assert_eq!(status, 404);

    let put =
        line_order(&world, "PUT", &path, json!({ "settings": agent("agent_1"), "note": "first" })).await;
    assert_eq!((&put["version"], &put["in_use"]), (&json!(1), &json!(true)));
    let draft =
        line_order(&world, "PUT", &path, json!({ "settings": agent("agent_2"), "publish": false })).await;
    assert_eq!((&draft["version"], &draft["in_use"]), (&json!(2), &json!(false)));
    world.completed(ring(&world, "pbx-1", &caller(1), SALES).await).await;
    line_order(&world, "POST", &format!("{path}/publish"), json!({ "version": 2 })).await;
    let second = ring(&world, "pbx-2", &caller(2), SALES).await;
    world.completed(second).await;
    line_order(&world, "POST", &format!("{path}/rollback"), json!({})).await;
    world.completed(ring(&world, "pbx-3", &caller(3), SALES).await).await;
    let agents: Vec<Value> = world.dials("agent").iter().map(|dial| agent_of(dial).clone()).collect();
    assert_eq!(agents, ["agent_1", "agent_2", "agent_1"]);

    let offered = "select event -> 'policy' ->> 'line_version' from call_events where call = $1 and seq = 1";
    let offered: String = world.client.query_one(offered, &[&second]).await.unwrap().get(0);
    assert_eq!(offered, "2");
    let (_, line) = order(&world, "GET", &path, &Value::Null).await;
    let versions: Vec<_> = line["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["version"].clone(), it["state"].clone(), it["outcomes"]["completed"].clone()))
        .collect();
    assert_eq!(versions, [(json!(2), json!("retired"), json!(1)), (json!(1), json!("published"), json!(2))]);
    assert_eq!(line["items"][1]["created_by"], "anna");
    let actions = "select array_agg(action order by id) from audit_log where action like 'line%'";
    let actions: Vec<String> = world.client.query_one(actions, &[]).await.unwrap().get(0);
    assert_eq!(actions, ["line_published", "line_drafted", "line_published", "line_rolled_back"]);

    let (status, _) = order(&world, "DELETE", &path, &Value::Null).await;
    assert_eq!(status, 204);
    let (status, problem) = order(&world, "POST", &format!("{path}/publish"), &json!({ "version": 9 })).await;
    assert_eq!((status, problem["code"].as_str()), (404, Some("line_not_found")));
    let put = line_order(&world, "PUT", &path, json!({ "settings": agent("agent_3") })).await;
    assert_eq!(put["version"], 3, "the versions of a deleted line stay");
    world.stop().await;
}

#[actix::test]
async fn a_version_on_trial_is_for_its_share_of_callers_and_each_caller_keeps_it() {
    let world = World::with(with_keys()).await;
    let path = format!("/api/v1/lines/{}", SALES.replace('+', "%2B"));
    let agent = |agent: &str| json!({ "settings": { "agent_id": agent }, "publish": agent == "agent_1" });
    for name in ["agent_1", "agent_2"] {
        line_order(&world, "PUT", &path, agent(name)).await;
    }
    let (status, problem) =
        order(&world, "POST", &format!("{path}/publish"), &json!({ "version": 1, "percent": 30 })).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("not_possible")), "it counts already");
    line_order(&world, "POST", &format!("{path}/publish"), json!({ "version": 2, "percent": 50 })).await;
    let mut versions = Vec::new();
    for round in 0..2 {
        for n in 1..=12 {
            let call = ring(&world, &format!("pbx-{round}-{n}"), &caller(n), SALES).await;
            let row = world.completed(call).await;
            let metadata: Value = row.get("metadata");
            versions.push(metadata["line_version"].as_i64().unwrap());
        }
    }
    let (first, again) = versions.split_at(12);
    assert_eq!(first, again, "a caller keeps the version");
    let on_trial = first.iter().filter(|version| **version == 2).count();
    assert!((1..12).contains(&on_trial), "{first:?}");
    line_order(&world, "POST", &format!("{path}/rollback"), json!({})).await;
    let (_, line) = order(&world, "GET", &path, &Value::Null).await;
    assert_eq!((&line["current"]["version"], &line["current"]["trial"]), (&json!(1), &Value::Null));
    world.stop().await;
}

#[actix::test]
async fn settings_that_cannot_be_used_are_refused_with_the_name_of_the_field() {
    let world = World::with(with_keys()).await;
    let path = format!("/api/v1/lines/{}", SALES.replace('+', "%2B"));
    for (settings, says) in [
        (json!({ "max_live_calls": 0 }), "max_live_calls"),
        (json!({ "voice_policy": "always" }), "voice_policy"),
        (json!({ "agent_id": "a\nb" }), "agent_id"),
        (json!({ "greeting_message": "" }), "greeting_message"),
        (json!({ "agent": "a" }), "agent"),
    ] {
        let (status, problem) = order(&world, "PUT", &path, &json!({ "settings": settings })).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("bad_field")), "{settings}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    assert_eq!(world.count("select count(*) from line_versions", &[]).await, 0);
    world.stop().await;
}
