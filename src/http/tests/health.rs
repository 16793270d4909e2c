//! The three health paths in every state of the engine.

use std::time::Duration;

use precall_actors::api::{Health, PbxHealth, SpoolHealth};

use super::client::{get, send};
use super::harness::{run, run_metrics, run_with, settings};
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
            Health { prompt_problems: vec!["tone".into()], ..well() },
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
        ("reports are in quarantine", Health { quarantined: 2, ..well() }, "degraded", 200, 200, 200),
        ("an arbiter is stuck", Health { heartbeat_age: stuck, ..well() }, "error", 503, 503, 200),
    ]
}

fn nothing_takes_it(spool: SpoolHealth) -> Health {
    Health { database: Some(false), can_keep: false, spool, ..well() }
}

fn pbx(open: Option<bool>) -> Option<PbxHealth> {
    let trouble = (open == Some(false)).then(|| "3CX does not answer".to_owned());
    Some(PbxHealth { open, legs: 3, trouble })
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
    server.engine.change(|script| script.health.threecx = pbx(Some(false)));
    let away = get(server.address, "/health", &[]).await.json();
    assert_eq!((&away["threecx"], &away["problems"][0]), (&"error".into(), &"3CX does not answer".into()));
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
    assert_eq!(get(server.address, "/api/v1/live", &[]).await.code(), "not_found");
}
