//! The demo ends by itself, and its summary matches its tables.

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use precall_embedded_postgres::{DataDir, Durability, EmbeddedPostgres, Install, Options};
use serde_json::{Value, json};

use crate::program::Run;
use crate::support::{connect_to, until};

/// Compares the summary with the tables, by queries that differ from the demo's own.
const FIGURES: [(&str, &str); 7] = [
    ("calls", "select count(*) from call_log"),
    ("completed", "select count(*) from call_log where status = 'completed' and cause = 'completed'"),
    ("greeted", "select count(*) from conversations where purpose = 'greeting' and outcome = 'completed'"),
    ("cloned", "select count(*) from voice_events where event ->> 'kind' = 'clone_succeeded'"),
    ("from_cache", "select count(*) from call_events where event ->> 'source' = 'cache'"),
    ("handed_over", "select count(*) from clone_transfer_events"),
    ("fallback", "select count(*) from clone_failed_events"),
];

#[actix::test]
async fn the_demo_completes_three_calls_and_its_summary_matches_the_tables() {
    let folder = tempfile::tempdir().unwrap();
    // If root runs the tests, another account must be able to enter.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let data = folder.path().join("database");
    let file = folder.path().join("summary.json");
    let arguments = [
        "demo",
        "--route",
        "callback",
        "--calls",
        "3",
        "--rate",
        "10",
        "--data-dir",
        data.to_str().unwrap(),
        "--summary-json",
        file.to_str().unwrap(),
    ];
    // The service's environment variables have no effect.
    let ended = Run::of(&arguments)
        .env("PORT", "not a port")
        .env("ELEVENLABS_API_BASE", "https://api.elevenlabs.io")
        .end()
        .await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);

    let summary: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((&summary["calls"], &summary["completed"]), (&json!(3), &json!(3)), "{summary}");
    let options = Options::new(DataDir::At(data), Durability::NoFsync, Install::IfMissing);
    let started = tokio::task::spawn_blocking(move || EmbeddedPostgres::start(&options));
    let postgres = started.await.unwrap().unwrap();
    let client = connect_to(&postgres.url("postgres")).await;
    for (name, statement) in FIGURES {
        let count: i64 = client.query_one(statement, &[]).await.unwrap().get(0);
        assert_eq!(summary[name], json!(count), "{name}");
    }
    for (table, rows) in summary["rows"].as_object().unwrap() {
        let count: i64 =
            client.query_one(&format!("select count(*) from {table}"), &[]).await.unwrap().get(0);
        assert_eq!(rows, &json!(count), "{table}");
        assert!(ended.stdout.contains(&format!(" {table} {count}")), "{table}: {}", ended.stdout);
    }
    for (label, name) in [
        ("calls             ", "calls"),
        ("greeted           ", "greeted"),
        ("voices cloned     ", "cloned"),
        ("voice from cache  ", "from_cache"),
        ("handed over       ", "handed_over"),
        ("fallback voice    ", "fallback"),
        ("completed         ", "completed"),
    ] {
        let line = format!("\n{label}{}\n", summary[name]);
        assert!(ended.stdout.contains(&line), "{label}: {}", ended.stdout);
    }
    for (name, statement) in [
        (
            "clone_ms",
            "select min(api_response_time_ms)::float8, max(api_response_time_ms)::float8
            from voice_clone_log",
        ),
        (
            "time_to_greeting_ms",
            "select min((timings ->> 'greeting_started_ms')::float8), max((timings ->> 'greeting_started_ms')::float8)
             from call_log",
        ),
    ] {
        let row = client.query_one(statement, &[]).await.unwrap();
        let range = row.get::<_, f64>(0)..=row.get::<_, f64>(1);
        for percentile in ["p50", "p99"] {
            let value = summary[name][percentile].as_f64().unwrap();
            assert!(range.contains(&value), "{name} {percentile} {value} is not within {range:?}");
        }
    }
    let lines =
        ended.stdout.lines().filter(|line| line.starts_with("call ") && line.contains(" completed ")).count();
    assert_eq!(lines, 3, "a line a call: {}", ended.stdout);
    drop(client);
    tokio::task::spawn_blocking(|| postgres.stop()).await.unwrap();
}

