//! PostgreSQL or the service stops and returns. No acknowledged event is lost.

use std::collections::BTreeSet;

use precall::app::Application;
use precall_actors::durability::leadership::EngineRole;
use precall_actors::runtime::fault_injection::Faults;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::cluster::Cluster;
use crate::support::{Plan, World, caller, empty_database, ended, incoming, pause, start_app, until};

/// Checks for status 503 with a `Retry-After` header.
async fn is_turned_away(world: &World, body: &Value) -> String {
    let text = body.to_string();
    let now = precall_base::clock::now();
    let secret = crate::support::SECRET.as_bytes();
    let (name, value) =
        precall::signature::sign(precall::signature::Kind::ThreeCx, secret, text.as_bytes(), now);
    let request = world.http.post(format!("{}/webhook/3cx", world.app.url())).insert_header((name, value));
    let mut answer = request.send_body(text).await.unwrap();
    assert_eq!(answer.status().as_u16(), 503, "{body}");
    assert!(answer.headers().contains_key("retry-after"), "{body}");
    let problem: Value = serde_json::from_slice(&answer.body().await.unwrap()).unwrap();
    problem["code"].as_str().unwrap().to_owned()
}

async fn says_it_is_down(world: &World) {
    let (status, health) = world.get("/health").await;
    assert_eq!((status, health["status"].as_str()), (503, Some("error")), "{health}");
    assert_eq!(health["database"], "connecting", "{health}");
    assert_eq!(world.get("/health/live").await.0, 200, "a restart would not help");
    assert_eq!(world.get("/health/ready").await.0, 503);
}

/// Calls are spooled.
async fn says_it_spools(world: &World) {
    until("the outage was detected", || async { world.get("/health").await.1["database"] == "error" }).await;
    until("events wait", || async { world.get("/health").await.1["spooled_bytes"].as_u64() > Some(0) }).await;
    let (status, health) = world.get("/health").await;
    let problem = &health["problems"][0];
    assert_eq!((&problem["area"], problem["since"].is_string()), (&"storage".into(), true), "{health}");
    assert_eq!((status, health["status"].as_str()), (200, Some("degraded")), "{health}");
    assert_eq!(health["spool"], "waiting", "{health}");
    assert_eq!(world.get("/health/ready").await.0, 200);
}

async fn is_direct_again(world: &World) {
    until("everything is in the database", || async { world.get("/health").await.1["spool"] == "ok" }).await;
}

async fn accepted(world: &World, body: &Value) -> Uuid {
    let (status, answer) = world.post_3cx(body).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("accepted")), "{answer}");
    answer["call_id"].as_str().unwrap().parse().unwrap()
}

#[actix::test]
async fn precall_waits_for_a_database_that_is_down_at_start() {
    let mut cluster = Cluster::new().await;
    let mut world = World::at(cluster.url("postgres"), Plan::default()).await;
    world.url = cluster.url("tomorrow");
    cluster.stop().await;
    world = world.restart_unreached().await;
    says_it_is_down(&world).await;
    let body = incoming("pbx-1", &caller(1));
    assert_eq!(is_turned_away(&world, &body).await, "cannot_keep");
    assert_eq!(is_turned_away(&world, &ended("pbx-1")).await, "cannot_keep");
    let (status, _) = world.post_report(&json!({ "call_id": "conv_1", "status": "completed" })).await;
    assert_eq!(status, 503);
    assert_eq!(world.get("/api/v1/calls").await.0, 503);
    assert_eq!(world.asked(), Vec::<Value>::new(), "nothing was dialled");

    cluster.start().await;
    says_it_is_down(&world).await;
    let admin = crate::support::connect_to(&cluster.url("postgres")).await;
    admin.batch_execute("create database tomorrow").await.unwrap();
    world.ready().await;
    world.reconnect().await;
    assert_eq!(world.get("/health").await.0, 200);
    let call = world.ring("pbx-1", &caller(1)).await;
    world.completed(call).await;
    world.stop().await;
}

