//! The program on wrong databases: `serve` and `migrate` end with 2 and say what to change, `check` prints it. A
//! database that is away, or that turns out wrong later, leaves the port open and the program not ready.

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio_postgres::Client;

use crate::program::{API_KEY, Program, Run};
use crate::support::cluster::Cluster;
use crate::support::{connect_to, database, empty_database, http_client, until};

const SERVICE_BEFORE: &str = include_str!("../databases/fixtures/service_before.sql");

async fn tables(client: &Client) -> String {
    let sql = "select coalesce(string_agg(relname, ' ' order by relname), '') from pg_class
        where relnamespace = 'public'::regnamespace";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

async fn simulator() -> (Program, String) {
    let mut simulator = Run::of(&["simulate", "elevenlabs", "--api-key", API_KEY]).start();
    let url = simulator.listening().await;
    (simulator, url)
}

async fn ready(url: &str) -> (u16, String) {
    let mut answer = http_client().get(format!("{url}/health/ready")).send().await.unwrap();
    let body: Value = answer.json().await.unwrap();
    (answer.status().as_u16(), body["reason"].as_str().unwrap_or_default().to_owned())
}

#[actix::test]
async fn a_wrong_database_ends_serve_and_migrate_with_2_and_fails_check() {
    let (_simulator, provider) = simulator().await;
    let samples = tempfile::tempdir().unwrap();
    let samples = samples.path().to_str().unwrap();
    let old = empty_database("of_the_service_before").await;
    connect_to(&old).await.batch_execute(SERVICE_BEFORE).await.unwrap();
    let made = database();
    let admin = connect_to(made.url()).await;
    let (base, _) = made.url().rsplit_once('/').unwrap();
    let create = "create database latin encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0";
    admin.batch_execute(create).await.unwrap();
    let cases = [
        (old.clone(), "VoiceClone Pre-Call Service", Some(2)),
        (format!("{base}/latin"), "the encoding LATIN1", Some(0)),
        (format!("{base}/nowhere"), "create the database", Some(2)),
        (made.url().replacen("postgres@", "nobody_here@", 1), "correct the user", Some(2)),
        (format!("{}?options=-csearch_path%3Dnowhere", made.url()), "search_path (nowhere)", Some(2)),
    ];
    for (url, word, migrated) in &cases {
        let run = |command: &str| Run::of(&[command]).in_production(url, &provider, samples);
        if migrated == &Some(2) {
            let ended = run("migrate").end().await;
            assert_eq!(ended.code, *migrated, "{word}: {}", ended.stderr);
            assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
        }
        let ended = run("serve").end().await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{word}: {}", ended.stderr);
        let line = ended.stderr.lines().find(|line| line.starts_with("precall: database"));
        assert!(line.is_some_and(|line| line.contains(word)), "{word}: {}", ended.stderr);
        let ended = run("check").end().await;
        assert_eq!(ended.code, Some(1), "{word}: {}", ended.stdout);
        let line = ended.stdout.lines().find(|line| line.starts_with("WRONG  database"));
        assert!(line.is_some_and(|line| line.contains(word)), "{word}: {}", ended.stdout);
    }
    let left = tables(&connect_to(&old).await).await;
    assert!(!left.contains("call_events") && left.contains("alembic_version"), "{left}");
    assert_eq!(tables(&connect_to(&format!("{base}/latin")).await).await, "");
}

#[actix::test]
async fn a_database_that_is_away_and_then_wrong_is_said_and_used_once_it_is_right() {
    let (_simulator, provider) = simulator().await;
    let samples = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::new().await;
    let url = cluster.url("postgres");
    connect_to(&url).await.batch_execute(SERVICE_BEFORE).await.unwrap();
    cluster.stop().await;
    let run = Run::of(&["serve"]).in_production(&url, &provider, samples.path().to_str().unwrap());
    let mut serving = run.start();
    let at = serving.listening().await;
    until("it says that nothing runs there", || async {
        ready(&at).await.1.contains("PostgreSQL is not running")
    })
    .await;
    cluster.start().await;
    until("it says what the database is", || async {
        let (status, reason) = ready(&at).await;
        status == 503 && reason.contains("VoiceClone Pre-Call Service") && reason.contains("--adopt")
    })
    .await;
    let client = connect_to(&url).await;
    assert!(!tables(&client).await.contains("call_events"), "nothing was changed");
    client.batch_execute("drop schema public cascade; create schema public").await.unwrap();
    until("it is ready", || async { ready(&at).await.0 == 200 }).await;
    serving.signal(Signal::SIGTERM);
    let ended = serving.end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let times = |word: &str| ended.stderr.lines().filter(|line| line.contains(word)).count();
    assert_eq!(times("the database cannot be used"), 1, "each reason is said once: {}", ended.stderr);
    assert_eq!(times("another precall"), 0, "{}", ended.stderr);
}

#[actix::test]
async fn a_database_that_takes_no_writes_now_is_waited_for() {
    let (_simulator, provider) = simulator().await;
    let samples = tempfile::tempdir().unwrap();
    let made = database();
    let admin = connect_to(made.url()).await;
    admin.batch_execute("create role read_only superuser login").await.unwrap();
    admin.batch_execute("alter role read_only set default_transaction_read_only = on").await.unwrap();
    let url = made.url().replacen("postgres@", "read_only@", 1);
    let run = Run::of(&["serve"]).in_production(&url, &provider, samples.path().to_str().unwrap());
    let mut serving = run.start();
    let at = serving.listening().await;
    until("it says so", || async { ready(&at).await.1.contains("default_transaction_read_only is on") })
        .await;
    admin.batch_execute("alter role read_only reset all").await.unwrap();
    until("it is ready", || async { ready(&at).await.0 == 200 }).await;
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().await.code, Some(0));
}