#[actix::test]
async fn the_bridge_demo_judges_and_records_what_callers_heard() {
    let folder = tempfile::tempdir().unwrap();
    let (recordings, file) = (folder.path().join("new/recordings"), folder.path().join("summary.json"));
    let arguments = [
        "demo",
        "--calls",
        "3",
        "--skip-timing",
        "--record",
        recordings.to_str().unwrap(),
        "--summary-json",
        file.to_str().unwrap(),
    ];
    let ended = Run::of(&arguments).end().await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let summary: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let bridged = &summary["bridged"];
    assert_eq!((&bridged["calls"], &bridged["in_order"]), (&json!(3), &json!(3)), "{summary}");
    let written: Vec<_> = std::fs::read_dir(&recordings).unwrap().collect();
    assert_eq!(written.len(), 3);
    for entry in written {
        let recording = hound::WavReader::open(entry.unwrap().path()).unwrap();
        let spec = recording.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 8_000, 16));
        assert!(recording.duration() > 5 * 8_000, "{} samples", recording.duration());
    }
}

/// Without `--calls` the demo runs until it is told to end.
async fn told_to_end(route: &str, signal: Signal) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (data, file) = (folder.path().join("database"), folder.path().join("summary.json"));
    let (data_dir, summary) = (data.to_str().unwrap(), file.to_str().unwrap());
    let arguments =
        ["demo", "--route", route, "--rate", "4", "--data-dir", data_dir, "--summary-json", summary];
    let demo = Run::of(&arguments).start();
    until("calls are over and others are live", || async {
        let said = demo.said("stdout");
        let last = said.rsplit('\r').next().unwrap_or_default().to_owned();
        last.contains(" calls, ") && !last.contains(" 0 live")
    })
    .await;
    demo.signal(signal);
    let ended = demo.end().await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let summary: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let cut = summary["cut"].as_i64().unwrap();
    assert!(cut > 0 && summary["calls"].as_i64().unwrap() > 0, "{summary}");
    assert!(ended.stdout.contains(&format!("ended by Ctrl-C   {cut}\n")), "{}", ended.stdout);
    if route == "bridge" {
        assert_eq!(summary["heard"]["orphan_legs"], json!(0), "{summary}");
    }

    let options = Options::new(DataDir::At(data), Durability::NoFsync, Install::IfMissing);
    let postgres =
        tokio::task::spawn_blocking(move || EmbeddedPostgres::start(&options)).await.unwrap().unwrap();
    let client = connect_to(&postgres.url("postgres")).await;
    let count = async |statement: &str| -> i64 { client.query_one(statement, &[]).await.unwrap().get(0) };
    assert_eq!(
        count("select count(*) from call_log where state <> 'released' or call_ended_at is null").await,
        0
    );
    // Some of them may have ended by themselves at that moment.
    assert!(count("select count(*) from call_log where cause = 'operator_ended'").await <= cut);
    drop(client);
    tokio::task::spawn_blocking(|| postgres.stop()).await.unwrap();
}

#[actix::test]
async fn ctrl_c_ends_the_bridge_demo_and_its_live_calls() {
    told_to_end("bridge", Signal::SIGINT).await;
}

#[actix::test]
async fn sigterm_ends_the_callback_demo_and_its_live_calls() {
    told_to_end("callback", Signal::SIGTERM).await;
}

#[actix::test]
async fn ctrl_c_while_the_demo_starts_ends_it_well() {
    let demo = Run::of(&["demo"]).start();
    // The database was started, and the service was not.
    until("the database runs", || async { demo.said("stdout").contains("PostgreSQL ") }).await;
    demo.signal(Signal::SIGINT);
    let ended = demo.end().await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}

#[actix::test]
async fn the_demo_refuses_to_record_callbacks_or_into_a_bad_folder() {
    for (arguments, said) in [
        (["demo", "--route", "callback", "--calls", "1", "--record", "/tmp"], "--route bridge or transfer"),
        (
            ["demo", "--route", "bridge", "--calls", "1", "--record", "/dev/null/x"],
            "name a folder that can be created",
        ),
    ] {
        let ended = Run::of(&arguments).end().await;
        assert_eq!(ended.code, Some(1), "{}", ended.stdout);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}
