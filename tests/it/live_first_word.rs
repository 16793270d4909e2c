//! An agent that connects and never speaks, one that is queued, and sessions that go on with a conversation: nobody is
//! stranded, and nobody is greeted twice.

use std::time::Instant;

use precall_simulators::elevenlabs::{Act, Agent, Fault, Queue, Script, Step};
use uuid::Uuid;

use crate::live_bridge::{dialogue, ends, hears, listens, say, waits};
use crate::support::{PATIENCE, PbxPlan, PbxWorld, allowing_agent, pause};

const GREETING: &str = "Something is said.";

fn script(steps: Vec<Step>) -> Script {
    Script::new(steps).unwrap()
}

/// Connects, pings, and never says a word. Its settings have a first message.
fn mute() -> Agent {
    Agent { never_speaks: true, script: script(vec![say(600), ends()]), ..allowing_agent() }
}

/// The row of a call that waits for silent agents: up to 90 s.
async fn released_late(world: &PbxWorld, call: Uuid) -> tokio_postgres::Row {
    let statement = "select * from call_log where id = $1 and state = 'released'";
    let begun = Instant::now();
    while world.client.query_opt(statement, &[&call]).await.unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE, "the call is not released in 90 s");
        pause().await;
    }
    world.released(call).await
}

/// The kinds of a call's events, in order.
async fn kinds(world: &PbxWorld, call: Uuid) -> Vec<String> {
    let statement = "select event ->> 'kind' from call_events where call = $1 order by seq";
    world.client.query(statement, &[&call]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Why agents were lost, in order, with the words that explain it.
async fn losses(world: &PbxWorld, call: Uuid) -> Vec<(String, String)> {
    let statement = "select event ->> 'why', coalesce(pii ->> 'detail', '') from call_events where call = $1
        and event ->> 'kind' = 'agent_lost' order by seq";
    let rows = world.client.query(statement, &[&call]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Rings, and follows the caller from a mute agent to a person.
async fn a_mute_agent_is_left_for_a_person(first_message: &str, provider: Vec<Fault>) {
    let plan = PbxPlan { provider, ..PbxPlan::default().bridge_to(mute()) };
    let plan = plan.env("AGENT_FIRST_MESSAGE", first_message).env("AGENT_STALL_SECONDS", "1");
    let world = PbxWorld::with(plan).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "conversing").await;
    world.hears(&pbx_id, &world.hold.start(500)).await;
    let row = released_late(&world, call).await;
    let end = ["cause", "blame", "told", "status"].map(|column| row.get::<_, String>(column));
    assert_eq!(end, ["agent_stalled", "provider", "person", "failed"], "no agent conversation took place");
    let lost = losses(&world, call).await;
    assert_eq!(lost.len(), 3, "twice in the cloned voice, once in the fallback voice: {lost:?}");
    assert!(lost.iter().all(|(why, words)| why == "stalled" && words == "the agent never spoke"), "{lost:?}");
    world.audio_never_stopped(&pbx_id, "music is played while nobody speaks");
    world.stop().await;
}

#[actix::test]
async fn an_agent_with_a_first_message_of_its_own_that_never_speaks_is_left_for_a_person() {
    a_mute_agent_is_left_for_a_person("", Vec::new()).await;
}

#[actix::test]
async fn an_agent_with_our_first_message_that_never_speaks_is_left_for_a_person() {
    a_mute_agent_is_left_for_a_person("Good day.", Vec::new()).await;
}

#[actix::test]
async fn an_agent_of_unknown_settings_that_never_speaks_is_left_for_a_person() {
    let unreadable = Fault { status: Some(403), ..Fault::on("/v1/convai/agents/") };
    a_mute_agent_is_left_for_a_person("", vec![unreadable]).await;
}

#[actix::test]
async fn an_agent_that_never_answers_the_first_words_of_the_caller_is_given_up() {
    let mut agent = mute();
    agent.script = script(vec![waits(60_000)]);
    let plan = PbxPlan::default().bridge_to(agent).env("AGENT_FIRST_MESSAGE", "none");
    let world = PbxWorld::with(plan.env("AGENT_STALL_SECONDS", "1")).await;
    // The caller of the simulator speaks all the time.
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let row = released_late(&world, call).await;
    let end = ["cause", "told"].map(|column| row.get::<_, String>(column));
    assert_eq!(end, ["agent_stalled", "person"]);
    world.stop().await;
}

#[actix::test]
async fn hold_audio_of_a_queued_conversation_is_not_the_agents_first_word() {
    let queue = Queue { wait_ms: 7_000, status_every_ms: 500, hold_audio: true };
    let agent = Agent { queue: Some(queue), script: script(dialogue()), ..allowing_agent() };
    let world = PbxWorld::with(PbxPlan::default().bridge_to(agent)).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("cause"), "agent_ended");
    let voice: String = row.get("cloned_voice_id");
    assert!(world.heard(&pbx_id).contains(&world.in_voice(&voice, 580).await), "the agent's own words");
    let kinds = kinds(&world, call).await;
    let at = |kind: &str| {
        kinds.iter().position(|known| known == kind).unwrap_or_else(|| panic!("{kind}: {kinds:?}"))
    };
    assert!(at("handoff_succeeded") < at("agent_spoke"), "{kinds:?}");
    world.audio_never_stopped(&pbx_id, "music is played while nobody speaks");
    world.stop().await;
}

/// An agent that loses its conversation in the middle, as the provider closes it with this code.
fn breaks(code: u16) -> Vec<Step> {
    let close = Act::Close { code, reason: "scripted".to_owned(), error_type: None };
    vec![say(400), listens(), hears("I call about my order."), Step::Act(close)]
}

#[actix::test]
async fn a_reopened_conversation_goes_on_and_does_not_greet_again() {
    // The agent lets its first message be set, or greets whatever precall says.
    let only_voice = || Agent::allowing(&["tts.voice_id"]);
    for code in [1002, 1008, 1011] {
        for (allows, agent) in [(true, allowing_agent()), (false, only_voice())] {
            let first = Agent { script: script(breaks(code)), ..agent.clone() };
            let world = PbxWorld::with(PbxPlan::default().bridge_to(first)).await;
            let pbx_id = world.rings(&world.known_caller(1).await);
            let call = world.call_of(&pbx_id).await;
            world.talk(call, 1).await;
            let answer = vec![say(500), waits(4_000), say(900), ends()];
            world.simulator.set_agent(Agent { script: script(answer), ..agent });
            let row = world.completed(call).await;
            assert_eq!(row.get::<_, String>("cause"), "agent_ended", "code {code}, {allows}");
            let talks = world.talks(call);
            assert_eq!(talks.len(), 2, "code {code}, {allows}");
            let talk = &talks[1];
            let sent = talk.initiation["conversation_config_override"]["agent"]["first_message"].as_str();
            assert_eq!(sent, allows.then_some(""), "code {code}, {allows}");
            let told = &talk.contextual_updates;
            assert!(told.len() == 1 && told[0].contains("I call about my order."), "{told:?}");
            assert_eq!(talk.user_messages, ["I call about my order."], "the caller's words are answered");
            // The caller hears the answer, and of the second session no greeting.
            let statement =
                "select count(*) from call_events where call = $1 and event ->> 'kind' = 'line_spoken'
                and event ->> 'by' = 'agent' and pii ->> 'text' = $2";
            let greeted: i64 = world.client.query_one(statement, &[&call, &GREETING]).await.unwrap().get(0);
            assert_eq!(
                greeted, 2,
                "code {code}, {allows}: the greeting and the answer have the same words here"
            );
            world.stop().await;
        }
    }
}