#[actix::test]
async fn a_database_outage_ends_no_call_and_refuses_none() {
    let mut cluster = Cluster::new().await;
    let mut world = World::at(cluster.url("postgres"), Plan::default().conversation_ms(900)).await;
    let (early, late) = (world.known_caller(1).await, world.known_caller(2).await);
    let before = world.ring("pbx-1", &early).await;
    world.conversation(before, "greeting").await;
    cluster.stop().await;

    let during = accepted(&world, &incoming("pbx-2", &late)).await;
    assert_eq!(world.post_3cx(&incoming("pbx-2", &late)).await.1["status"], "duplicate");
    says_it_spools(&world).await;
    // Call ends and their calls, in both orders.
    assert_eq!(world.post_3cx(&ended("pbx-4")).await.0, 200);
    let absorbed = world.post_3cx(&incoming("pbx-4", &caller(4))).await;
    assert_eq!((absorbed.0, absorbed.1["status"].as_str()), (200, Some("ended")), "{}", absorbed.1);
    assert_eq!(world.post_3cx(&ended("pbx-5")).await.1["status"], "ended");
    // Intents are durable, so dials are made. The caller's number is known, but not their voice.
    until("both are handed over", || async { world.dials("agent").len() == 2 }).await;
    until("both calls have ended", || async { world.get("/api/v1/live").await.1["items"] == json!([]) })
        .await;
    assert_eq!(world.get("/api/v1/calls").await.0, 503, "stored calls cannot be read");

    cluster.start().await;
    world.reconnect().await;
    is_direct_again(&world).await;
    // The check of the database looks again within seconds.
    until("health is ok", || async { world.get("/health").await.1["status"] == "ok" }).await;
    for call in [before, during] {
        world.completed(call).await;
    }
    assert_eq!(world.dials("greeting").len(), 2);
    assert_eq!(world.dials("agent").len(), 2);
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 3);
    let kept = world.count("select count(*) from early_ends where threecx_call_id = 'pbx-5'", &[]).await;
    assert_eq!(kept, 1);
    assert_eq!(
        world.count("select count(*) from early_ends", &[]).await,
        1,
        "the other end was matched to its call"
    );
    let missing: String = world
        .client
        .query_one("select voice_missing from call_log where id = $1", &[&during])
        .await
        .unwrap()
        .get(0);
    assert_eq!(missing, "database_unreachable", "the voice could not be looked up");
    world.stop().await;
}

#[actix::test]
async fn calls_acknowledged_during_an_outage_survive_a_restart_during_it() {
    let mut cluster = Cluster::new().await;
    let mut world = World::at(cluster.url("postgres"), Plan::default().conversation_ms(60_000)).await;
    let before = world.ring("pbx-1", &caller(1)).await;
    world.conversation(before, "greeting").await;
    cluster.stop().await;
    let during = accepted(&world, &incoming("pbx-2", &caller(2))).await;
    until("the call is greeted", || async { world.dials("greeting").len() == 2 }).await;
    world = world.restart_unreached().await;
    says_it_is_down(&world).await;
    assert_eq!(is_turned_away(&world, &incoming("pbx-2", &caller(2))).await, "cannot_keep");
    cluster.start().await;
    world.ready().await;
    world.reconnect().await;
    let (status, answer) = world.post_3cx(&incoming("pbx-2", &caller(2))).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("duplicate")), "{answer}");
    assert_eq!(answer["call_id"], during.to_string());
    for call in [before, during] {
        until("the call is resumed", || async {
            let sql = "select count(*) from call_events where call = $1 and event ->> 'kind' = 'resumed'";
            world.count(sql, &[&call]).await == 1
        })
        .await;
    }
    assert_eq!(world.dials("greeting").len(), 2, "nothing is dialled again");
    until("no imported file is left", || async { files_left(&world).is_empty() }).await;
    world.stop().await;
}

fn files_left(world: &World) -> Vec<String> {
    let directories = std::fs::read_dir(world.spool()).unwrap().map(|entry| entry.unwrap().path());
    // Next to the folders, a file records which database this is.
    let files =
        directories.filter(|path| path.is_dir()).flat_map(|directory| std::fs::read_dir(directory).unwrap());
    let names = files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name != "lock" && name != "database").collect()
}

