//! What ElevenLabs found out about a conversation: analysis, cost in dollars, voicemail. Stored, shown, erased.

use precall_base::clock;
use precall_call::At;
use precall_simulators::elevenlabs::{Fault, ReportFate};
use precall_store::growth::retention;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{KEY, Plan, World, dial_fault, until};

const SECRET: &str = "Rumpelstiltskin";

fn analysis() -> Value {
    json!({
        "call_successful": "success", "call_summary_title": format!("A question of {SECRET}"),
        "transcript_summary": format!("{SECRET} asked for the opening hours."),
        "evaluation_criteria_results": { "polite": { "criteria_id": "polite", "result": "success",
            "rationale": "Always." } },
        "data_collection_results": { "name": { "data_collection_id": "name", "value": SECRET,
            "rationale": null } },
    })
}

fn report(conversation: &str) -> Value {
    json!({ "type": "post_call_transcription", "event_timestamp": 1_764_000_000, "data": {
        "agent_id": "agent_test", "conversation_id": conversation, "status": "done",
        "transcript": [{ "role": "agent", "message": null, "multivoice_message": { "parts": [
            { "text": "Good morning.", "voice_label": "Anna", "time_in_call_secs": 0 } ] } }],
        "metadata": { "call_duration_secs": 9, "start_time_unix_secs": 1_764_000_000, "cost": 803,
            "cost_fiat": 0.0625, "termination_reason": "Call ended by remote party" },
        "analysis": analysis() } })
}

async fn taken(world: &World, report: &Value) {
    let (status, answer) = world.post_report(report).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("processed")), "{answer}");
}

/// A call whose conversation of this purpose is known. The simulator sends no report of it.
async fn talking(world: &World, purpose: &str) -> (Uuid, String) {
    world.faults(vec![Fault { report: ReportFate::None, ..dial_fault(purpose) }]);
    let call = world.ring("pbx-1", &world.known_caller(1).await).await;
    let state = if purpose == "agent" { "conversing" } else { "greeting" };
    world.in_state(call, state).await;
    let known = "select 1 from conversations where call = $1 and purpose = $2 and provider_id is not null";
    world.until_row("the conversation is known", known, &[&call, &purpose]).await;
    (call, world.conversation(call, purpose).await)
}

async fn shown(world: &World, call: Uuid, purpose: &str) -> (Value, Value) {
    let (status, answer) = world.get(&format!("/api/v1/calls/{call}")).await;
    assert_eq!(status, 200, "{answer}");
    let all = answer["conversations"].as_array().unwrap();
    let one = all.iter().find(|one| one["purpose"] == json!(purpose)).unwrap().clone();
    (answer, one)
}

async fn erase(world: &World, caller: &str) -> u16 {
    let path = format!("/api/v1/callers/{}?erase=true", caller.replace('+', "%2B"));
    let request = world.http.delete(format!("{}{path}", world.app.url())).bearer_auth(KEY);
    request.timeout(std::time::Duration::from_secs(30)).send().await.unwrap().status().as_u16()
}

/// How many rows of the tables of calls, conversations and webhooks have this text.
async fn places_with(world: &World, text: &str) -> i64 {
    let places = "select (select count(*) from call_log where call_log::text like $1)
        + (select count(*) from call_events where call_events::text like $1)
        + (select count(*) from conversations where conversations::text like $1)
        + (select count(*) from webhooks where encode(body, 'escape') like $1)
        + (select count(*) from unmatched_reports where unmatched_reports::text like $1)";
    world.count(places, &[&format!("%{text}%")]).await
}

#[actix::test]
async fn an_analysis_and_its_costs_are_stored_shown_and_erased() {
    let world = World::new().await;
    let (call, agent) = talking(&world, "agent").await;
    taken(&world, &report(&agent)).await;
    world.completed(call).await;
    let (whole, one) = shown(&world, call, "agent").await;
    assert_eq!(one["analysis"], analysis());
    assert_eq!((&one["cost_credits"], &one["cost_usd"]), (&json!(803), &json!(0.0625)), "{one}");
    assert_eq!(one["termination_reason"], "Call ended by remote party");
    assert_eq!(whole["transcript"], "agent: Good morning.");
    assert_eq!(whole["call_successful"], "success");
    let (_, list) = world.get("/api/v1/calls").await;
    assert_eq!(list["items"][0]["summary_title"], json!(format!("A question of {SECRET}")), "{list}");

    // A lesser report keeps it, and no event holds it outside of the column that erasure empties.
    let mut lesser = report(&agent);
    lesser["data"]["analysis"] = Value::Null;
    lesser["data"]["metadata"] = json!({});
    taken(&world, &lesser).await;
    assert_eq!(shown(&world, call, "agent").await.1["analysis"], analysis());
    let outside = "select count(*) from call_events where event::text like $1";
    assert_eq!(world.count(outside, &[&format!("%{SECRET}%")]).await, 0);
    assert!(places_with(&world, SECRET).await >= 3);

    let caller: String = world.released(call).await.get("caller_id");
    assert_eq!(erase(&world, &caller).await, 200);
    assert_eq!(places_with(&world, SECRET).await, 0);
    taken(&world, &report(&agent)).await;
    assert_eq!(places_with(&world, SECRET).await, 0, "a repeated report");
    assert_eq!(shown(&world, call, "agent").await.1["analysis"], Value::Null);
    world.is_sound().await;
    world.stop().await;
}

