//! Overrides: precall sends only what the agent allows, leaves out what was refused, and says so.

use precall_simulators::elevenlabs::{Agent, Fault, OverrideRefusal, Script};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::live_bridge::dialogue;
use crate::support::{PbxPlan, PbxWorld, World};

const SETTINGS: &str = "/v1/convai/agents/";

/// ElevenLabs does not show the agent's settings to this key.
fn unreadable() -> Fault {
    Fault { status: Some(403), ..Fault::on(SETTINGS) }
}

fn talker(allowed: &[&str]) -> Agent {
    Agent { script: Script::new(dialogue()).unwrap(), ..Agent::allowing(allowed) }
}

fn sent(dial: &Value) -> &Value {
    &dial["body"]["conversation_initiation_client_data"]["conversation_config_override"]
}

/// The failures that `GET /api/v1/calls/{id}` shows: kind, reason and words.
fn failures(call: &Value) -> Vec<(String, String, String)> {
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let items = call["failures"].as_array().unwrap();
    items.iter().map(|item| (text(item, "kind"), text(item, "why"), text(item, "detail"))).collect()
}

#[actix::test]
async fn an_agent_that_allows_nothing_is_sent_nothing_and_speaks_with_its_own_voice() {
    let plan = PbxPlan::default().bridge_to(talker(&[]));
    let world = PbxWorld::with(plan.env("AGENT_FIRST_MESSAGE", "Good day.")).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("cause"), "agent_ended");
    assert_eq!(row.get::<_, Option<String>>("voice_missing").as_deref(), Some("override_refused"));
    let talks = world.talks(call);
    assert_eq!(talks.len(), 1, "nothing was refused, so nothing was repeated");
    assert_eq!(talks[0].initiation.get("conversation_config_override"), None);
    let shown = world.get(&format!("/api/v1/calls/{call}")).await.1;
    let failed = failures(&shown);
    assert!(
        failed.iter().any(|(kind, why, words)| kind == "handoff_failed"
            && why == "voice_refused"
            && words.contains("tts.voice_id")),
        "{failed:?}"
    );
    let health = world.get("/health").await.1;
    assert_eq!(health["status"], "degraded");
    let problems = health["problems"].to_string();
    for field in ["tts.voice_id", "agent.first_message"] {
        assert!(problems.contains(field) && problems.contains("Switch it on"), "{problems}");
    }
    world.stop().await;
}

#[actix::test]
async fn a_refused_override_is_left_out_where_the_agents_settings_cannot_be_read() {
    // Which field is refused does not matter: the voice, or the first message beside an allowed voice.
    for (allowed, voice_stays) in [(vec![], false), (vec!["tts.voice_id"], true)] {
        let plan = PbxPlan { provider: vec![unreadable()], ..PbxPlan::default().bridge_to(talker(&allowed)) };
        let world = PbxWorld::with(plan.env("AGENT_FIRST_MESSAGE", "Good day.")).await;
        let pbx_id = world.rings(&world.known_caller(1).await);
        let call = world.call_of(&pbx_id).await;
        let row = world.completed(call).await;
        assert_eq!(row.get::<_, String>("cause"), "agent_ended", "{allowed:?}");
        let talks = world.talks(call);
        let last = &talks.last().unwrap().initiation;
        let expected =
            row.get::<_, Option<String>>("cloned_voice_id").map(|voice| json!({ "voice_id": voice }));
        assert_eq!(expected.is_some(), voice_stays, "{allowed:?}");
        assert_eq!(last["conversation_config_override"].get("tts"), expected.as_ref(), "{allowed:?}");
        assert_eq!(last["conversation_config_override"].get("agent"), None, "{allowed:?}");
        let shown = world.get(&format!("/api/v1/calls/{call}")).await.1;
        let failed = failures(&shown);
        assert!(
            failed.iter().any(|(_, why, words)| why == "override_refused" && words.contains("not allowed")),
            "{failed:?}"
        );
        // The next call knows.
        let before = world.talks(call).len();
        let second = world.call_of(&world.rings(&world.known_caller(2).await)).await;
        world.completed(second).await;
        assert_eq!(world.talks(second).len(), 1, "{allowed:?}, first {before}");
        world.stop().await;
    }
}

