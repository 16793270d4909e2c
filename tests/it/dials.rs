//! Outbound dials: one for each purpose. A dial is repeated only if the first was certainly not executed.

use precall_simulators::elevenlabs::{CallFate, Fault, ReportFate};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Plan, World, dial_fault, fault};

fn voice_of(dial: &Value) -> Value {
    dial["body"]["conversation_initiation_client_data"]["conversation_config_override"]["tts"]["voice_id"]
        .clone()
}

fn user_id(dial: &Value) -> &str {
    dial["body"]["conversation_initiation_client_data"]["user_id"].as_str().unwrap()
}

fn of_call(dials: Vec<Value>, call: Uuid) -> Vec<Value> {
    dials.into_iter().filter(|dial| user_id(dial) == call.to_string()).collect()
}

async fn dial_of(world: &World, call: Uuid, purpose: &str) -> (String, String) {
    let statement =
        "select dial, outcome from conversations where call = $1 and purpose = $2 order by ordinal desc";
    let row = world.client.query(statement, &[&call, &purpose]).await.unwrap().remove(0);
    (row.get(0), row.get(1))
}

#[actix::test]
async fn after_a_refused_greeting_dial_the_agent_still_calls() {
    let world = World::new().await;
    let declined =
        json!({ "success": false, "message": "no trunk", "conversation_id": null, "sip_call_id": null });
    let refusals = [
        Fault { status: Some(401), ..dial_fault("greeting") },
        Fault { status: Some(404), ..dial_fault("greeting") },
        Fault { status: Some(422), ..dial_fault("greeting") },
        Fault { status: Some(429), ..dial_fault("greeting") },
        Fault { body: Some(declined), ..dial_fault("greeting") },
    ];
    for (n, refusal) in (1..).zip(refusals) {
        let what = format!("{refusal:?}");
        world.faults(vec![refusal]);
        let caller = world.known_caller(n).await;
        let call = world.ring(&format!("pbx-{n}"), &caller).await;
        world.completed(call).await;
        // A provider that is busy is asked three times.
        let dials = if what.contains("429") { 3 } else { 1 };
        assert_eq!(of_call(world.dials("greeting"), call).len(), dials, "{what}");
        assert_eq!(of_call(world.dials("agent"), call).len(), 1, "{what}");
        assert_eq!(
            dial_of(&world, call, "greeting").await,
            ("refused".to_owned(), "failed".to_owned()),
            "{what}"
        );
    }
    world.stop().await;
}

/// Faults in which the telephone rings but the answer is lost.
fn lost_answers(purpose: &str) -> [Fault; 4] {
    [
        Fault { after: true, close: true, ..dial_fault(purpose) },
        Fault { after: true, status: Some(500), ..dial_fault(purpose) },
        Fault { after: true, body: Some(json!("{\"success\": tr")), ..dial_fault(purpose) },
        Fault { after: true, hang: true, ..dial_fault(purpose) },
    ]
}

#[actix::test]
async fn a_greeting_whose_answer_is_lost_is_looked_up_and_never_dialled_twice() {
    each_lost_answer_is_looked_up("greeting").await;
}

#[actix::test]
async fn an_agent_call_whose_answer_is_lost_is_looked_up_and_never_dialled_twice() {
    each_lost_answer_is_looked_up("agent").await;
}

async fn each_lost_answer_is_looked_up(purpose: &str) {
    let world = World::new().await;
    for (n, lost) in (1..).zip(lost_answers(purpose)) {
        let (what, hangs) = (format!("{lost:?}"), lost.hang);
        world.faults(vec![lost]);
        let caller = world.known_caller(n).await;
        let call = world.ring(&format!("pbx-{n}"), &caller).await;
        let row = world.completed(call).await;
        for purpose in ["greeting", "agent"] {
            let dials = of_call(world.dials(purpose), call);
            assert_eq!(dials.len(), 1, "{purpose}, {what}");
            assert_eq!(
                dial_of(&world, call, purpose).await,
                ("started".into(), "completed".into()),
                "{what}"
            );
        }
        // If the answer hangs, the report arrives first and no look-up is needed.
        let asked = format!("user_id={call}");
        let looked = world.requests("/v1/convai/conversations");
        let looked = looked.iter().any(|r| r["query"].as_str().unwrap().contains(&asked));
        assert_eq!(looked, !hangs, "{what}");
        let voice: String = row.get("cloned_voice_id");
        assert_eq!(voice_of(&of_call(world.dials("agent"), call)[0]), json!(voice), "{what}");
    }
    world.stop().await;
}

