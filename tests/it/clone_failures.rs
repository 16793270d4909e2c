//! Failures of a clone: the caller still reaches the agent, in the cloned voice or in the fallback voice.

use precall_simulators::elevenlabs::Fault;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::live_bridge::dialogue;
use crate::support::{ADD, PbxPlan, PbxWorld, Plan, World, caller, fault, incoming};

const FALLBACK: &str = "voice_fallback";

/// Faults of ElevenLabs and the expected result.
struct Case {
    what: &'static str,
    faults: Vec<Fault>,
    uploads: usize,
    /// The reason for the missing clone; `None` if there is one.
    missing: Option<&'static str>,
}

fn refused(what: &'static str, status: u16, missing: &'static str) -> Case {
    let faults = vec![Fault { status: Some(status), ..fault(ADD) }];
    Case { what, faults, uploads: 1, missing: Some(missing) }
}

fn refused_with(what: &'static str, detail: Value, missing: &'static str) -> Case {
    let body = Some(json!({ "detail": detail }));
    let faults = vec![Fault { status: Some(400), body, ..fault(ADD) }];
    Case { what, faults, uploads: 1, missing: Some(missing) }
}

fn busy(times: Option<u32>) -> Fault {
    let headers = [("retry-after".to_owned(), "0".to_owned())].into();
    Fault { status: Some(429), headers, times, ..fault(ADD) }
}

fn cases() -> Vec<Case> {
    vec![
        refused("a wrong key", 401, "clone_failed"),
        refused("no credits", 402, "clone_failed"),
        refused("a plan without cloning", 403, "clone_failed"),
        refused("no such endpoint", 404, "clone_failed"),
        refused("a form that is refused", 422, "clone_failed"),
        refused_with(
            "no free slot",
            json!({ "status": "voice_limit_reached", "message": "30 / 30" }),
            "no_slot",
        ),
        refused_with(
            "a sample that cannot be played",
            json!({ "code": "invalid_content", "message": "corrupted" }),
            "sample_refused",
        ),
        Case { what: "busy once", faults: vec![busy(Some(1))], uploads: 2, missing: None },
        Case { what: "busy for ever", faults: vec![busy(None)], uploads: 6, missing: Some("clone_failed") },
        Case {
            what: "500 before a voice was made",
            faults: vec![Fault { status: Some(500), times: Some(1), ..fault(ADD) }],
            uploads: 2,
            missing: None,
        },
        Case {
            what: "the answer is lost after the voice was made",
            faults: vec![Fault { after: true, close: true, ..fault(ADD) }],
            uploads: 1,
            missing: None,
        },
        Case {
            what: "500 after the voice was made",
            faults: vec![Fault { after: true, status: Some(500), ..fault(ADD) }],
            uploads: 1,
            missing: None,
        },
        Case {
            what: "an answer that is cut off after the voice was made",
            faults: vec![Fault { after: true, body: Some(json!("{\"voice_id\": \"v")), ..fault(ADD) }],
            uploads: 1,
            missing: None,
        },
        Case {
            what: "a slow body",
            faults: vec![Fault { slow_body_ms: 300, ..fault(ADD) }],
            uploads: 1,
            missing: None,
        },
    ]
}

#[actix::test]
async fn a_call_completes_whatever_the_provider_answers_to_the_clone() {
    let world = World::with(Plan::default().conversation_ms(40).clone_delay_ms("5")).await;
    for (n, case) in (1..).zip(cases()) {
        let caller = world.known_caller(n).await;
        let before = world.uploads();
        world.faults(case.faults);
        let call = world.ring(&format!("pbx-{n}"), &caller).await;
        spoken_as_due(&world, call, &caller, case.what, case.missing).await;
        assert_eq!(world.uploads() - before, case.uploads, "{}", case.what);
        clone_is_logged(&world, &caller, case.what, case.missing).await;
    }
    world.stop().await;
}

/// Checks that the call completed in the expected voice, and its rows.
async fn spoken_as_due(world: &World, call: Uuid, caller: &str, what: &str, missing: Option<&str>) {
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, Option<String>>("voice_missing").as_deref(), missing, "{what}");
    let cloned: Option<String> = row.get("cloned_voice_id");
    assert_eq!(cloned.is_some(), missing.is_none(), "{what}");
    let agents = dials_of(world, call);
    assert_eq!(agents.len(), 1, "{what}: one agent call");
    let voice = voice_of(&agents[0]);
    assert_eq!(voice, json!(cloned.as_deref().unwrap_or(FALLBACK)), "{what}");
    let reasons = "select coalesce(min(reason), 'none') || count(*)::text from clone_failed_events
        where call = $1 and caller_id = $2";
    let reasons: String = world.client.query_one(reasons, &[&call, &caller]).await.unwrap().get(0);
    let expected = missing.map_or("none0".to_owned(), |why| format!("{why}1"));
    assert_eq!(reasons, expected, "{what}: clone_failed_events");
    let ready = world.count("select count(*) from clone_ready_events where call = $1", &[&call]).await;
    assert_eq!(ready, i64::from(missing.is_none()), "{what}: clone_ready_events");
}