#[actix::test]
async fn the_duration_is_sent_only_to_an_agent_that_allows_it() {
    let greeted = ["tts.voice_id", "agent.first_message"];
    let all = ["tts.voice_id", "agent.first_message", "conversation.max_duration_seconds"];
    for (allowed, expected) in [(&greeted[..], false), (&all[..], true)] {
        let agent = Agent::allowing(allowed);
        let world = World::new().await;
        world.simulator.set_agent(agent);
        let call = world.ring("pbx-1", &world.known_caller(1).await).await;
        world.completed(call).await;
        for purpose in ["greeting", "agent"] {
            let dial = &world.dials(purpose)[0];
            assert_eq!(sent(dial)["conversation"]["max_duration_seconds"].is_u64(), expected, "{dial}");
        }
        world.stop().await;
    }
}

#[actix::test]
async fn without_a_first_message_there_is_no_greeting_call_and_the_agent_is_dialled_all_the_same() {
    let world = World::new().await;
    world.simulator.set_agent(Agent::allowing(&["tts.voice_id"]));
    let call: Uuid = world.ring("pbx-1", &world.known_caller(1).await).await;
    let row = world.completed(call).await;
    assert!(row.get::<_, Option<String>>("cloned_voice_id").is_some());
    assert_eq!(world.dials("greeting").len(), 0, "its greeting would be the agent's own first message");
    assert_eq!(world.dials("agent").len(), 1);
    let statement = "select pii ->> 'detail' from call_events where call = $1
        and event ->> 'kind' = 'greeting_ended'";
    let words: String = world.client.query_one(statement, &[&call]).await.unwrap().get(0);
    assert!(words.contains("agent.first_message"), "{words}");
    world.stop().await;
}

/// The problems of `/health`, once one of them names this field.
async fn problem_about(world: &World, field: &str) -> Value {
    world
        .until("health names the override", || async {
            world.get("/health").await.1["problems"].to_string().contains(field)
        })
        .await;
    world.get("/health").await.1["problems"].clone()
}

#[actix::test]
async fn a_voice_that_was_left_out_without_an_error_is_a_problem_in_words() {
    // The settings say that the voice may be set, and the provider drops it all the same.
    let allowing = json!({
        "agent_id": "agent_test",
        "platform_settings": { "overrides": { "conversation_config_override": {
            "tts": { "voice_id": true }, "agent": { "first_message": true } } } }
    });
    let settings = Fault { body: Some(allowing), ..Fault::on(SETTINGS) };
    let world = World::new().await;
    world.faults(vec![settings]);
    let dropping =
        Agent { override_refusal: OverrideRefusal::Drop, ..Agent::allowing(&["agent.first_message"]) };
    world.simulator.set_agent(dropping);
    let call: Uuid = world.ring("pbx-1", &world.known_caller(1).await).await;
    world.completed(call).await;
    let problems = problem_about(&world, "left out the override tts.voice_id").await;
    assert!(problems.to_string().contains("conv_"), "{problems}");
    // The next conversation takes it.
    world.simulator.set_agent(Agent::allowing(&["agent.first_message", "tts.voice_id"]));
    let call: Uuid = world.ring("pbx-2", &world.known_caller(2).await).await;
    world.completed(call).await;
    world
        .until("the problem is gone", || async {
            !world.get("/health").await.1["problems"].to_string().contains("left out")
        })
        .await;
    world.stop().await;
}

#[actix::test]
async fn a_telephone_conversation_that_failed_for_an_override_teaches_the_next_call() {
    let world = World::new().await;
    world.faults(vec![unreadable()]);
    world.simulator.set_agent(Agent::allowing(&["agent.first_message"]));
    let call: Uuid = world.ring("pbx-1", &world.known_caller(1).await).await;
    let row = world.released(call).await;
    assert_eq!(
        row.get::<_, String>("cause"),
        "handoff_failed",
        "the telephone was answered, so it is not dialled again"
    );
    assert_eq!(world.dials("agent").len(), 1);
    let second: Uuid = world.ring("pbx-2", &world.known_caller(2).await).await;
    let row = world.completed(second).await;
    assert_eq!(row.get::<_, Option<String>>("voice_missing").as_deref(), Some("override_refused"));
    world.stop().await;
}
