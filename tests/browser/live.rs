//! The live board: a call appears, moves through its states, and stays a while after its end.

use precall_simulators::elevenlabs::{Act, Say, Step};
use serde_json::json;

use crate::support::browser::Browser;
use crate::support::{PbxPlan, PbxWorld, Plan};
use crate::worlds::{OPERATOR, READER, with_keys};

/// The agent speaks, then listens for longer than the test lasts.
fn patient_agent() -> Vec<Step> {
    let say = Say { text: "How can I help?".to_owned(), ms: Some(600), ..Say::default() };
    vec![Step::Act(Act::Say(say)), Step::Act(Act::Wait { ms: 120_000 })]
}

/// A call whose clone takes some seconds.
fn slow_clone() -> PbxPlan {
    let world = Plan { clone_delay: "3000", ..Plan::default() };
    with_keys(PbxPlan { world, greeting_ms: 1_000, ..PbxPlan::default() }.bridge(patient_agent()))
}

#[actix::test]
async fn a_call_appears_and_moves_through_its_states() {
    let world = PbxWorld::with(slow_clone()).await;
    let Some(browser) = Browser::start(&world.app.url()).await else { return world.stop().await };
    browser.sign_in(READER, "/").await;
    browser.says("#none", "No call is live").await;
    let caller = world.known_caller(1).await;
    let pbx_id = world.rings(&caller);
    let call = world.call_of(&pbx_id).await;
    let row = format!("tr[data-id='{call}']");
    browser.says(&row, "holding").await;
    browser.says("[data-counter=holding]", "1").await;
    assert!(browser.text(&row).await.contains(" s of "), "the clone's time: {}", browser.text(&row).await);
    browser.says(&row, "conversing").await;
    browser.says(&row, "cloned").await;
    browser.says("[data-counter=conversing]", "1").await;
    let text = browser.text("body").await;
    assert!(!text.contains(&caller), "the number is masked: {text}");
    world.hangs_up(&pbx_id);
    browser.says(&row, "ended").await;
    browser.says("[data-counter=live]", "0").await;
    browser.is_clean().await;
    world.stop().await;
}

#[actix::test]
async fn new_calls_do_not_move_the_rows_that_somebody_looks_at() {
    let world = PbxWorld::with(slow_clone().holding()).await;
    let Some(browser) = Browser::start(&world.app.url()).await else { return world.stop().await };
    browser.sign_in(OPERATOR, "/").await;
    let mut legs = vec![world.rings(&world.known_caller(1).await)];
    browser.has("#rows tr[data-id]", 1).await;
    browser.press("j").await;
    browser.has("#rows tr.chosen", 1).await;
    legs.push(world.rings(&world.known_caller(2).await));
    browser.says("#fresh", "1 new").await;
    assert_eq!(browser.count("#rows tr[data-id]").await, 1);
    browser.click("#fresh").await;
    browser.has("#rows tr[data-id]", 2).await;
    // The filter is in the address.
    browser.shown("#filter").await.send_keys("no such call").await.unwrap();
    browser.has("#rows tr[data-id]", 0).await;
    assert_eq!(browser.client.current_url().await.unwrap().query(), Some("filter=no+such+call"));
    for leg in &legs {
        world.hangs_up(leg);
    }
    world.stop().await;
}

#[actix::test]
async fn the_first_paint_needs_no_script() {
    let world = PbxWorld::with(slow_clone().holding()).await;
    let Some(browser) = Browser::start(&world.app.url()).await else { return world.stop().await };
    browser.sign_in(READER, "/").await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let fetched = browser
        .client
        .execute_async(
            "const [path, done] = arguments; fetch(path).then((it) => it.text()).then(done)",
            vec![json!("/")],
        )
        .await
        .unwrap();
    let page = fetched.as_str().unwrap();
    assert!(page.contains(&call.to_string()) && page.contains("database <b>ok</b>"), "{page}");
    world.hangs_up(&pbx_id);
    world.stop().await;
}
