//! Migrations of a real database, over several connections at once.

use std::time::Duration;

use precall_embedded_postgres::template::TestDatabase;
use precall_store::connect;
use precall_store::connect::{DatabaseUrl, Dedicated};
use precall_store::schema::migrate::{Limits, MigrateError, Migration, Runner, migrate};

use crate::support::{ask, until_answered};

fn empty_database() -> TestDatabase {
    // The template's contents do not matter here: whichever test comes first prepares it.
    crate::templates::cluster().database().unwrap()
}

async fn connection(database: &TestDatabase) -> Dedicated {
    let url: DatabaseUrl = database.url().parse().unwrap();
    connect::connect(&url, "migrate", connect::Limits::default()).await.unwrap()
}

fn runner(second: &str) -> Runner {
    Runner::new(&[
        Migration::unapplied(
            "V1__first",
            "create table numbers (n integer primary key); select pg_sleep(0.05)",
        )
        .unwrap(),
        Migration::unapplied("V2__second", second).unwrap(),
    ])
}

const GOOD: &str = "insert into numbers values (1)";

#[tokio::test]
async fn eight_concurrent_migrations_of_an_empty_database_take_turns() {
    let database = empty_database();
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let mut dedicated = connection(&database).await;
        tasks.push(tokio::spawn(async move {
            migrate(&mut dedicated.client, &runner(GOOD), Limits::default()).await
        }));
    }
    let mut applied = Vec::new();
    for task in tasks {
        applied.extend(task.await.unwrap().unwrap());
    }
    assert_eq!(applied, [1, 2], "each was applied by one of the eight, and once");
    assert_eq!(ask(database.url(), "select count(*)::text from numbers").await, "1");
    assert_eq!(ask(database.url(), "select count(*)::text from refinery_schema_history").await, "2");
}

#[tokio::test]
async fn waiting_for_another_migration_times_out() {
    let database = empty_database();
    let mut holder = connection(&database).await;
    let slow = runner("select pg_sleep(60)");
    let hanging = tokio::spawn(async move {
        let _cut_off = migrate(&mut holder.client, &slow, Limits::default()).await;
    });
    let locked = "select count(*)::text from pg_locks where locktype = 'advisory' and granted
                  and database = (select oid from pg_database where datname = current_database())";
    until_answered(database.url(), locked, "1").await;
    let limits = Limits { lock: Duration::from_millis(100), ..Limits::default() };
    let mut second = connection(&database).await;
    let error = migrate(&mut second.client, &runner(GOOD), limits).await.unwrap_err();
    assert!(matches!(error, MigrateError::Busy(_)), "{error}");
    hanging.abort();
}

#[tokio::test]
async fn a_failed_migration_is_named_and_releases_the_lock() {
    let database = empty_database();
    let mut first = connection(&database).await;
    let error = migrate(&mut first.client, &runner("select nonsense"), Limits::default()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("V2__second") && text.contains("nonsense"), "{text}");
    drop(first);
    let mut next = connection(&database).await;
    let both = migrate(&mut next.client, &runner(GOOD), Limits::default()).await.unwrap();
    assert_eq!(both, [1, 2], "the failed one left nothing behind");
    assert_eq!(migrate(&mut next.client, &runner(GOOD), Limits::default()).await.unwrap(), [0; 0]);
}

#[tokio::test]
async fn an_endless_migration_statement_is_cancelled() {
    let database = empty_database();
    let limits = Limits { statement: Duration::from_millis(200), ..Limits::default() };
    let mut dedicated = connection(&database).await;
    let error = migrate(&mut dedicated.client, &runner("select pg_sleep(60)"), limits).await.unwrap_err();
    assert!(error.to_string().contains("statement timeout"), "{error}");
}
