//! Peers that fall silent with their connection open: the agent's socket, the PBX's events and both audio streams, and
//! the database.

use std::time::Duration;

use precall_simulators::elevenlabs::{self as provider, Agent, Script};
use precall_simulators::threecx::{Fault, StreamFault, WsFault};
use serde_json::Value;
use uuid::Uuid;

use crate::live_bridge::{dialogue, hears, listens, say, waits};
use crate::support::{PbxPlan, PbxWorld, allowing_agent};

/// Where precall asks for the address of a conversation.
const SIGNED_URL: &str = "/v1/convai/conversation/get-signed-url";
/// The words that health must show after a frozen agent.
const SILENT_AGENT: &str = "the agent's connection is open but silent (nothing received for 5 s)";

fn stranger(n: u32) -> String {
    format!("+1{}5550{:03}", 201 + 2 * (n % 2), 100 + n)
}

fn talkative() -> Agent {
    Agent { script: Script::new(dialogue()).unwrap(), ..allowing_agent() }
}

/// Waits for an event of the call.
async fn happens(world: &PbxWorld, call: Uuid, kind: &str) {
    let statement = "select from call_events where call = $1 and event ->> 'kind' = $2";
    world.until_row(kind, statement, &[&call, &kind]).await;
}

/// The problems in health of this area, as text.
async fn problems(world: &PbxWorld, area: &str) -> String {
    let health = world.get("/health").await.1;
    let problems = health["problems"].as_array().cloned().unwrap_or_default();
    problems
        .into_iter()
        .filter(|problem| problem["area"] == area)
        .map(|problem| problem.to_string())
        .collect()
}

#[actix::test]
async fn an_agent_that_freezes_in_a_conversation_is_replaced_and_the_caller_hears_music() {
    let world =
        PbxWorld::with(PbxPlan::default().bridge(vec![say(400), listens(), hears("Hello?"), waits(60_000)]))
            .await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    happens(&world, call, "line_spoken").await;
    let music = world.hold.start(500);
    let before = world.heard(&pbx_id).count(&music);
    world.simulator.set_agent(talkative());
    // The next session is slow to open.
    world.faults(vec![provider::Fault { delay_ms: 1_500, ..provider::Fault::on(SIGNED_URL) }]);
    world.simulator.freeze_sockets();
    world.until("music plays", || async { world.heard(&pbx_id).count(&music) > before }).await;
    happens(&world, call, "agent_lost").await;
    let shown = problems(&world, "handoff").await;
    assert!(shown.contains(SILENT_AGENT), "{shown}");
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("cause"), "agent_ended");
    let talks = world.talks(call);
    assert_eq!(talks.len(), 2, "a new session");
    assert_eq!(talks[0].voice_id, talks[1].voice_id, "the voice stays the same");
    world.stop().await;
}

#[actix::test]
async fn a_quiet_agent_whose_server_answers_pings_is_not_lost() {
    let quiet = Agent {
        // The agent waits for the caller, and the provider's own pings are far apart.
        ping_ms: 60_000,
        script: Script::new(vec![say(400), waits(9_000), say(400)]).unwrap(),
        ..allowing_agent()
    };
    let world = PbxWorld::with(PbxPlan::default().bridge_to(quiet)).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world
        .until("the agent has spoken twice", || async {
            world.talks(call).first().is_some_and(|talk| talk.said.len() == 2)
        })
        .await;
    assert_eq!(world.talks(call).len(), 1);
    assert!(!world.events(call).await.contains(&"agent_lost".to_owned()));
    world.hangs_up(&pbx_id);
    world.released(call).await;
    world.stop().await;
}

#[actix::test]
async fn an_agent_that_is_frozen_from_the_start_costs_the_caller_one_attempt() {
    let frozen = Agent { frozen: true, ..talkative() };
    let world = PbxWorld::with(PbxPlan::default().bridge_to(frozen)).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.until("the first session is open", || async { !world.simulator.sessions().is_empty() }).await;
    world.simulator.set_agent(talkative());
    world.hears(&pbx_id, &world.hold.start(500)).await;
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("cause"), "agent_ended");
    assert!(problems(&world, "handoff").await.contains("the agent"), "health names the failure");
    world.stop().await;
}