#[actix::test]
async fn a_lost_dial_is_looked_up_until_the_provider_answers() {
    for purpose in ["greeting", "agent"] {
        lost_while_away(purpose).await;
    }
}

async fn lost_while_away(purpose: &str) {
    let world = World::with(Plan::default().env("POSTCALL_WAIT_SECONDS", "1")).await;
    let lost = Fault { after: true, close: true, report: ReportFate::None, ..dial_fault(purpose) };
    // One more than a single look-up asks.
    let away = Fault { status: Some(503), times: Some(4), ..fault("/v1/convai/conversations") };
    world.faults(vec![Fault { times: Some(1), ..lost }, away]);
    let call = world.ring("pbx-1", &world.known_caller(1).await).await;
    world.completed(call).await;
    assert_eq!(of_call(world.dials(purpose), call).len(), 1);
    world.stop().await;
}

#[actix::test]
async fn an_agent_call_whose_answer_and_report_never_come_is_looked_up_and_completes() {
    // Half of an attempt's time is for the answer, half for the look-up.
    let plan = Plan::default().env("HANDOFF_MAX_SECONDS", "2").env("POSTCALL_WAIT_SECONDS", "1");
    let world = World::with(plan).await;
    let silent = Fault { after: true, hang: true, report: ReportFate::None, ..dial_fault("agent") };
    world.faults(vec![silent]);
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    let row = world.completed(call).await;
    assert!(row.get::<_, Option<String>>("transcript").is_some(), "the report was fetched");
    assert_eq!(world.dials("agent").len(), 1);
    world.stop().await;
}

#[actix::test]
async fn a_twilio_number_is_dialled_through_twilio() {
    let world = World::with(Plan::default().env("ELEVENLABS_TELEPHONY", "twilio")).await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.completed(call).await;
    assert_eq!(world.requests("/v1/convai/twilio/outbound-call").len(), 2);
    assert_eq!(world.requests("/v1/convai/sip-trunk").len(), 0);
    world.stop().await;
}

#[actix::test]
async fn after_a_busy_greeting_dial_the_agent_still_calls() {
    let world = World::new().await;
    world.faults(vec![Fault { call: Some(CallFate::Busy), ..dial_fault("greeting") }]);
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.completed(call).await;
    assert_eq!(world.dials("greeting").len(), 1);
    assert_eq!(world.dials("agent").len(), 1);
    assert_eq!(dial_of(&world, call, "greeting").await.1, "failed");
    world.stop().await;
}

#[actix::test]
async fn an_unanswered_greeting_dial_ends_the_call() {
    let world = World::new().await;
    world.faults(vec![Fault { call: Some(CallFate::NoAnswer), ..dial_fault("greeting") }]);
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    let row = world.released(call).await;
    assert_eq!(
        (row.get::<_, String>("cause"), row.get::<_, String>("blame")),
        ("no_answer".into(), "caller".into())
    );
    assert_eq!(row.get::<_, String>("status"), "failed");
    assert_eq!(world.dials("agent").len(), 0);
    world.stop().await;
}

#[actix::test]
async fn a_failure_report_that_arrives_before_the_dial_answer_finds_its_call() {
    let world = World::new().await;
    let fault = dial_fault("greeting");
    world.faults(vec![Fault { call: Some(CallFate::NoAnswer), after: true, delay_ms: 1_000, ..fault }]);
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    let kept = "select kind from unmatched_reports";
    let kept: String = world.until_row("the report is stored", kept, &[]).await.get(0);
    assert_eq!(kept, "call_initiation_failure");
    assert_eq!(world.in_state(call, "greeting").await.get::<_, Option<String>>("cause"), None);
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "no_answer");
    assert_eq!(world.count("select count(*) from unmatched_reports", &[]).await, 0);
    assert_eq!(world.dials("agent").len(), 0);
    world.stop().await;
}