#[actix::test]
async fn an_analysis_that_follows_a_report_without_one_is_kept() {
    let world = World::new().await;
    let (call, agent) = talking(&world, "agent").await;
    let mut first = report(&agent);
    first["data"]["analysis"] = Value::Null;
    taken(&world, &first).await;
    world.completed(call).await;
    assert_eq!(shown(&world, call, "agent").await.1["analysis"], Value::Null);
    taken(&world, &report(&agent)).await;
    let (_, one) = shown(&world, call, "agent").await;
    assert_eq!((&one["analysis"], &one["cost_usd"]), (&analysis(), &json!(0.0625)));

    // RETENTION_DAYS of transcripts takes it as well, and leaves the costs.
    let tomorrow = At(clock::now().0 + 86_400_000_000);
    assert!(retention::drop_words(&world.app.engine().pool(), tomorrow).await.unwrap() > 0);
    let (whole, one) = shown(&world, call, "agent").await;
    assert_eq!((&one["analysis"], &one["cost_usd"]), (&Value::Null, &json!(0.0625)), "{one}");
    assert_eq!((&whole["summary_title"], &whole["transcript"]), (&Value::Null, &Value::Null));
    let left = "select count(*) from call_events where pii::text like $1";
    assert_eq!(world.count(left, &[&format!("%{SECRET}%")]).await, 0);
    world.stop().await;
}

#[actix::test]
async fn a_voicemail_box_is_its_own_cause_and_no_completed_call() {
    let world = World::new().await;
    let (call, agent) = talking(&world, "agent").await;
    let mut voicemail = report(&agent);
    voicemail["data"]["metadata"]["phone_call"] =
        json!({ "type": "sip_trunking", "call_result": "voicemail" });
    taken(&world, &voicemail).await;
    let row = world.released(call).await;
    let text = |column: &str| row.get::<_, Option<String>>(column).unwrap_or_default();
    assert_eq!(
        (text("cause"), text("blame"), text("status")),
        ("voicemail".into(), "caller".into(), "failed".into())
    );
    assert_eq!(text("transcript"), "agent: Good morning.", "what was said to the box");
    let (_, one) = shown(&world, call, "agent").await;
    assert_eq!((&one["answered"], &one["outcome"]), (&json!("voicemail"), &json!("failed")), "{one}");
    assert_eq!(one["analysis"], analysis());
    world.is_sound().await;
    world.stop().await;
}

#[actix::test]
async fn a_voicemail_test_is_stored_and_ends_a_call_that_only_greeted() {
    let world = World::with(Plan::default().conversation_ms(60_000)).await;
    let (call, greeting) = talking(&world, "greeting").await;
    let data = json!({ "agent_id": "agent_test", "conversation_id": greeting, "result": "machine_start",
        "note": SECRET });
    let test =
        json!({ "type": "answering_machine_detection", "event_timestamp": 1_764_000_000, "data": data });
    taken(&world, &test).await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "voicemail");
    let (_, one) = shown(&world, call, "greeting").await;
    assert_eq!((&one["machine_detection"], &one["reported_at"]), (&data, &Value::Null), "{one}");
    until("the webhook is kept", || async { places_with(&world, SECRET).await == 3 }).await;
    let dialled = "select count(*) from conversations where call = $1 and purpose = 'agent'";
    assert_eq!(world.count(dialled, &[&call]).await, 0, "no agent talks to the box");
    let caller: String = row.get("caller_id");
    assert_eq!(erase(&world, &caller).await, 200);
    assert_eq!(places_with(&world, SECRET).await, 0);
    world.stop().await;
}
