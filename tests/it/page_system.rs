//! The page of the inside of the process, and what an operator does there.

use serde_json::{Value, json};

use crate::callers::with_keys;
use crate::page_session::Session;
use crate::support::{KEY, World};

const READER: &str = "reader-key-0123456789abcdef0123456789abcdef";

#[actix::test]
async fn the_system_page_shows_actors_providers_and_goals() {
    let world = World::with(with_keys()).await;
    let call = world.ring("pbx-1", &world.known_caller(1).await).await;
    world.completed(call).await;
    let reader = Session::begin(&world, READER).await;
    let page = reader.page(&world, "/system").await;
    for words in [
        "CallSupervisor",
        "VoiceBook",
        "PersistenceActor",
        "breaker closed",
        "ElevenLabs add voice",
        "2xx: 1",
        "within 35 s",
        "leader, start ",
        "Leads on this database",
        "No line is bypassed",
        "No test call was made yet",
    ] {
        assert!(page.contains(words), "{words} in {page}");
    }
    assert!(!page.contains("no commit yet") && page.contains(" of the last 512"), "{page}");
    let figures = reader.page(&world, "/system/figures").await;
    assert!(figures.starts_with("<div id=\"figures\">") && figures.contains("CallSupervisor"), "{figures}");
    world.stop().await;
}

#[actix::test]
async fn only_those_who_may_act_see_actions_and_can_act() {
    let world = World::with(with_keys()).await;
    let (reader, admin) = (Session::begin(&world, READER).await, Session::begin(&world, KEY).await);
    let page = reader.page(&world, "/system").await;
    assert!(!page.contains("data-method"), "{page}");
    let order = json!({ "on": true, "reason": "an update" });
    assert_eq!(reader.change(&world, "PUT", "/api/v1/bypass", &order).await.0, 403);
    assert_eq!(reader.change(&world, "POST", "/api/v1/drain", &Value::Null).await.0, 403);
    let page = admin.page(&world, "/system").await;
    for action in ["/api/v1/bypass", "/api/v1/canary", "/api/v1/drain"] {
        assert!(page.contains(&format!("action=\"{action}\" data-method=")), "{action} in {page}");
    }
    assert_eq!(admin.change(&world, "PUT", "/api/v1/bypass", &order).await.0, 200);
    let page = admin.page(&world, "/system").await;
    assert!(page.contains("every line") && page.contains("an update"), "{page}");
    let (status, answer) = admin.change(&world, "POST", "/api/v1/drain", &Value::Null).await;
    assert_eq!((status, &answer["live_calls"]), (202, &json!(0)), "{answer}");
    let (asked, waits) = (world.app.asked_to_stop(), std::time::Duration::from_secs(5));
    tokio::time::timeout(waits, asked).await.expect("the program hears of it");
    let row = world.until_row("the audit row", "select who from audit_log where action = 'drain'", &[]).await;
    assert_eq!(row.get::<_, String>(0), "anna");
    world.stop().await;
}
