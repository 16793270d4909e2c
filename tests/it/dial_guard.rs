//! Numbers that must not be dialled: the webhook is answered, the call is stored, and ElevenLabs gets no request.

use precall_simulators::elevenlabs::Fault;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{CALLED, Plan, World, dial_fault, incoming};

/// Posts an `IncomingCall` that must be rejected; returns precall's id of it.
async fn rejected(world: &World, body: &Value, cause: &str) -> Uuid {
    let (status, answer) = world.post_3cx(body).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("rejected")), "{body} {answer}");
    let call: Uuid = answer["call_id"].as_str().unwrap().parse().unwrap();
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), cause, "{body}");
    assert_eq!(row.get::<_, String>("status"), "failed");
    assert_eq!(world.events(call).await, ["offered"]);
    call
}

#[actix::test]
async fn invalid_callback_numbers_are_refused_and_never_dialled() {
    let world = World::with(Plan::default().env("OWN_NUMBERS", "+12025550177")).await;
    world.execute("insert into lines (number) values ('+12025550178')", &[]).await;
    world.app.reload_lines().await;
    let table = [
        ("+19005551234", "dial_refused", "premium"),
        ("+18005551234", "dial_refused", "toll-free"),
        ("+881612345678", "dial_refused", "satellite"),
        ("911", "dial_refused", "emergency"),
        ("1234", "dial_refused", "an extension"),
        ("anonymous", "dial_refused", "withheld"),
        ("", "dial_refused", "none"),
        ("'; drop table call_log; --", "dial_refused", "nonsense"),
        ("+493022334455", "dial_refused", "another country"),
        ("+16475551234", "dial_refused", "another country with the same code"),
        (CALLED, "loop", "the called number"),
        ("2025550199", "loop", "the called number in national form"),
        ("+12025550177", "loop", "one of our own numbers"),
        ("+12025550178", "loop", "the number of a line"),
    ];
    for (n, (caller, cause, what)) in table.iter().enumerate() {
        let call = rejected(&world, &incoming(&format!("pbx-{n}"), caller), cause).await;
        assert_eq!(
            world.post_3cx(&incoming(&format!("pbx-{n}"), caller)).await.1["status"],
            "duplicate",
            "{what}"
        );
        let logged = "select count(*) from call_log where id = $1 and call_ended_at is not null";
        assert_eq!(world.count(logged, &[&call]).await, 1, "{what}");
    }
    let rows = i64::try_from(table.len()).unwrap();
    assert_eq!(world.count("select count(*) from call_log", &[]).await, rows);
    assert_eq!(world.asked(), Vec::<Value>::new(), "no request to the provider");
    world.stop().await;
}

#[actix::test]
async fn only_numbers_of_allowed_countries_are_dialled() {
    let world = World::with(Plan::default().env("CALLBACK_COUNTRIES", "DE,AT")).await;
    rejected(&world, &incoming("pbx-1", "+12025550101"), "dial_refused").await;
    world.ring("pbx-2", "+493022334455").await;
    world.stop().await;
}

fn called(id: &str, caller: &str, called: Option<&str>) -> Value {
    json!({ "event_type": "IncomingCall", "call_id": id, "caller_id": caller, "called_number": called })
}

#[actix::test]
async fn a_forged_called_number_opens_no_country_and_no_unknown_did_is_called_back() {
    let german = "+493022334455";
    let forged = [Some("+493012345678"), Some("+79161234567"), Some("801"), Some(""), None];
    let world = World::new().await;
    for (n, forged) in forged.iter().enumerate() {
        // Its country, and an unknown DID with a caller of the permitted country.
        for caller in [german, "+12025550101"] {
            let body = called(&format!("pbx-{n}-{caller}"), caller, *forged);
            rejected(&world, &body, "dial_refused").await;
        }
    }
    // A line makes its number known, and its country one to be called.
    world.execute("insert into lines (number) values ('+493012345678')", &[]).await;
    world.app.reload_lines().await;
    let (_, answer) = world.post_3cx(&called("pbx-line", german, forged[0])).await;
    assert_eq!(answer["status"], "accepted", "{answer}");
    world.stop().await;

    // Without numbers of its own precall cannot tell which number was called, and the country is still its own.
    let world = World::with(Plan::default().env("OWN_NUMBERS", "")).await;
    for (n, forged) in forged.iter().enumerate() {
        rejected(&world, &called(&format!("pbx-{n}"), german, *forged), "dial_refused").await;
    }
    let (_, answer) = world.post_3cx(&called("pbx-any", "+12025550101", forged[1])).await;
    assert_eq!(answer["status"], "accepted", "{answer}");
    world.stop().await;
}