/// Checks that the one clone job has one row with its reason.
async fn clone_is_logged(world: &World, caller: &str, what: &str, missing: Option<&str>) {
    let statement = "select status, reason, error_message from voice_clone_log where caller_id = $1";
    let rows = world.client.query(statement, &[&caller]).await.unwrap();
    assert_eq!(rows.len(), 1, "{what}: voice_clone_log");
    let status = if missing.is_none() { "success" } else { "failed" };
    assert_eq!(rows[0].get::<_, String>(0), status, "{what}");
    assert_eq!(rows[0].get::<_, Option<String>>(1).as_deref(), missing, "{what}");
    let message: Option<String> = rows[0].get(2);
    assert_eq!(message.is_some(), missing.is_some(), "{what}");
    let message = message.unwrap_or_default();
    assert!(!message.contains(&caller[1..]) && !message.contains("test-key"), "{what}: {message}");
}

fn dials_of(world: &World, call: Uuid) -> Vec<Value> {
    let of_call =
        |r: &Value| r["body"]["conversation_initiation_client_data"]["user_id"] == json!(call.to_string());
    world.dials("agent").into_iter().filter(of_call).collect()
}

fn voice_of(dial: &Value) -> Value {
    dial["body"]["conversation_initiation_client_data"]["conversation_config_override"]["tts"]["voice_id"]
        .clone()
}

#[actix::test]
async fn after_a_lost_clone_answer_the_voice_is_looked_up_and_not_uploaded_again() {
    let world = World::new().await;
    // Without an answer the upload may still be running.
    world.faults(vec![Fault { close: true, ..fault(ADD) }]);
    let mut calls = Vec::new();
    for n in 1..=3 {
        let caller = world.known_caller(n).await;
        calls.push((world.ring(&format!("pbx-{n}"), &caller).await, caller));
    }
    for (call, caller) in calls {
        spoken_as_due(&world, call, &caller, "an answer that says nothing", Some("clone_failed")).await;
        clone_is_logged(&world, &caller, "an answer that says nothing", Some("clone_failed")).await;
    }
    assert_eq!(world.uploads(), 3, "one a call");
    let searches = world.requests("/v2/voices");
    assert_eq!(searches.len(), 9, "three searches for each");
    assert!(searches.iter().all(|r| r["query"].as_str().unwrap().contains("search=precall-test-")));
    world.stop().await;
}

#[actix::test]
async fn a_voice_that_requires_verification_is_deleted_and_never_used() {
    let world = World::new().await;
    let answer = json!({ "voice_id": "voice_protected", "requires_verification": true });
    world.faults(vec![Fault { body: Some(answer), ..fault(ADD) }]);
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    spoken_as_due(&world, call, &caller, "a protected voice", Some("clone_failed")).await;
    clone_is_logged(&world, &caller, "a protected voice", Some("clone_failed")).await;
    let deleted = world.requests("/v1/voices/voice_protected");
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0]["method"], "DELETE");
    assert_eq!(world.count("select count(*) from voice_clone_cache", &[]).await, 0);
    world.stop().await;
}

#[actix::test]
async fn with_an_unreachable_provider_the_call_ends_and_is_stored() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let world = World::with(Plan::default().env("ELEVENLABS_API_BASE", &address)).await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "handoff_failed");
    assert_eq!(row.get::<_, String>("blame"), "provider");
    assert_eq!(row.get::<_, String>("status"), "failed");
    clone_is_logged(&world, &caller, "nobody there", Some("clone_failed")).await;
    let refused = "select count(*) from conversations where call = $1 and dial = 'refused'";
    assert_eq!(world.count(refused, &[&call]).await, 2, "greeting and agent were certainly not dialled");
    let (status, health) = world.get("/health").await;
    assert_eq!((status, health["status"].as_str()), (200, Some("degraded")), "{health}");
    assert_eq!(health["elevenlabs"], "error");
    world.stop().await;
}

#[actix::test]
async fn a_voice_that_is_late_is_used_for_the_next_call() {
    let plans = [
        ("the job's deadline", Plan::default().env("VOICE_CLONE_TIMEOUT", "1").clone_delay_ms("2500"), None),
        (
            "the call's patience",
            Plan::default().env("CLONE_MAX_WAIT_SECONDS", "1").clone_delay_ms("2500"),
            None,
        ),
        (
            "a hold that is over",
            Plan::default().env("VOICE_WAIT", "start").env("MAX_HOLD_SECONDS", "1").clone_delay_ms("3000"),
            None,
        ),
        (
            "a body that drips past the deadline",
            Plan::default().env("VOICE_CLONE_TIMEOUT", "1"),
            Some(Fault { slow_body_ms: 2_500, ..fault(ADD) }),
        ),
    ];
    futures_util::future::join_all(plans.map(|(what, plan, fault)| late_voice(what, plan, fault))).await;
}

