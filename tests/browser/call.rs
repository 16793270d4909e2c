//! The page of a call: why it went as it did, time travel, actions, and words from outside.

use precall_simulators::elevenlabs::{Act, Say, Step};
use serde_json::json;

use crate::support::browser::Browser;
use crate::support::{KEY, PbxPlan, PbxWorld};
use crate::worlds::{OPERATOR, READER, with_keys};

/// The agent says this, hears markup, and goes on listening.
pub fn agent_that_hears_markup() -> Vec<Step> {
    let say = Say { text: "How can I help?".to_owned(), ms: Some(600), ..Say::default() };
    vec![
        Step::Act(Act::Say(say)),
        Step::Act(Act::Transcribe { text: "<img src=x onerror=alert(1)>".to_owned() }),
        Step::Act(Act::Wait { ms: 120_000 }),
    ]
}

fn plan() -> PbxPlan {
    with_keys(PbxPlan::default().bridge(agent_that_hears_markup()))
}

#[actix::test]
async fn an_operator_opens_a_call_travels_in_time_and_hangs_it_up() {
    let world = PbxWorld::with(plan()).await;
    let Some(browser) = Browser::start(&world.app.url()).await else { return world.stop().await };
    browser.sign_in(OPERATOR, "/").await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "conversing").await;
    browser.has(&format!("#rows tr[data-id='{call}']"), 1).await;
    browser.press("j").await;
    browser.press("\u{E007}").await;
    browser.says("#head", "bridge").await;
    assert!(browser.client.current_url().await.unwrap().path().ends_with(&call.to_string()));
    browser.says("#timeline", "the caller heard").await;
    browser.says("#actors", "greeting").await;
    // Time travel: the state after the first event.
    browser.open(&format!("/calls/{call}?at=1")).await;
    browser.says("#state", "first state").await;
    browser.open(&format!("/calls/{call}")).await;
    browser.click("#actions form[action$='/hangup'] button").await;
    browser.click("dialog.confirm button.primary").await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "operator_ended");
    browser.says("#events", "operator").await;
    browser.says("#head", "ended").await;
    let audited = "select count(*) from audit_log where who = 'otto' and action = 'call_hang_up_asked'";
    assert_eq!(world.count(audited, &[]).await, 1);
    browser.open("/").await;
    browser.says(&format!("#rows tr[data-id='{call}']"), "ended").await;
    browser.is_clean().await;
    world.stop().await;
}

#[actix::test]
async fn a_read_key_sees_no_action_and_cannot_act() {
    let world = PbxWorld::with(plan()).await;
    let Some(browser) = Browser::start(&world.app.url()).await else { return world.stop().await };
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "conversing").await;
    browser.sign_in(READER, &format!("/calls/{call}")).await;
    browser.says("#timeline", "the caller heard").await;
    assert_eq!(browser.count("form.action").await, 0);
    let act = "const [path, done] = arguments;
        const csrf = document.querySelector('meta[name=csrf]').content;
        fetch(path, { method: 'POST', headers: { 'X-CSRF-Token': csrf } }).then((it) => done(it.status))";
    let path = format!("/api/v1/calls/{call}/hangup");
    let status = browser.client.execute_async(act, vec![json!(path)]).await.unwrap();
    assert_eq!(status, json!(403));
    world.hangs_up(&pbx_id);
    world.stop().await;
}

#[actix::test]
async fn a_transcript_with_markup_is_text() {
    let world = PbxWorld::with(plan()).await;
    let Some(browser) = Browser::start(&world.app.url()).await else { return world.stop().await };
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "conversing").await;
    browser.sign_in(KEY, &format!("/calls/{call}")).await;
    browser.says("#transcript", "hidden").await;
    browser.click(".me summary").await;
    browser.click("form[action='/session/personal'] button").await;
    browser.says("#transcript", "<img src=x onerror=alert(1)>").await;
    assert_eq!(browser.count("#transcript img").await, 0);
    let looks = "select count(*) from audit_log where who = 'anna' and action = 'call_seen'";
    assert!(world.count(looks, &[]).await >= 1, "the look is audited");
    world.hangs_up(&pbx_id);
    world.stop().await;
}