#[actix::test]
async fn a_refused_agent_dial_is_retried_once_in_the_fallback_voice() {
    let world = World::new().await;
    for (n, status) in [(1, 400), (2, 402), (3, 404), (4, 422)] {
        world.faults(vec![Fault { status: Some(status), times: Some(1), ..dial_fault("agent") }]);
        let caller = world.known_caller(n).await;
        let call = world.ring(&format!("pbx-{n}"), &caller).await;
        let row = world.completed(call).await;
        let dials = of_call(world.dials("agent"), call);
        assert_eq!(dials.len(), 2, "{status}");
        let voice: String = row.get("cloned_voice_id");
        assert_eq!(voice_of(&dials[0]), json!(voice), "{status}");
        assert_eq!(voice_of(&dials[1]), json!("voice_fallback"), "{status}");
        let spoken: String = world
            .client
            .query_one("select cloned_voice_id from clone_transfer_events where call = $1", &[&call])
            .await
            .unwrap()
            .get(0);
        assert_eq!(spoken, "voice_fallback", "{status}");
    }
    world.stop().await;
}

#[actix::test]
async fn a_provider_that_is_busy_for_a_moment_costs_neither_the_greeting_nor_the_voice() {
    let world = World::new().await;
    let busy = |purpose| Fault { status: Some(429), times: Some(2), ..dial_fault(purpose) };
    world.faults(vec![busy("greeting"), busy("agent")]);
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    let row = world.completed(call).await;
    let voice: String = row.get("cloned_voice_id");
    for purpose in ["greeting", "agent"] {
        assert_eq!(of_call(world.dials(purpose), call).len(), 3, "{purpose}");
    }
    assert_eq!(voice_of(&of_call(world.dials("agent"), call)[2]), json!(voice));
    assert_eq!(dial_of(&world, call, "greeting").await.0, "started");
    world.stop().await;
}

#[actix::test]
async fn an_agent_dial_refused_in_both_voices_ends_the_call() {
    let world = World::new().await;
    world.faults(vec![Fault { status: Some(404), ..dial_fault("agent") }]);
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "handoff_failed");
    assert_eq!(row.get::<_, String>("blame"), "provider");
    assert_eq!(row.get::<_, String>("status"), "failed");
    assert_eq!(world.dials("agent").len(), 2, "one attempt for each voice");
    world.stop().await;
}

#[actix::test]
async fn an_agent_dial_without_trace_at_the_provider_ends_the_call_and_is_not_repeated() {
    let world = World::new().await;
    let once = |fault: Fault| Fault { times: Some(1), ..fault };
    world.faults(vec![
        once(Fault { status: Some(500), ..dial_fault("agent") }),
        once(Fault { status: Some(503), ..dial_fault("agent") }),
        once(Fault { close: true, ..dial_fault("agent") }),
    ]);
    let mut calls = Vec::new();
    for n in 1..=3 {
        let caller = world.known_caller(n).await;
        calls.push(world.ring(&format!("pbx-{n}"), &caller).await);
    }
    for call in calls {
        let row = world.released(call).await;
        assert_eq!(row.get::<_, String>("cause"), "handoff_failed");
        assert_eq!(row.get::<_, String>("blame"), "provider");
        assert_eq!(of_call(world.dials("agent"), call).len(), 1);
        assert_eq!(dial_of(&world, call, "agent").await.0, "unknown");
    }
    world.stop().await;
}

#[actix::test]
async fn an_unanswered_agent_dial_ends_the_call() {
    let world = World::new().await;
    for (n, fate, cause) in [(1, CallFate::Busy, "busy"), (2, CallFate::NoAnswer, "no_answer")] {
        world.faults(vec![Fault { call: Some(fate), ..dial_fault("agent") }]);
        let caller = world.known_caller(n).await;
        let call = world.ring(&format!("pbx-{n}"), &caller).await;
        let row = world.released(call).await;
        assert_eq!(row.get::<_, String>("cause"), cause);
        assert_eq!(row.get::<_, String>("blame"), "caller");
        assert_eq!(row.get::<_, String>("status"), "failed");
        assert_eq!(of_call(world.dials("agent"), call).len(), 1, "dialled once");
    }
    world.stop().await;
}

#[actix::test]
async fn an_agent_that_fails_to_start_counts_as_no_conversation() {
    let world = World::new().await;
    world.faults(vec![Fault { call: Some(CallFate::Failed), ..dial_fault("agent") }]);
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "handoff_failed");
    assert_eq!(row.get::<_, String>("status"), "failed");
    world.stop().await;
}
