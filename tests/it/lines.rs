//! Settings of a called number (a line) and the calls that use them.

use precall_simulators::elevenlabs::Agent;
use serde_json::{Value, json};
use uuid::Uuid;

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
