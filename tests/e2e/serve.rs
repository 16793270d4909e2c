//! An operator's usual setup: the service, a simulated ElevenLabs and PostgreSQL, each in its own process.

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::program::{API_KEY, Program, Run, free_port};
use crate::support::{
    CALLED, PATIENCE, SECRET, allow_override, connect_to, database, http_client, pause, until, write_sample,
};

const CALLER: &str = "+12025550142";

/// Signs as an administrator would, with the program's own command.
async fn signed(body: &str) -> (String, String) {
    let signed = Run::of(&["sign", "--secret", SECRET]).input(body).end().await;
    assert_eq!(signed.code, Some(0), "{}", signed.stderr);
    let (name, value) = signed.stdout.trim().split_once(": ").expect("`Header-Name: value`");
    assert_eq!(name, "X-3CX-Signature");
    (name.to_owned(), value.to_owned())
}

async fn post(url: &str, header: &(String, String), body: &str) -> Value {
    let request = http_client().post(format!("{url}/webhook/3cx"));
    let mut answer = request
        .insert_header((header.0.as_str(), header.1.as_str()))
        .send_body(body.to_owned())
        .await
        .unwrap();
    let text = answer.body().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200, "{text:?}");
    serde_json::from_slice(&text).unwrap()
}

async fn get(url: &str) -> Value {
    let mut answer = http_client().get(url).send().await.unwrap();
    serde_json::from_slice(&answer.body().limit(16 << 20).await.unwrap()).unwrap()
}

async fn asked(simulator: &str, path: &str) -> Vec<Value> {
    let requests = get(&format!("{simulator}/sim/requests")).await;
    let all = requests.as_array().unwrap().iter();
    all.filter(|request| request["path"].as_str().unwrap().starts_with(path)).cloned().collect()
}

async fn count(client: &Client, statement: &str) -> i64 {
    client.query_one(statement, &[]).await.unwrap().get(0)
}

async fn completed(client: &Client, call: Uuid) -> tokio_postgres::Row {
    let begun = std::time::Instant::now();
    loop {
        let statement =
            "select * from call_log where id = $1 and status = 'completed' and state = 'released'";
        if let Some(row) = client.query_opt(statement, &[&call]).await.unwrap() {
            return row;
        }
        assert!(begun.elapsed() < PATIENCE, "not in time: the call is completed");
        pause().await;
    }
}

/// The two processes, a caller with a sample, and the database.
struct Site {
    service: Program,
    url: String,
    _simulator: Program,
    simulator_url: String,
    client: Client,
    _samples: TempDir,
    _database: precall_embedded_postgres::template::TestDatabase,
}

async fn site() -> Site {
    let database = database();
    let samples = tempfile::tempdir().unwrap();
    let file = samples.path().join("caller.wav");
    write_sample(&file, 1);
    let client = connect_to(database.url()).await;
    let mapping =
        "insert into caller_voice_mapping (caller_id, voice_sample_url, voice_name) values ($1, $2, 'Test')";
    client.execute(mapping, &[&CALLER, &format!("file://{}", file.display())]).await.unwrap();

    let port = free_port().to_string();
    let hook = format!("http://127.0.0.1:{port}/webhook/elevenlabs/postcall");
    let mut simulator = Run::of(&[
        "simulate",
        "elevenlabs",
        "--port",
        "0",
        "--api-key",
        API_KEY,
        "--clone-delay-ms",
        "50..100",
        "--conversation-ms",
        "200",
        "--webhook-url",
        &hook,
        "--webhook-secret",
        SECRET,
        "--allow-override",
        &allow_override(),
    ])
    // The service's environment variables have no effect.
    .env("PORT", "not a port")
    .start();
    let simulator_url = simulator.listening().await;
    let run = Run::of(&["serve"]);
    let run = run.in_production(database.url(), &simulator_url, samples.path().to_str().unwrap());
    let mut service = run.env("PORT", &port).start();
    let url = service.listening().await;
    assert_eq!(url, format!("http://127.0.0.1:{port}"));
    until("calls are accepted", || async { get(&format!("{url}/health")).await["ready"] == json!(true) })
        .await;
    Site {
        service,
        url,
        _simulator: simulator,
        simulator_url,
        client,
        _samples: samples,
        _database: database,
    }
}

fn incoming(id: &str) -> String {
    json!({ "event_type": "IncomingCall", "call_id": id, "caller_id": CALLER, "called_number": CALLED,
            "direction": "In", "timestamp": "2026-01-01T10:00:00Z" })
    .to_string()
}

