//! Two processes on one database: one is the leader, the other is standby. Nothing is done twice when they change
//! roles.

use nix::sys::signal::Signal;
use precall_store::verify::verify;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{API_KEY, Program, Run};
use crate::support::{CALLED, SECRET, allow_override, connect_to, database, http_client, until};

const STANDS_BY: &str = "another precall is the leader, this one is a standby";

struct Pair {
    database: String,
    provider: String,
    samples: TempDir,
    _simulator: Program,
}

impl Pair {
    async fn new(database: &str) -> Self {
        let mut simulator =
            Run::of(&["simulate", "elevenlabs", "--api-key", API_KEY, "--allow-override", &allow_override()])
                .start();
        let provider = simulator.listening().await;
        let samples = tempfile::tempdir().unwrap();
        Self { database: database.to_owned(), provider, samples, _simulator: simulator }
    }

    async fn start(&self) -> (Program, String) {
        let samples = self.samples.path().to_str().unwrap();
        let service = Run::of(&["serve"]).in_production(&self.database, &self.provider, samples);
        let mut service = service.env("DRAIN_TIMEOUT_SECONDS", "1").start();
        let url = service.listening().await;
        (service, url)
    }
}

/// Status and reason of `/health/ready`; `None` without an answer.
async fn ready(url: &str) -> Option<(u16, Option<String>)> {
    let mut answer = http_client().get(format!("{url}/health/ready")).send().await.ok()?;
    let body: Value = answer.json().await.ok()?;
    Some((answer.status().as_u16(), body["reason"].as_str().map(ToOwned::to_owned)))
}

async fn is_ready(url: &str) -> bool {
    ready(url).await.is_some_and(|(status, _)| status == 200)
}

async fn stands_by(url: &str) -> bool {
    ready(url).await == Some((503, Some(STANDS_BY.to_owned())))
}

/// Posts a signed webhook; returns the status of the answer, if there was one.
async fn ring(url: &str, id: &str) -> Option<u16> {
    let body = json!({ "event_type": "IncomingCall", "call_id": id, "caller_id": "+12025550142",
        "called_number": CALLED, "direction": "In" })
    .to_string();
    let signed = Run::of(&["sign", "--secret", SECRET]).input(&body).end().await;
    let (name, value) = signed.stdout.trim().split_once(": ").unwrap();
    let request = http_client().post(format!("{url}/webhook/3cx")).insert_header((name, value));
    request.send_body(body).await.ok().map(|answer| answer.status().as_u16())
}

async fn offered(database: &str) -> i64 {
    let client = connect_to(database).await;
    client.query_one("select count(*) from call_log", &[]).await.unwrap().get(0)
}

async fn holds(database: &str) {
    let verified = verify(&mut connect_to(database).await).await.unwrap();
    assert_eq!(verified.breaches, [], "{verified:?}");
}

#[actix::test]
async fn a_standby_does_nothing_until_it_takes_over_from_a_killed_process() {
    let database = database();
    let pair = Pair::new(database.url()).await;
    let (first, first_url) = pair.start().await;
    until("the first is the leader", || is_ready(&first_url)).await;
    let (second, second_url) = pair.start().await;
    until("the second is standby", || stands_by(&second_url)).await;
    assert_eq!(ring(&second_url, "1").await, Some(503));
    assert_eq!(ring(&first_url, "2").await, Some(200));
    let health: Value =
        http_client().get(format!("{second_url}/health")).send().await.unwrap().json().await.unwrap();
    assert_eq!((&health["standby"], &health["status"]), (&json!(true), &json!("degraded")));
    first.signal(Signal::SIGKILL);
    until("the second becomes the leader", || is_ready(&second_url)).await;
    assert_eq!(ring(&second_url, "3").await, Some(200));
    assert_eq!(offered(database.url()).await, 2);
    second.signal(Signal::SIGTERM);
    assert_eq!(second.end().await.code, Some(0));
    holds(database.url()).await;
}

#[actix::test]
async fn a_paused_and_superseded_process_writes_nothing_and_exits_when_resumed() {
    let database = database();
    let pair = Pair::new(database.url()).await;
    let (first, first_url) = pair.start().await;
    until("the first is the leader", || is_ready(&first_url)).await;
    let (second, second_url) = pair.start().await;
    until("the second is standby", || stands_by(&second_url)).await;
    first.signal(Signal::SIGSTOP);
    // As when PostgreSQL drops the connections of a host that hangs: the lock ends with its session.
    let client = connect_to(database.url()).await;
    let holder = "select count(pg_terminate_backend(pid)) from pg_locks
        where locktype = 'advisory' and granted
            and database = (select oid from pg_database where datname = current_database())";
    assert_eq!(client.query_one(holder, &[]).await.unwrap().get::<_, i64>(0), 1);
    until("the second becomes the leader", || is_ready(&second_url)).await;
    first.signal(Signal::SIGCONT);
    let answer = ring(&first_url, "1").await;
    assert_ne!(answer, Some(200), "acknowledged, but not stored");
    let ended = first.end().await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("another precall has taken over this database"), "{}", ended.stderr);
    assert_eq!(ring(&second_url, "2").await, Some(200));
    assert_eq!(offered(database.url()).await, 1);
    second.signal(Signal::SIGTERM);
    assert_eq!(second.end().await.code, Some(0));
    holds(database.url()).await;
}