#[actix::test]
async fn an_admitted_call_counts_once_before_and_after_a_restart() {
    let plan = || Plan::default().env("CALLBACK_LIMIT_PER_NUMBER_HOUR", "2");
    let world = World::with(plan()).await;
    let caller = world.known_caller(1).await;
    // ElevenLabs refuses both dials of the first call: it counts, and it counts once.
    let refused =
        |purpose| Fault { status: Some(422), body: Some(json!({"detail": "no"})), ..dial_fault(purpose) };
    world.faults(vec![refused("greeting"), refused("agent")]);
    let call = world.ring("pbx-1", &caller).await;
    world.released(call).await;
    assert_eq!(world.post_3cx(&incoming("pbx-1", &caller)).await.1["status"], "duplicate");
    world.faults(vec![]);
    let world = world.restart().await;
    let call = world.ring("pbx-2", &caller).await;
    world.completed(call).await;
    rejected(&world, &incoming("pbx-3", &caller), "dial_refused").await;
    let world = world.restart().await;
    rejected(&world, &incoming("pbx-4", &caller), "dial_refused").await;
    world.stop().await;
}

/// As if precall had died between the admission and the intent to dial.
const UNDIALLED: &str = "
    with a as (delete from call_events where call = $1 and seq > 1),
        b as (delete from conversations where call = $1),
        c as (delete from clone_failed_events where call = $1),
        d as (delete from clone_transfer_events where call = $1)
    update call_log set state = 'offered', status = 'initiated', cause = null, blame = null, told = null,
        call_ended_at = null, call_id = null, transcript = null, duration_seconds = null, voice_missing = null,
        last_seq = 1
    where id = $1";

#[actix::test]
async fn a_call_that_was_admitted_before_a_restart_and_is_dialled_after_it_counts() {
    let world = World::with(Plan::default().env("CALLBACK_LIMIT_PER_NUMBER_HOUR", "1")).await;
    let caller = "+12025550101";
    let call = world.ring("pbx-1", caller).await;
    world.completed(call).await;
    let world = world.restart_after(UNDIALLED, &[&call]).await;
    // It is live again, and dials.
    rejected(&world, &incoming("pbx-2", caller), "busy").await;
    let dialled = "select 1 from call_events where call = $1 and event ->> 'kind' = 'greeting_dialled'";
    world.until_row("the call goes on", dialled, &[&call]).await;
    assert_eq!(world.operate(&format!("/api/v1/calls/{call}/hangup")).await.0, 202);
    world.released(call).await;
    rejected(&world, &incoming("pbx-3", caller), "dial_refused").await;
    world.stop().await;
}

#[actix::test]
async fn a_number_is_dialled_three_times_an_hour_at_most_also_after_a_restart() {
    let world = World::with(Plan::default().env("CALLBACK_LIMIT_PER_NUMBER_HOUR", "2")).await;
    let caller = world.known_caller(1).await;
    for id in ["pbx-1", "pbx-2"] {
        let call = world.ring(id, &caller).await;
        world.completed(call).await;
    }
    rejected(&world, &incoming("pbx-3", &caller), "dial_refused").await;
    let world = world.restart().await;
    rejected(&world, &incoming("pbx-4", &caller), "dial_refused").await;
    let other = world.known_caller(2).await;
    let call = world.ring("pbx-5", &other).await;
    world.completed(call).await;
    assert_eq!(world.dials("greeting").len(), 3);
    world.stop().await;
}

#[actix::test]
async fn dials_per_hour_are_limited() {
    let world = World::with(Plan::default().env("CALLBACK_LIMIT_PER_HOUR", "1")).await;
    let first = world.known_caller(1).await;
    let call = world.ring("pbx-1", &first).await;
    world.completed(call).await;
    let second = world.known_caller(2).await;
    rejected(&world, &incoming("pbx-2", &second), "dial_refused").await;
    assert_eq!(world.dials("greeting").len(), 1);
    world.stop().await;
}

#[actix::test]
async fn concurrent_dials_are_limited_and_an_ended_call_frees_its_place() {
    let plan = Plan::default().env("CALLBACK_LIMIT_CONCURRENT", "1").conversation_ms(400);
    let world = World::with(plan).await;
    let (first, second) = (world.known_caller(1).await, world.known_caller(2).await);
    let call = world.ring("pbx-1", &first).await;
    rejected(&world, &incoming("pbx-2", &second), "dial_refused").await;
    world.completed(call).await;
    world
        .until("a call slot is free again", || async {
            let body = incoming(&Uuid::new_v4().to_string(), &second);
            world.post_3cx(&body).await.1["status"] == json!("accepted")
        })
        .await;
    world.stop().await;
}

#[actix::test]
async fn over_the_limit_of_live_calls_the_answer_is_503_and_nothing_is_stored() {
    let world = World::with(Plan::default().env("MAX_LIVE_CALLS", "1").conversation_ms(400)).await;
    let (first, second) = (world.known_caller(1).await, world.known_caller(2).await);
    let call = world.ring("pbx-1", &first).await;
    let (status, problem) = world.post_3cx(&incoming("pbx-2", &second)).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("at_capacity")), "{problem}");
    assert_eq!(
        world.post_3cx(&incoming("pbx-1", &first)).await.1["status"],
        "duplicate",
        "known calls are answered"
    );
    world.completed(call).await;
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 1);
    world
        .until("a call slot is free again", || async {
            world.post_3cx(&incoming("pbx-2", &second)).await.0 == 200
        })
        .await;
    world.stop().await;
}
