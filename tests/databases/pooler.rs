//! A pooler between precall and PostgreSQL: session pooling is fine, every other one is found and refused.

use std::time::Duration;

use precall_actors::durability::leadership::EngineRole;
use precall_actors::runtime::fault_injection::Faults;
use precall_store::leader::engine_lock::EngineLock;
use precall_store::readiness::State;

use crate::look::{says, wrong};
use crate::pgbouncer::{PgBouncer, TAKES_OPTIONS};
use crate::support::{Plan, World, connect_to, database, lasting, start_app, until};

#[actix::test]
async fn session_pooling_is_fine() {
    let made = database();
    let Some(pooler) = PgBouncer::start(made.url(), "session", TAKES_OPTIONS).await else { return };
    for _ in 0..3 {
        assert_eq!(wrong(&pooler.url(made.url())).await, []);
    }
}

#[actix::test]
async fn transaction_pooling_is_found_however_the_pooler_deals_out_its_servers() {
    for settings in ["", "server_round_robin = 1", "default_pool_size = 1", "default_pool_size = 2"] {
        let made = database();
        let settings = format!("{TAKES_OPTIONS}\n{settings}");
        let Some(pooler) = PgBouncer::start(made.url(), "transaction", &settings).await else { return };
        let url = pooler.url(made.url());
        // Twice: the second time the pooler has server connections that know the setting of the first look.
        for _ in 0..2 {
            let words = ["pools by transaction", "pool_mode = session"];
            says(&settings, &url, "database pooling", State::Wrong, &words).await;
        }
        // Beside other clients too, which hold some of the servers.
        let other = connect_to(&url).await;
        if !settings.contains("default_pool_size = 1") {
            other.batch_execute("begin").await.unwrap();
            says(&settings, &url, "database pooling", State::Wrong, &["pools by transaction"]).await;
        }
    }
}

#[actix::test]
async fn an_engine_behind_transaction_pooling_takes_no_lock_and_says_why() {
    let made = database();
    let Some(pooler) = PgBouncer::start(made.url(), "transaction", TAKES_OPTIONS).await else { return };
    let samples = tempfile::tempdir().unwrap();
    let url = pooler.url(made.url());
    let app = start_app(&url, "http://127.0.0.1:9", samples.path(), &[], &Faults::default()).await;
    let says = || app.engine().health().database_obstacle.unwrap_or_default();
    until("it says why", || async { says().contains("pools by transaction") }).await;
    lasting(Duration::from_secs(2)).await;
    assert_eq!(app.engine().health().role, EngineRole::Unknown);
    assert!(!EngineLock::is_held(&connect_to(made.url()).await).await.unwrap());
    app.stop_now().await;
}

#[actix::test]
async fn statement_pooling_is_found() {
    let made = database();
    let settings = format!("{TAKES_OPTIONS}\nserver_round_robin = 1");
    let Some(pooler) = PgBouncer::start(made.url(), "statement", &settings).await else { return };
    let found = wrong(&pooler.url(made.url())).await;
    assert!(
        found.iter().any(|finding| finding.name == "database pooling" && finding.state == State::Wrong),
        "{found:?}"
    );
}

#[actix::test]
async fn a_pooler_that_refuses_the_session_is_said_with_the_setting_it_needs() {
    let made = database();
    let Some(pooler) = PgBouncer::start(made.url(), "session", "").await else { return };
    let words = ["ignore_startup_parameters = options"];
    says("options", &pooler.url(made.url()), "database", State::Wrong, &words).await;
}

#[actix::test]
async fn a_pooler_with_too_few_servers_is_waited_for() {
    let made = database();
    let settings = format!("{TAKES_OPTIONS}\ndefault_pool_size = 1\nquery_wait_timeout = 2");
    let Some(pooler) = PgBouncer::start(made.url(), "session", &settings).await else { return };
    let found = wrong(&pooler.url(made.url())).await;
    assert_eq!(found.iter().map(|finding| finding.state).collect::<Vec<_>>(), [State::Waiting], "{found:?}");
}

#[actix::test]
async fn a_pooler_that_begins_to_pool_by_transaction_stops_new_calls_until_it_is_corrected() {
    let made = database();
    let Some(pooler) = PgBouncer::start(made.url(), "session", TAKES_OPTIONS).await else { return };
    let world = World::at(pooler.url(made.url()), Plan::default()).await;
    assert_eq!(world.get("/health/ready").await.0, 200);
    pooler.change_to("transaction");
    lasting(Duration::from_millis(500)).await;
    // As when PostgreSQL or the pooler was restarted: every session is opened again.
    end_sessions(made.url()).await;
    until("the pooler is found", || async {
        let (status, body) = world.get("/health/ready").await;
        status == 503 && body["reason"].as_str().is_some_and(|reason| reason.contains("pools by transaction"))
    })
    .await;
    let health = world.get("/health").await.1;
    assert_eq!(health["status"], "error", "{health}");
    pooler.change_to("session");
    lasting(Duration::from_millis(500)).await;
    end_sessions(made.url()).await;
    until("calls are taken again", || async { world.get("/health/ready").await.0 == 200 }).await;
    world.app.stop_now().await;
}

async fn end_sessions(url: &str) {
    let sql = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    connect_to(url).await.query_one(sql, &[]).await.unwrap();
}