#[actix::test]
async fn an_agent_that_freezes_when_it_is_ready_is_replaced() {
    let plan = PbxPlan { greeting_ms: 5_000, ..PbxPlan::default().bridge_to(talkative()) };
    let world = PbxWorld::with(plan).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    happens(&world, call, "handoff_succeeded").await;
    world.simulator.freeze_sockets();
    let statement =
        "select event ->> 'why' from call_events where call = $1 and event ->> 'kind' = 'agent_lost'";
    let lost = world.until_row("the agent is lost", statement, &[&call]).await;
    assert_eq!(lost.get::<_, String>(0), "lost", "not merely stalled, which takes longer");
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("cause"), "agent_ended");
    assert_eq!(world.talks(call).len(), 2);
    assert_eq!(world.heard(&pbx_id).count(&world.greeting), 1);
    world.stop().await;
}

#[actix::test]
async fn an_agent_that_freezes_while_the_caller_waits_for_a_free_conversation_is_given_up() {
    let queue = serde_json::from_value(
        serde_json::json!({"wait_ms": 120_000, "status_every_ms": 1_000, "hold_audio": false}),
    );
    let world =
        PbxWorld::with(PbxPlan::default().bridge_to(Agent { queue: queue.unwrap(), ..talkative() })).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world
        .until("the caller waits", || async {
            world.talks(call).first().is_some_and(|talk| talk.sent.get("queue_status") > Some(&1))
        })
        .await;
    world.simulator.set_agent(talkative());
    world.simulator.freeze_sockets();
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("cause"), "agent_ended");
    let shown = problems(&world, "handoff").await;
    assert!(shown.contains(SILENT_AGENT), "{shown}");
    world.stop().await;
}

#[actix::test]
async fn callers_who_ring_while_the_event_stream_is_frozen_are_greeted() {
    let world = PbxWorld::with(PbxPlan::default().holding()).await;
    let before = world.rings(&stranger(1));
    let earlier = world.call_of(&before).await;
    world.in_state(earlier, "holding").await;
    // New sockets are refused, so that only the lists are left.
    let path = "/callcontrol/ws";
    world.pbx.set_faults(vec![
        Fault { ws: Some(WsFault::Stall), ..Fault::default() },
        Fault { status: Some(503), ..Fault::on(path) },
    ]);
    world.until("health shows it", || async { problems(&world, "threecx").await.contains("silent") }).await;
    for n in 2..5 {
        let pbx_id = world.rings(&stranger(n));
        let call = world.call_of(&pbx_id).await;
        world.hears(&pbx_id, &world.greeting).await;
        world.in_state(call, "holding").await;
        world.hangs_up(&pbx_id);
        assert_eq!(world.released(call).await.get::<_, String>("cause"), "caller_hung_up");
    }
    assert_eq!(world.get("/health").await.1["threecx"], "error");
    world.pbx.set_faults(Vec::new());
    world.until("health is well", || async { world.get("/health").await.1["threecx"] == "ok" }).await;
    assert_eq!(world.heard(&before).count(&world.greeting), 1, "the caller from before is greeted once");
    world.operator_ends(earlier).await;
    world.stop().await;
}