#[actix::test]
async fn one_signed_webhook_leads_to_greeting_clone_agent_and_rows() {
    let site = site().await;
    let body = incoming("pbx-1");
    let header = signed(&body).await;
    let five = (0..5).map(|_| post(&site.url, &header, &body));
    let answers = futures_util::future::join_all(five).await;
    let call: Uuid = answers[0]["call_id"].as_str().unwrap().parse().unwrap();
    assert!(answers.iter().all(|answer| answer["call_id"] == answers[0]["call_id"]), "{answers:?}");
    let row = completed(&site.client, call).await;

    the_provider_was_asked_once_for_each(&site, &row).await;
    the_rows_tell_it(&site.client, call, &row).await;

    let body = incoming("pbx-2");
    let again = post(&site.url, &signed(&body).await, &body).await;
    assert_eq!(again["cloned_voice_id"], json!(row.get::<_, String>("cloned_voice_id")));
    completed(&site.client, again["call_id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(asked(&site.simulator_url, "/v1/voices/add").await.len(), 1, "no second clone");
    assert_eq!(count(&site.client, "select reuse_count::bigint from voice_clone_cache").await, 2);

    site.service.signal(Signal::SIGTERM);
    let ended = site.service.end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    nothing_secret_was_logged(&ended.stderr);
}

async fn the_provider_was_asked_once_for_each(site: &Site, row: &tokio_postgres::Row) {
    let dials = asked(&site.simulator_url, "/v1/convai/sip-trunk/outbound-call").await;
    assert_eq!(dials.len(), 2, "one greeting, one agent");
    assert!(
        dials.iter().all(|dial| dial["status"] == json!(200) && dial["body"]["to_number"] == json!(CALLER))
    );
    let spoken =
        &dials[1]["body"]["conversation_initiation_client_data"]["conversation_config_override"]["tts"];
    assert_eq!(spoken["voice_id"], json!(row.get::<_, String>("cloned_voice_id")));
    let clones = asked(&site.simulator_url, "/v1/voices/add").await;
    assert_eq!(clones.len(), 1);
    let parts = clones[0]["body"]["parts"].as_array().unwrap();
    let name = parts.iter().find(|part| part["name"] == "name").unwrap()["value"].as_str().unwrap();
    assert!(name.starts_with("precall-e2e-"), "{name}");
    let file = parts.iter().find(|part| part["name"] == "files").unwrap();
    assert_eq!(file["size"], json!(64_044), "the caller's sample");
}

async fn the_rows_tell_it(client: &Client, call: Uuid, row: &tokio_postgres::Row) {
    assert_eq!(row.get::<_, String>("cause"), "completed");
    assert_eq!(row.get::<_, String>("caller_id"), CALLER);
    assert_eq!(row.get::<_, Option<i32>>("duration_seconds"), Some(1));
    assert!(row.get::<_, Option<String>>("transcript").unwrap().lines().all(|line| line.contains(": ")));
    let gaps = "select count(*) - max(seq) from call_events where call = $1";
    let gaps: i64 = client.query_one(gaps, &[&call]).await.unwrap().get(0);
    assert_eq!(gaps, 0, "the log has no gap");
    for (what, statement) in [
        ("voice_clone_log", "select count(*) from voice_clone_log where status = 'success'"),
        ("voice_clone_cache", "select count(*) from voice_clone_cache where reuse_count = 1"),
        ("clone_ready_events", "select count(*) from clone_ready_events"),
        ("clone_transfer_events", "select count(*) from clone_transfer_events"),
        ("both reports", "select count(*) / 2 from conversations where reported_at is not null"),
        ("one call", "select count(*) from call_log"),
    ] {
        assert_eq!(count(client, statement).await, 1, "{what}");
    }
    assert_eq!(count(client, "select count(*) from clone_failed_events").await, 0);
}

/// At log level trace: no complete phone number, no secret, no transcript.
fn nothing_secret_was_logged(log: &str) {
    assert!(log.lines().count() > 10, "{log}");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).expect("every line is JSON");
        assert!(line["ts"].is_string() && line["msg"].is_string() && line["level"].is_string(), "{line}");
    }
    for secret in [&CALLER[1..], &CALLED[1..], &CALLER[2..], SECRET, API_KEY, "nine to five"] {
        let told = log.lines().find(|line| line.contains(secret));
        assert_eq!(told, None, "the log holds {secret}");
    }
    let moved = log.lines().filter(|line| line.contains("\"msg\":\"call moved\"")).count();
    assert!(moved >= 6, "every step of both calls is logged");
}
