//! The three health paths in every state of the engine.

use std::time::Duration;

use precall_actors::api::{Busy, Health, HealthProblem, PbxHealth, SpoolHealth};
use precall_call::At;

use super::client::{get, send, send_anywhere};
use super::harness::{READER, THREECX, run, run_metrics, run_with, settings};
use super::scripted::well;
use crate::http::MetricsPlace;

/// Name, health of the engine, expected status word, and expected codes of `/health`, `live` and `ready`.
fn table() -> Vec<(&'static str, Health, &'static str, u16, u16, u16)> {
    let stuck = Duration::from_secs(11);
    vec![
        ("all is well", well(), "ok", 200, 200, 200),
        ("before the first exchange", Health { elevenlabs: None, ..well() }, "ok", 200, 200, 200),
        ("the provider fails", Health { elevenlabs: Some(false), ..well() }, "degraded", 200, 200, 200),
        ("the PBX is away", Health { threecx: pbx(Some(false)), ..well() }, "degraded", 200, 200, 200),
        ("the PBX is being reached", Health { threecx: pbx(None), ..well() }, "ok", 200, 200, 200),
        (
            "a tone for a greeting",
            Health { problems: vec![problem("prompts", "a tone is played")], ..well() },
            "degraded",
            200,
            200,
            200,
        ),
        (
            "every call fails",
            Health { problems: vec![problem("handoff", "no agent")], ..well() },
            "degraded",
            200,
            200,
            200,
        ),
        ("being stopped", Health { draining: true, ..well() }, "degraded", 200, 200, 503),
        ("the database is away", Health { database: Some(false), ..well() }, "degraded", 200, 200, 200),
        ("events wait on disk", Health { spool: SpoolHealth::Waiting, ..well() }, "degraded", 200, 200, 200),
        (
            "the spool alone fails",
            Health { spool: SpoolHealth::Failing, ..well() },
            "degraded",
            200,
            200,
            200,
        ),
        ("and so does the database", nothing_takes_it(SpoolHealth::Failing), "error", 503, 200, 503),
        ("the spool is full", nothing_takes_it(SpoolHealth::Full), "error", 503, 200, 503),
        (
            "the database was never there",
            Health { database: None, database_reached: false, can_keep: false, ..well() },
            "error",
            503,
            200,
            503,
        ),
        (
            "the database cannot be used",
            Health { database_obstacle: Some("pools by transaction".into()), can_keep: false, ..well() },
            "error",
            503,
            200,
            503,
        ),
        (
            "reports are in quarantine",
            Health { problems: vec![problem("storage", "2 reports")], ..well() },
            "degraded",
            200,
            200,
            200,
        ),
        ("an arbiter is stuck", Health { heartbeat_age: stuck, ..well() }, "error", 503, 503, 200),
    ]
}

fn nothing_takes_it(spool: SpoolHealth) -> Health {
    Health { database: Some(false), can_keep: false, spool, ..well() }
}

fn pbx(open: Option<bool>) -> Option<PbxHealth> {
    Some(PbxHealth { open, legs: 3, trouble: None })
}

fn problem(area: &'static str, words: &str) -> HealthProblem {
    HealthProblem::state(area, At(1_764_425_485_000_000), words)
}

#[actix_web::test]
async fn each_health_path_has_its_own_answer() {
    let server = run();
    for (name, health, status, overall, live, ready) in table() {
        server.engine.change(|script| script.health = health);
        let answer = get(server.address, "/health", &[]).await;
        assert_eq!((answer.status, answer.json()["status"].as_str()), (overall, Some(status)), "{name}");
        assert_eq!(get(server.address, "/health/live", &[]).await.status, live, "live: {name}");
        assert_eq!(get(server.address, "/health/ready", &[]).await.status, ready, "ready: {name}");
    }
}