#[actix::test]
async fn with_neither_database_nor_spool_nothing_is_acknowledged() {
    let mut cluster = Cluster::new().await;
    let mut world = World::at(cluster.url("postgres"), Plan::default()).await;
    std::fs::remove_dir_all(world.spool()).unwrap();
    assert_eq!(world.get("/health/ready").await.0, 200, "the database is enough");
    cluster.stop().await;
    // The first request runs into the timeout: the outage is not known yet.
    assert_eq!(is_turned_away(&world, &incoming("pbx-1", &caller(1))).await, "not_in_time");
    until("the outage was detected", || async { world.get("/health").await.1["spool"] == "error" }).await;
    let (status, health) = world.get("/health").await;
    assert!(health["problems"].to_string().contains("spool: "), "{health}");
    assert_eq!((status, health["status"].as_str()), (503, Some("error")), "{health}");
    let (status, verdict) = world.get("/health/ready").await;
    assert_eq!(status, 503);
    assert_eq!(verdict["reason"], "the database cannot be reached, and the spool cannot be written");
    for body in [incoming("pbx-2", &caller(2)), ended("pbx-1"), ended("pbx-9")] {
        assert_eq!(is_turned_away(&world, &body).await, "cannot_keep");
    }
    let (status, _) = world.post_report(&json!({ "call_id": "conv_1", "status": "completed" })).await;
    assert_eq!(status, 503);
    assert_eq!(world.dials("greeting").len(), 0, "nothing is dialled without a durable event");

    cluster.start().await;
    world.ready().await;
    world.reconnect().await;
    let (status, answer) = world.post_3cx(&incoming("pbx-1", &caller(1))).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("duplicate")), "{answer}");
    world.completed(answer["call_id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(world.dials("greeting").len(), 1);
    world.stop().await;
}

#[actix::test]
async fn every_call_acknowledged_around_an_outage_is_stored_once() {
    let mut cluster = Cluster::new().await;
    let mut world = World::at(cluster.url("postgres"), Plan::default().conversation_ms(100)).await;
    let mut acknowledged = BTreeSet::new();
    for n in 0..24 {
        match n {
            8 => cluster.stop().await,
            12 => cluster.start().await,
            _ => {}
        }
        let (status, answer) = world.post_3cx(&incoming(&format!("pbx-{n}"), &caller(n))).await;
        assert!(matches!(status, 200 | 503), "{status} {answer}");
        if status == 200 {
            acknowledged.insert(answer["call_id"].as_str().unwrap().to_owned());
        }
        pause().await;
    }
    world.ready().await;
    world.reconnect().await;
    // The refused requests are repeated.
    for n in 0..24 {
        let (status, answer) = world.post_3cx(&incoming(&format!("pbx-{n}"), &caller(n))).await;
        assert_eq!(status, 200, "{answer}");
        acknowledged.insert(answer["call_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(acknowledged.len(), 24, "one call each, despite the retries");
    for call in &acknowledged {
        world.completed(call.parse().unwrap()).await;
    }
    assert_eq!(world.dials("greeting").len(), 24);
    assert_eq!(world.dials("agent").len(), 24);
    world.stop().await;
}

#[actix::test]
async fn when_the_database_is_slow_events_are_spooled_and_acknowledged() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let mut blocking = crate::support::connect_to(&world.url).await;
    let lock = blocking.transaction().await.unwrap();
    lock.batch_execute("lock table call_events in access exclusive mode").await.unwrap();
    let call = accepted(&world, &incoming("pbx-1", &caller)).await;
    until("the call is greeted", || async { world.dials("greeting").len() == 1 }).await;
    lock.rollback().await.unwrap();
    world.completed(call).await;
    is_direct_again(&world).await;
    assert_eq!(world.dials("greeting").len(), 1);
    world.stop().await;
}

#[actix::test]
async fn without_a_spool_slow_writes_are_not_acknowledged_and_nothing_is_dialled() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    std::fs::remove_dir_all(world.spool()).unwrap();
    let mut blocking = crate::support::connect_to(&world.url).await;
    let lock = blocking.transaction().await.unwrap();
    lock.batch_execute("lock table call_events in access exclusive mode").await.unwrap();
    let body = incoming("pbx-1", &caller);
    assert_eq!(is_turned_away(&world, &body).await, "not_in_time");
    assert_eq!(world.dials("greeting").len(), 0, "the intent is not durable");
    lock.rollback().await.unwrap();
    let (status, answer) = world.post_3cx(&body).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("duplicate")), "{answer}");
    world.completed(answer["call_id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(world.dials("greeting").len(), 1);
    world.stop().await;
}

#[actix::test]
async fn of_three_processes_on_an_empty_database_one_leads_and_another_takes_over() {
    let url = empty_database("met_by_three").await;
    let samples = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let start = || start_app(&url, "http://127.0.0.1:9", samples.path(), &[], &faults);
    let mut apps = futures_util::future::join_all([start(), start(), start()]).await;
    let acts = |app: &Application| matches!(app.engine().health().role, EngineRole::Acting(_));
    for generations in 1..=3 {
        until("one process is the leader, the others are standby", || async {
            let role = |app: &Application| app.engine().health().role;
            apps.iter().filter(|app| acts(app)).count() == 1
                && apps.iter().all(|app| acts(app) || role(app) == EngineRole::Standby)
        })
        .await;
        let acting = apps.remove(apps.iter().position(acts).unwrap());
        until("the leader accepts calls", || async { acting.engine().health().database == Some(true) }).await;
        let client = crate::support::connect_to(&url).await;
        let row = client
            .query_one("select generation, (select count(*) from refinery_schema_history) from engine", &[])
            .await
            .unwrap();
        let files = std::fs::read_dir("sql").unwrap().filter(|file| {
            file.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "sql")
        });
        assert_eq!(row.get::<_, i64>(1), i64::try_from(files.count()).unwrap());
        assert_eq!(
            acting.engine().health().role,
            EngineRole::Acting(u64::try_from(row.get::<_, i64>(0)).unwrap())
        );
        assert_eq!(row.get::<_, i64>(0), generations, "each leader has its own generation");
        acting.stop_now().await;
    }
}

#[actix::test]
async fn after_a_database_restart_the_same_engine_keeps_its_calls() {
    let mut cluster = Cluster::new().await;
    let mut world = World::at(cluster.url("postgres"), Plan::default().conversation_ms(900)).await;
    let samples = tempfile::tempdir().unwrap();
    let standby = start_app(&world.url, "http://127.0.0.1:9", samples.path(), &[], &Faults::default()).await;
    let stands_by = || async { standby.engine().health().role == EngineRole::Standby };
    until("the other process is standby", stands_by).await;
    let call = world.ring("pbx-1", &caller(1)).await;
    cluster.stop().await;
    says_it_spools(&world).await;
    cluster.start().await;
    world.reconnect().await;
    is_direct_again(&world).await;
    world.completed(call).await;
    // The leader takes the lock again before the standby can.
    until("the lock is held again", || async {
        precall_store::leader::engine_lock::EngineLock::is_held(&world.client).await.unwrap()
    })
    .await;
    assert!(stands_by().await);
    until("health is ok", || async { world.get("/health").await.1["status"] == "ok" }).await;
    standby.stop_now().await;
    world.stop().await;
}

#[actix::test]
async fn a_report_of_an_ended_call_is_applied_when_the_database_returns() {
    let mut cluster = Cluster::new().await;
    let plan = Plan::default().env("POSTCALL_WAIT_SECONDS", "1");
    let mut world = World::at(cluster.url("postgres"), plan).await;
    let call = world.ring("pbx-1", &caller(1)).await;
    world.completed(call).await;
    let conversation = world.conversation(call, "agent").await;
    cluster.stop().await;
    until("the outage was detected", || async { world.get("/health").await.1["database"] == "error" }).await;
    let says_why = || async {
        world.get("/health").await.1["problems"].to_string().contains("PostgreSQL is not running")
    };
    until("health says why", says_why).await;
    let report = json!({
        "type": "post_call_transcription", "event_timestamp": 1_764_000_000,
        "data": {
            "agent_id": "agent_test", "conversation_id": conversation, "status": "done", "user_id": call.to_string(),
            "transcript": [{ "role": "user", "message": "Late." }], "metadata": { "call_duration_secs": 3 },
        }
    });
    assert_eq!(world.post_report(&report).await.0, 200);
    cluster.start().await;
    world.reconnect().await;
    let kept = "select count(*) from webhooks where provider_id = $1 and outcome = 'kept'";
    until("the event is in the database", || async { world.count(kept, &[&conversation]).await == 1 }).await;
    let waiting = "select count(*) from unmatched_reports";
    until("the end was matched to its call", || async { world.count(waiting, &[]).await == 0 }).await;
    world.stop().await;
}

#[actix::test]
async fn a_report_of_an_ended_call_is_applied_while_its_log_is_in_the_spool() {
    let mut cluster = Cluster::new().await;
    let mut world = World::at(cluster.url("postgres"), Plan::default()).await;
    cluster.stop().await;
    let call = accepted(&world, &incoming("pbx-1", &caller(1))).await;
    until("the call is handed over", || async { world.dials("agent").len() == 1 }).await;
    until("the call is over", || async { world.get("/api/v1/live").await.1["items"] == json!([]) }).await;
    let (status, answer) = world.post_3cx(&ended("pbx-1")).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("ended")), "{answer}");
    assert_eq!(answer["call_id"], call.to_string());
    cluster.start().await;
    world.reconnect().await;
    is_direct_again(&world).await;
    world.completed(call).await;
    let kinds = world.events(call).await;
    assert_eq!(kinds.last().map(String::as_str), Some("pbx_call_ended"), "{kinds:?}");
    assert_eq!(world.count("select count(*) from quarantined_events", &[]).await, 0);
    world.stop().await;
}
