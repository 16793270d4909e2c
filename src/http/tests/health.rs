//! The three health paths in every state of the engine.

use std::time::Duration;

use precall_actors::api::{Busy, Health, HealthProblem, PbxHealth, SpoolHealth};
use precall_call::At;

use super::client::{get, send, send_anywhere};
use super::harness::{READER, Running, THREECX, run, run_management, run_with, settings};
use super::scripted::well;
use crate::http::Figures;

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
    let server = run_management();
    assert_eq!(get(server.address, "/metrics", &[]).await.status, 200);
    for path in ["/api/v1/live", "/", "/api/docs", THREECX] {
        assert_eq!(send_anywhere(server.address, "GET", path, &[], b"").await.code(), "not_found", "{path}");
    }
}

/// Fields of health that tell how large and how busy an installation is, what goes wrong there, and which version it
/// runs.
const FIGURES: [&str; 7] =
    ["capacity", "heartbeat_age_ms", "live_calls", "problems", "queued_events", "spooled_bytes", "version"];

/// The main listener beside one for management.
fn run_public() -> Running {
    let mut settings = settings();
    settings.figures = Figures::WithKey;
    run_with(settings)
}

#[actix_web::test]
async fn figures_are_on_the_listener_for_management_and_need_a_key_on_the_other() {
    let (public, management) = (run_public(), run_management());
    let whole = get(management.address, "/health", &[]).await.json();
    let brief = get(public.address, "/health", &[]).await.json();
    for field in FIGURES {
        assert!(!whole[field].is_null() && brief.get(field).is_none(), "{field}");
    }
    for field in
        ["status", "database", "elevenlabs", "threecx", "spool", "ready", "draining", "standby", "timestamp"]
    {
        assert!(brief.get(field).is_some(), "{field}");
    }
    assert_eq!(brief.as_object().unwrap().len() + FIGURES.len(), whole.as_object().unwrap().len());
    let bearer = format!("Bearer {READER}");
    for key in [("x-api-key", READER), ("authorization", bearer.as_str())] {
        let shown = get(public.address, "/health", &[key]).await.json();
        assert!(FIGURES.iter().all(|field| shown.get(field).is_some()), "{shown}");
        assert_eq!(get(public.address, "/metrics", &[key]).await.status, 200);
    }
    assert_eq!(get(public.address, "/metrics", &[]).await.code(), "unauthenticated");
    // The keys of the database are not known here, so that nobody can say that this is none of them.
    let unknown = [("x-api-key", "a-key-of-nobody-a-key-of-nobody-1234")];
    assert!(get(public.address, "/health", &unknown).await.json().get("version").is_none());
    assert_eq!(get(public.address, "/metrics", &unknown).await.code(), "unauthenticated");
    let version = env!("CARGO_PKG_VERSION");
    for path in ["/health", "/health/live", "/health/ready", "/metrics", "/", "/api/docs", "/nowhere"] {
        let answer = send_anywhere(public.address, "GET", path, &[], b"").await;
        let has_version =
            answer.body.contains(version) || answer.headers.values().any(|it| it.contains(version));
        assert!(!has_version, "{path} shows the version: {answer:?}");
    }
}

#[actix_web::test]
async fn each_health_path_answers_the_same_on_both_listeners() {
    let (public, management) = (run_public(), run_management());
    for (name, health, status, overall, live, ready) in table() {
        for server in [&public, &management] {
            server.engine.change(|script| script.health = health.clone());
            let answer = get(server.address, "/health", &[]).await;
            assert_eq!((answer.status, answer.json()["status"].as_str()), (overall, Some(status)), "{name}");
            assert_eq!(get(server.address, "/health/live", &[]).await.status, live, "live: {name}");
            assert_eq!(get(server.address, "/health/ready", &[]).await.status, ready, "ready: {name}");
        }
    }
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