#[actix_web::test]
async fn health_has_the_documented_fields() {
    let server = run();
    let json = get(server.address, "/health", &[]).await.json();
    assert_eq!(json["database"], "ok");
    assert_eq!(json["elevenlabs"], "ok");
    assert_eq!(json["threecx"], "not_configured");
    assert_eq!(json["queued_events"], 2);
    assert_eq!(json["live_calls"], 1);
    assert_eq!(json["problems"], serde_json::json!([]));
    server.engine.change(|script| {
        script.health.threecx = pbx(Some(false));
        script.health.problems = vec![problem("threecx", "3CX does not answer")];
    });
    let away = get(server.address, "/health", &[]).await.json();
    let problem = &away["problems"][0];
    assert_eq!((&away["threecx"], &problem["words"]), (&"error".into(), &"3CX does not answer".into()));
    assert_eq!((&problem["area"], &problem["since"]), (&"threecx".into(), &"2025-11-29T14:11:25Z".into()));
    assert!(!problem["remedy"].as_str().unwrap().is_empty());
    let live = get(server.address, "/api/v1/live", &[("x-api-key", READER)]).await.json();
    assert_eq!(live["health"]["problems"], away["problems"]);
    assert!(json["timestamp"].as_str().unwrap().ends_with('Z'));
    let answer = send(server.address, "HEAD", "/health/live", &[], b"").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
}

#[actix_web::test]
async fn metrics_can_have_their_own_listener() {
    let server = run();
    let page = get(server.address, "/metrics", &[]).await;
    assert!(page.headers["content-type"].starts_with("application/openmetrics-text"));
    assert!(page.body.ends_with("# EOF\n"));
    let mut settings = settings();
    settings.metrics = MetricsPlace::Elsewhere;
    let server = run_with(settings);
    assert_eq!(get(server.address, "/metrics", &[]).await.code(), "not_found");
    let server = run_metrics();
    assert_eq!(get(server.address, "/metrics", &[]).await.status, 200);
    assert_eq!(send_anywhere(server.address, "GET", "/api/v1/live", &[], b"").await.code(), "not_found");
}

/// Signed `seconds` from now, three times.
async fn refused_at(seconds: i64) -> String {
    let server = run();
    for _ in 0..3 {
        assert_eq!(server.post_at(THREECX, seconds, b"{}").await.status, 401);
    }
    let problems = server.engine.outcomes.problems();
    assert_eq!((problems.len(), problems[0].area, problems[0].failed), (1, "webhooks", 3));
    assert!(problems[0].remedy.contains("NTP"), "{}", problems[0].remedy);
    problems[0].words.clone()
}

#[actix_web::test]
async fn refused_webhooks_say_how_far_the_clock_is_off_and_in_which_direction() {
    let behind = refused_at(-4_000).await;
    let seconds: i64 =
        behind.split_whitespace().find_map(|word| word.parse().ok().filter(|n| *n > 401)).unwrap();
    assert!((4_000..4_030).contains(&seconds) && behind.contains("behind this host's clock"), "{behind}");
    let ahead = refused_at(4_000).await;
    let seconds: i64 =
        ahead.split_whitespace().find_map(|word| word.parse().ok().filter(|n| *n > 401)).unwrap();
    assert!((3_970..=4_000).contains(&seconds) && ahead.contains("ahead of this host's clock"), "{ahead}");
}

#[actix_web::test]
async fn a_wrong_secret_is_a_problem_and_precalls_own_troubles_are_not() {
    let server = run();
    for _ in 0..3 {
        server.engine.change(|script| script.taken = Err(Busy::CannotKeep));
        assert_eq!(server.post(THREECX, r#"{"event_type":"IncomingCall","call_id":"7"}"#).await.status, 503);
    }
    assert_eq!(server.engine.outcomes.problems(), []);
    for _ in 0..3 {
        let header = [("x-3cx-signature", "t=1,v0=zz")];
        assert_eq!(send(server.address, "POST", THREECX, &header, b"{}").await.status, 401);
    }
    let problems = server.engine.outcomes.problems();
    assert_eq!(problems[0].words, "webhook 3cx: 401 signature_malformed");
    assert!(problems[0].remedy.contains("secret"));
}
