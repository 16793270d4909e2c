//! What is wrong is on the board, in words, within five seconds.

use std::time::Duration;

use precall_simulators::elevenlabs;
use precall_simulators::threecx::{Fault, WsFault};
use serde_json::json;

use crate::support::browser::Browser;
use crate::support::{PbxPlan, PbxWorld};
use crate::worlds::{READER, with_keys};

/// What the issue asks for, and the time that a busy machine needs to look.
const SOON: Duration = Duration::from_secs(5);

#[actix::test]
async fn a_pbx_that_is_gone_is_on_the_board_in_words() {
    let world = PbxWorld::with(with_keys(PbxPlan::default())).await;
    let Some(browser) = Browser::start(&world.app.url()).await else { return world.stop().await };
    browser.sign_in(READER, "/").await;
    browser.says("#lights", "3CX ok").await;
    world.pbx.set_faults(vec![
        Fault { ws: Some(WsFault::Close), ws_close_code: Some(1006), ws_down_ms: 60_000, ..Fault::default() },
        Fault { close: true, ..Fault::on("/") },
    ]);
    let took = browser.says("#lights", "3CX error").await;
    let words = browser.text("#problems").await;
    eprintln!("the board showed it after {took:?}: {words}");
    assert!(took < SOON, "{took:?}");
    assert!(words.to_lowercase().contains("3cx"), "{words}");
    world.stop().await;
}

#[actix::test]
async fn an_agent_that_does_not_exist_is_on_the_board_in_words() {
    let plan = PbxPlan::default().bridge(Vec::new());
    let world = PbxWorld::with(with_keys(plan)).await;
    let refusal = json!({ "detail": { "code": "agent_not_found", "message": "no such agent" } });
    let url = "/v1/convai/conversation/get-signed-url";
    world.faults(vec![elevenlabs::Fault {
        status: Some(404),
        body: Some(refusal),
        ..elevenlabs::Fault::on(url)
    }]);
    let Some(browser) = Browser::start(&world.app.url()).await else { return world.stop().await };
    browser.sign_in(READER, "/").await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let has_failed = || async { world.events(call).await.contains(&"handoff_failed".to_owned()) };
    world.until("the handoff has failed", has_failed).await;
    let took = browser.says("#problems", "no such agent").await;
    eprintln!("the board showed it after {took:?}: {}", browser.text("#problems").await);
    assert!(took < SOON, "{took:?}");
    world.stop_after_cuts().await;
}
