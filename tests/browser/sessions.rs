//! Signing in and out in a browser.

use crate::support::browser::Browser;
use crate::support::{PbxPlan, PbxWorld};
use crate::worlds::{READER, with_keys};

#[actix::test]
async fn a_key_opens_the_board_and_is_not_kept_in_the_page() {
    let world = PbxWorld::with(with_keys(PbxPlan::default())).await;
    let Some(browser) = Browser::start(&world.app.url()).await else { return world.stop().await };
    browser.open("/").await;
    browser.shown("#key").await.send_keys("a-wrong-key-a-wrong-key-a-wrong-key").await.unwrap();
    browser.click("main button").await;
    browser.says("[role=alert]", "unknown API key").await;
    browser.sign_in(READER, "/?order=problems").await;
    let address = browser.client.current_url().await.unwrap();
    assert_eq!((address.path(), address.query()), ("/", Some("order=problems")));
    browser.says("#lights", "database ok").await;
    let kept = "return [document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage),
        document.documentElement.outerHTML].join(' ')";
    let kept = browser.run(kept, Vec::new()).await;
    assert!(!kept.as_str().unwrap().contains(READER), "the page keeps the key");
    browser.is_clean().await;
    browser.click(".me summary").await;
    browser.click("form[action='/sign-out'] button").await;
    browser.shown("#key").await;
    browser.open("/").await;
    browser.shown("#key").await;
    world.stop().await;
}
