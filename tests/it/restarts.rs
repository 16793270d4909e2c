//! The service restarts during calls: they continue, and no telephone rings a second time.

use precall_simulators::elevenlabs::Fault;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{ADD, DIAL, Plan, World, fault, incoming};

/// Every call has dialled its caller once for each purpose.
fn each_was_dialled_once(world: &World, calls: &[Uuid]) {
    for purpose in ["greeting", "agent"] {
        let dials = world.dials(purpose);
        let of_call = |call: &Uuid| {
            let id = json!(call.to_string());
            dials.iter().filter(|d| d["body"]["conversation_initiation_client_data"]["user_id"] == id).count()
        };
        let counts: Vec<usize> = calls.iter().map(of_call).collect();
        assert_eq!(counts, vec![1; calls.len()], "{purpose}");
    }
}

#[actix::test]
async fn calls_in_every_phase_continue_after_a_restart() {
    let world = World::with(Plan::default().conversation_ms(4_000)).await;
    let callers = [
        world.known_caller(1).await,
        world.known_caller(2).await,
        world.known_caller(3).await,
        world.known_caller(4).await,
    ];
    let [waits, is_handed_over, talks, is_greeted] = &callers;
    world.faults(vec![
        Fault { hang: true, times: Some(1), ..fault(ADD) },
        // Its greeting passes; the agent's dial is executed but never answered.
        Fault {
            body_contains: Some(is_handed_over.clone()),
            skip: 1,
            after: true,
            hang: true,
            ..fault(DIAL)
        },
    ]);
    let holding = world.ring("pbx-1", waits).await;
    world.until("the clone job hangs", || async { world.uploads() == 1 }).await;
    let handing_off = world.ring("pbx-2", is_handed_over).await;
    let conversing = world.ring("pbx-3", talks).await;
    world.in_state(holding, "holding").await;
    world.in_state(conversing, "conversing").await;
    let greeting = world.ring("pbx-4", is_greeted).await;
    world.until("both agents were dialled", || async { world.dials("agent").len() == 2 }).await;
    world.conversation(greeting, "greeting").await;
    world
        .until("its voice is ready", || async {
            world.events(greeting).await.contains(&"voice_ready".to_owned())
        })
        .await;
    let calls = [holding, handing_off, conversing, greeting];
    let mut states = Vec::new();
    for call in calls {
        let row = world.client.query_one("select state from call_log where id = $1", &[&call]).await.unwrap();
        states.push(row.get::<_, String>(0));
    }
    assert_eq!(states, ["holding", "handing_off", "conversing", "greeting"]);

    let world = world.restart().await;
    for (call, caller) in calls.into_iter().zip(&callers) {
        let row = world.completed(call).await;
        assert_eq!(row.get::<_, String>("cause"), "completed");
        // The upload that was cut off is not repeated: ElevenLabs may already have created the voice.
        let own_voice = row.get::<_, Option<String>>("cloned_voice_id").is_some();
        assert_eq!(own_voice, caller != waits, "{caller}");
        let resumed = world.events(call).await.into_iter().filter(|kind| kind == "resumed").count();
        assert_eq!(resumed, 1);
    }
    assert_eq!(world.uploads(), 4);
    each_was_dialled_once(&world, &calls);
    world.stop().await;
}

#[actix::test]
async fn a_call_survives_several_restarts() {
    let mut world = World::with(Plan::default().conversation_ms(1_500)).await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.conversation(call, "greeting").await;
    for _ in 0..2 {
        world = world.restart().await;
    }
    world.conversation(call, "agent").await;
    world = world.restart().await;
    world.completed(call).await;
    each_was_dialled_once(&world, &[call]);
    assert_eq!(world.post_3cx(&incoming("pbx-1", &caller)).await.1["status"], "duplicate");
    world.stop().await;
}

#[actix::test]
async fn a_greeting_whose_dial_was_never_answered_before_the_restart_is_looked_up() {
    let world = World::with(Plan::default().conversation_ms(300)).await;
    let caller = world.known_caller(1).await;
    world.faults(vec![Fault { after: true, hang: true, ..fault(DIAL) }]);
    let call = world.ring("pbx-1", &caller).await;
    world.until("the call was dialled", || async { world.dials("greeting").len() == 1 }).await;
    let world = world.restart().await;
    world.faults(Vec::new());
    world.completed(call).await;
    each_was_dialled_once(&world, &[call]);
    world.stop().await;
}

#[actix::test]
async fn limits_count_calls_from_before_the_restart() {
    let world = World::with(Plan::default().env("MAX_LIVE_CALLS", "1").conversation_ms(1_500)).await;
    let (first, second) = (world.known_caller(1).await, world.known_caller(2).await);
    let call = world.ring("pbx-1", &first).await;
    world.conversation(call, "greeting").await;
    let world = world.restart().await;
    let (status, problem) = world.post_3cx(&incoming("pbx-2", &second)).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("at_capacity")));
    world.completed(call).await;
    world
        .until("a call slot is free again", || async {
            world.post_3cx(&incoming("pbx-2", &second)).await.0 == 200
        })
        .await;
    world.stop().await;
}

#[actix::test]
async fn the_voice_cache_is_filled_after_a_restart() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.completed(call).await;
    let world = world.restart().await;
    let (_, answer) = world.post_3cx(&incoming("pbx-2", &caller)).await;
    assert_ne!(answer["cloned_voice_id"], Value::Null);
    world.completed(answer["call_id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(world.uploads(), 1);
    world.stop().await;
}

#[actix::test]
async fn a_call_that_was_released_while_its_report_was_on_the_way_is_completed_after_the_restart() {
    let world = World::with(Plan::default().conversation_ms(400)).await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.in_state(call, "conversing").await;
    world.operate(&format!("/api/v1/calls/{call}/hangup")).await;
    world.released(call).await;
    let world = world.restart().await;
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, String>("cause"), "operator_ended");
    assert!(row.get::<_, Option<String>>("transcript").is_some());
    world.stop().await;
}

#[actix::test]
async fn an_agent_dialled_before_a_restart_is_not_dialled_again_when_no_trace_is_found() {
    let plan = Plan::default().env("AUTO_TRANSITION_ENABLED", "false").conversation_ms(1_500);
    let world = World::with(plan).await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.in_state(call, "holding").await;
    // A process whose disk is lost: it dialled, and its intent is lost too.
    let mut dial = world.dials("greeting")[0]["body"].clone();
    dial["conversation_initiation_client_data"]["dynamic_variables"]["precall_purpose"] = json!("agent");
    let url = format!("{}{}", world.simulator.url(), DIAL);
    let mut answer =
        world.http.post(url).insert_header(("xi-api-key", "test-key")).send_json(&dial).await.unwrap();
    let dialled: Value = answer.json().await.unwrap();
    let world = world.restart().await;
    let path = format!("/api/v1/calls/{call}/handoff");
    world.until("the call is resumed", || async { world.operate(&path).await.0 == 202 }).await;
    assert_eq!(world.conversation(call, "agent").await, dialled["conversation_id"].as_str().unwrap());
    world.completed(call).await;
    assert_eq!(world.dials("agent").len(), 1, "the dial before the restart");
    world.stop().await;
}
