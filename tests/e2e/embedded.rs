//! `serve` with the embedded database: where it is allowed and where it is refused.

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::program::Run;
use crate::support::{database, http_client, until};

async fn health(url: &str) -> (u16, Value) {
    let mut answer = http_client().get(format!("{url}/health")).send().await.unwrap();
    let body = answer.body().await.unwrap();
    (answer.status().as_u16(), serde_json::from_slice(&body).unwrap())
}

#[actix::test]
async fn in_development_serve_uses_an_embedded_database_and_keeps_its_data() {
    // The tests' cluster was started before, so the server programs are installed.
    let _installed = database();
    let folder = tempfile::tempdir().unwrap();
    // If root runs the tests, another account must be able to enter.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let data = folder.path().join("data");
    for start in ["empty", "with data"] {
        let run = Run::of(&["serve"]).in_production("", "http://127.0.0.1:9", "/nonexistent");
        let run = run.env("ENVIRONMENT", "development").env("DRAIN_TIMEOUT_SECONDS", "0");
        let mut service = run.env("EMBEDDED_DATABASE_DIR", data.to_str().unwrap()).start();
        let url = service.listening().await;
        until("calls are accepted", || async { health(&url).await.1["ready"] == Value::Bool(true) }).await;
        assert!(
            service.said("stderr").contains("starting the embedded database"),
            "the log says so, {start}"
        );
        service.signal(Signal::SIGTERM);
        let ended = service.end().await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    assert!(data.join("data/PG_VERSION").exists(), "the data stay");
    assert!(!data.join("data/postmaster.pid").exists(), "the server has stopped");
}

#[actix::test]
async fn in_production_serve_starts_an_embedded_database_only_on_request() {
    let run = Run::of(&["serve"]).in_production("", "http://127.0.0.1:9", "/nonexistent");
    let ended = run.end().await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("\n  DATABASE_URL: "), "{}", ended.stderr);
}
