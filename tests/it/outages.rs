//! PostgreSQL goes and comes back, at the start and in the middle; the service too. Nothing that was promised is lost.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use precall::app::Application;
use precall::embedded_postgres::{DataDir, Durability, EmbeddedPostgres, Install, Options};
use precall_actors::faults::Faults;
use precall_actors::standing::Standing;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{Plan, World, caller, empty_database, ended, incoming, pause, start_app, until};

/// A cluster of this test's own, which can be stopped and started.
struct Cluster {
    dir: TempDir,
    postgres: Option<EmbeddedPostgres>,
}

impl Cluster {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Another account must be able to enter, should root run the tests.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut cluster = Self { dir, postgres: None };
        cluster.start().await;
        cluster
    }

    async fn start(&mut self) {
        let data = DataDir::At(self.dir.path().join("data"));
        let options = Options::new(data, Durability::NoFsync, Install::IfMissing);
        let started = tokio::task::spawn_blocking(move || EmbeddedPostgres::start(&options));
        self.postgres = Some(started.await.unwrap().unwrap());
    }

    async fn stop(&mut self) {
        let postgres = self.postgres.take().unwrap();
        tokio::task::spawn_blocking(|| postgres.stop()).await.unwrap();
    }

    fn url(&self, database: &str) -> String {
        self.postgres.as_ref().unwrap().url(database)
    }
}

/// Says 503, and when to come back.
async fn is_turned_away(world: &World, body: &Value) -> String {
    let text = body.to_string();
    let now = precall_actors::clock::now();
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

async fn says_it_is_down(world: &World, database: &str) {
    let (status, health) = world.get("/health").await;
    assert_eq!((status, health["status"].as_str()), (503, Some("error")), "{health}");
    assert_eq!(health["database"], database, "{health}");
    assert_eq!(world.get("/health/live").await.0, 200, "a restart would mend nothing");
    assert_eq!(world.get("/health/ready").await.0, 503);
}

#[actix::test]
async fn a_database_that_is_away_at_the_start_is_waited_for() {
    let mut cluster = Cluster::new().await;
    let mut world = World::at(cluster.url("postgres"), Plan::default()).await;
    world.url = cluster.url("tomorrow");
    cluster.stop().await;
    world = world.restart_unreached().await;
    says_it_is_down(&world, "connecting").await;
    let body = incoming("pbx-1", &caller(1));
    assert_eq!(is_turned_away(&world, &body).await, "cannot_keep");
    assert_eq!(is_turned_away(&world, &ended("pbx-1")).await, "cannot_keep");
    let (status, _) = world.post_report(&json!({ "call_id": "conv_1", "status": "completed" })).await;
    assert_eq!(status, 503);
    assert_eq!(world.get("/api/v1/calls").await.0, 503);
    assert_eq!(world.simulator.requests(), Vec::<Value>::new(), "nobody is rung");

    cluster.start().await;
    says_it_is_down(&world, "connecting").await;
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
async fn a_database_that_goes_away_takes_no_call_with_it() {
    let mut cluster = Cluster::new().await;
    let mut world = World::at(cluster.url("postgres"), Plan::default().conversation_ms(900)).await;
    let (early, late) = (world.known_caller(1).await, world.known_caller(2).await);
    let greeting = world.ring("pbx-1", &early).await;
    world.conversation(greeting, "greeting").await;
    cluster.stop().await;

    // The first to come may find it out, and is told so when its patience is over.
    let code = is_turned_away(&world, &incoming("pbx-2", &late)).await;
    assert!(["not_in_time", "cannot_keep"].contains(&code.as_str()), "{code}");
    until("it was noticed", || async { world.get("/health").await.1["database"] == "error" }).await;
    says_it_is_down(&world, "error").await;
    assert_eq!(is_turned_away(&world, &incoming("pbx-3", &caller(3))).await, "cannot_keep");
    assert_eq!(is_turned_away(&world, &ended("pbx-1")).await, "cannot_keep");
    let refused = || world.simulator.webhooks().iter().any(|post| post["status"] == json!(503));
    until("the greeting's report was turned away", || async { refused() }).await;
    let (status, problem) = world.get("/api/v1/calls").await;
    assert_eq!(status, 503, "{problem}");
    assert_eq!(world.dials("agent").len(), 0, "what cannot be written down is not done");

    cluster.start().await;
    world.reconnect().await;
    world.ready().await;
    world.completed(greeting).await;
    let (status, answer) = world.post_3cx(&incoming("pbx-2", &late)).await;
    assert_eq!(status, 200, "{answer}");
    let second: Uuid = answer["call_id"].as_str().unwrap().parse().unwrap();
    world.completed(second).await;
    assert_eq!(world.dials("greeting").len(), 2);
    assert_eq!(world.dials("agent").len(), 2);
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 2, "the third was told to come back");
    world.stop().await;
}

#[actix::test]
async fn every_call_that_was_acknowledged_around_an_outage_is_there_once() {
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
    // Whoever was told to come back does.
    for n in 0..24 {
        let (status, answer) = world.post_3cx(&incoming(&format!("pbx-{n}"), &caller(n))).await;
        assert_eq!(status, 200, "{answer}");
        acknowledged.insert(answer["call_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(acknowledged.len(), 24, "one call each, however often it was told");
    for call in &acknowledged {
        world.completed(call.parse().unwrap()).await;
    }
    assert_eq!(world.dials("greeting").len(), 24);
    assert_eq!(world.dials("agent").len(), 24);
    world.stop().await;
}

#[actix::test]
async fn an_event_that_is_not_durable_in_time_is_not_acknowledged_and_nobody_is_rung_before() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
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
async fn of_three_processes_on_an_empty_database_one_acts_and_another_takes_over_from_it() {
    let url = empty_database("met_by_three").await;
    let samples = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let start = || start_app(&url, "http://127.0.0.1:9", samples.path(), &[], &faults);
    let mut apps = futures_util::future::join_all([start(), start(), start()]).await;
    let acts = |app: &Application| matches!(app.engine().health().standing, Standing::Acting(_));
    for generations in 1..=3 {
        until("one acts, and the others stand by", || async {
            let standing = |app: &Application| app.engine().health().standing;
            apps.iter().filter(|app| acts(app)).count() == 1
                && apps.iter().all(|app| acts(app) || standing(app) == Standing::Standby)
        })
        .await;
        let acting = apps.remove(apps.iter().position(acts).unwrap());
        until("it takes calls", || async { acting.engine().health().database == Some(true) }).await;
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
            acting.engine().health().standing,
            Standing::Acting(u64::try_from(row.get::<_, i64>(0)).unwrap())
        );
        assert_eq!(row.get::<_, i64>(0), generations, "each start that acts has a number of its own");
        acting.stop_now().await;
    }
}