#[actix::test]
async fn a_caller_whose_audio_stream_is_silent_is_kept_and_heard_again() {
    let world = PbxWorld::with(PbxPlan::default().bridge(vec![say(400), waits(120_000)])).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    happens(&world, call, "agent_spoke").await;
    let opened = world.report(&pbx_id).gets_opened;
    world.pbx.set_faults(vec![Fault { streams: Some(StreamFault::Stall), ..Fault::default() }]);
    world.at_pbx(&pbx_id, "the stream is opened again", |call| call.gets_opened > opened).await;
    let words = "the caller's audio stream is open but silent";
    world.until("health shows it", || async { problems(&world, "threecx").await.contains(words) }).await;
    world.pbx.set_faults(Vec::new());
    let heard = world.talks(call)[0].user_audio.sound_ms;
    world
        .until("the agent hears the caller again", || async {
            world.talks(call)[0].user_audio.sound_ms > heard
        })
        .await;
    let mut page = world.http.get(format!("{}/metrics", world.app.url())).send().await.unwrap();
    let page = String::from_utf8(page.body().limit(1 << 20).await.unwrap().to_vec()).unwrap();
    assert!(page.contains("precall_silent_streams_total{stream=\"from_caller\"} 1"), "{page}");
    world.hangs_up(&pbx_id);
    assert_eq!(world.released(call).await.get::<_, String>("cause"), "caller_hung_up");
    world.stop().await;
}

#[actix::test]
async fn a_stream_to_the_caller_that_takes_no_audio_is_opened_again() {
    let world = PbxWorld::with(PbxPlan::default().holding()).await;
    let pbx_id = world.rings(&stranger(1));
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "holding").await;
    world.pbx.set_faults(vec![Fault { streams: Some(StreamFault::Deaf), ..Fault::default() }]);
    world.at_pbx(&pbx_id, "another stream is open", |call| call.posts_opened == 2).await;
    world.pbx.set_faults(Vec::new());
    let received = world.report(&pbx_id).bytes_received;
    world
        .at_pbx(&pbx_id, "the caller hears music again", |call| call.bytes_received > received + 8_000)
        .await;
    let words = "takes no audio";
    world.until("health shows it", || async { problems(&world, "threecx").await.contains(words) }).await;
    world.operator_ends(call).await;
    world.stop_after_cuts().await;
}

#[actix::test]
async fn a_stream_to_the_caller_that_never_takes_audio_again_ends_the_audio() {
    let world = PbxWorld::with(PbxPlan::default().bridge(vec![say(400), waits(120_000)])).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    happens(&world, call, "agent_spoke").await;
    world.pbx.set_faults(vec![Fault { streams: Some(StreamFault::Deaf), ..Fault::default() }]);
    // The buffers of the simulated PBX hold some seconds of audio, each time.
    world.at_pbx(&pbx_id, "another stream is open", |call| call.posts_opened == 2).await;
    happens(&world, call, "audio_lost").await;
    let row = world.released(call).await;
    assert_eq!(["cause", "told"].map(|column| row.get::<_, String>(column)), ["pbx_lost", "person"]);
    world.pbx.set_faults(Vec::new());
    world.stop_after_cuts().await;
}

#[actix::test]
async fn a_frozen_database_holds_up_no_caller_no_webhook_and_no_health_page() {
    let cluster = crate::support::cluster::Cluster::new().await;
    let plan = crate::support::Plan::default().conversation_ms(900);
    let world = crate::support::World::at(cluster.url("postgres"), plan).await;
    let before = world.ring("pbx-1", &crate::support::caller(1)).await;
    world.conversation(before, "greeting").await;
    let frozen = cluster.freeze();
    let began = std::time::Instant::now();
    let (status, answer) =
        world.post_3cx(&crate::support::incoming("pbx-2", &crate::support::caller(2))).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("accepted")), "{answer}");
    let health: Value = world.get("/health").await.1;
    assert!(health["status"].is_string(), "{health}");
    crate::support::until("the outage is known", || async {
        world.get("/health").await.1["database"] == "error"
    })
    .await;
    crate::support::until("both are handed over", || async { world.dials("agent").len() == 2 }).await;
    assert_eq!(world.get("/api/v1/calls").await.0, 503, "a read has its deadline");
    assert!(began.elapsed() < Duration::from_secs(60));
    drop(frozen);
    crate::support::until("everything is in the database", || async {
        world.get("/health").await.1["spool"] == "ok"
    })
    .await;
    world.stop().await;
}