async fn late_voice(what: &str, plan: Plan, fault: Option<Fault>) {
    let world = World::with(plan).await;
    world.faults(fault.into_iter().collect());
    let caller = world.known_caller(1).await;
    let first = world.ring("pbx-1", &caller).await;
    spoken_as_due(&world, first, &caller, what, Some("clone_timeout")).await;
    let cached = "select cloned_voice_id from voice_clone_cache where caller_id = $1 and deleted_at is null";
    let voice: String = world.until_row("the late voice is cached", cached, &[&caller]).await.get(0);
    clone_is_logged(&world, &caller, what, None).await;
    let (_, answer) = world.post_3cx(&incoming("pbx-2", &caller)).await;
    assert_eq!(answer["cloned_voice_id"], json!(voice), "{what}: {answer}");
    let second = answer["call_id"].as_str().unwrap().parse().unwrap();
    spoken_as_due(&world, second, &caller, what, None).await;
    assert_eq!(voice_of(&dials_of(&world, second)[0]), json!(voice), "{what}");
    assert_eq!(world.uploads(), 1, "{what}");
    let uses = "select reuse_count::bigint from voice_clone_cache where caller_id = $1";
    assert_eq!(world.count(uses, &[&caller]).await, 1, "{what}: one call used the voice");
    world.stop().await;
}

#[actix::test]
async fn without_a_usable_sample_nothing_is_uploaded() {
    let world = World::new().await;
    let silent = world.known_caller(1).await;
    std::fs::remove_file(world.sample(1)).unwrap();
    let garbled = world.known_caller(2).await;
    std::fs::write(world.sample(2), "this is a letter, not a voice").unwrap();
    let outside = world.known_caller(3).await;
    let leave =
        "update caller_voice_mapping set voice_sample_url = '../../etc/hostname' where caller_id = $1";
    world.execute(leave, &[&outside]).await;
    for (n, caller, what) in
        [(1, silent, "missing file"), (2, garbled, "no audio"), (3, outside, "another file of the machine")]
    {
        let call = world.ring(&format!("pbx-{n}"), &caller).await;
        spoken_as_due(&world, call, &caller, what, Some("sample_refused")).await;
        clone_is_logged(&world, &caller, what, Some("sample_refused")).await;
    }
    assert_eq!(world.uploads(), 0);
    world.stop().await;
}

#[actix::test]
async fn without_mapping_or_consent_nothing_is_uploaded() {
    let world = World::new().await;
    let unmapped = caller(1);
    let unasked = world.mapped_caller(2).await;
    let withdrawn = world.mapped_caller(3).await;
    let speaker = world.consent(&withdrawn, &world.sample(3)).await;
    world.withdraw_unseen(speaker).await;
    let unmapped_since = world.known_caller(4).await;
    world
        .execute(
            "update caller_voice_mapping set deleted_at = now() where caller_id = $1",
            &[&unmapped_since],
        )
        .await;
    for (n, caller, why) in [
        (1, unmapped, "no_mapping"),
        (2, unasked, "no_consent"),
        (3, withdrawn, "no_consent"),
        (4, unmapped_since, "no_mapping"),
    ] {
        let call = world.ring(&format!("pbx-{n}"), &caller).await;
        spoken_as_due(&world, call, &caller, why, Some(why)).await;
    }
    assert_eq!(world.uploads(), 0);
    assert_eq!(world.count("select count(*) from voice_clone_log", &[]).await, 0, "no job, so no row");
    world.stop().await;
}

#[actix::test]
async fn a_cached_voice_is_not_used_after_its_consent_is_withdrawn() {
    let world = World::new().await;
    let caller = world.mapped_caller(1).await;
    let speaker = world.consent(&caller, &world.sample(1)).await;
    let first = world.ring("pbx-1", &caller).await;
    spoken_as_due(&world, first, &caller, "agreed", None).await;
    world.withdraw_unseen(speaker).await;
    let second = world.ring("pbx-2", &caller).await;
    spoken_as_due(&world, second, &caller, "withdrawn", Some("no_consent")).await;
    world.stop().await;
}

#[actix::test]
async fn consents_can_be_switched_off() {
    let world = World::with(Plan::default().env("CONSENT_REQUIRED", "false")).await;
    let caller = world.mapped_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    spoken_as_due(&world, call, &caller, "consents are switched off", None).await;
    world.stop().await;
}

#[actix::test]
async fn two_calls_of_one_caller_share_one_clone() {
    // Two legs: a telephone that is being called back is not dialled twice.
    let world = PbxWorld::with(PbxPlan::default().bridge(dialogue()).clone_delay_ms("600")).await;
    let caller = world.known_caller(1).await;
    let legs = [world.rings(&caller), world.rings(&caller)];
    for leg in legs {
        let call = world.call_of(&leg).await;
        world.released(call).await;
    }
    assert_eq!(world.uploads(), 1);
    let ready =
        "select count(distinct cloned_voice_id) * 10 + count(*) from clone_ready_events where caller_id = $1";
    assert_eq!(world.count(ready, &[&caller]).await, 12, "one voice for two calls");
    let uses = "select reuse_count::bigint from voice_clone_cache where caller_id = $1";
    assert_eq!(world.count(uses, &[&caller]).await, 2);
    world.stop().await;
}
