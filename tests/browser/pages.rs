//! Every page opens without an error, and its scripts run.

use crate::support::browser::Browser;
use crate::support::{KEY, PbxPlan, PbxWorld};
use crate::worlds::with_keys;

const PAGES: [&str; 7] = ["/", "/calls", "/callers", "/lines", "/webhooks", "/system", "/audit"];

#[actix::test]
async fn every_page_opens_without_an_error() {
    let world = PbxWorld::with(with_keys(PbxPlan::default().holding())).await;
    let Some(browser) = Browser::start(&world.app.url()).await else { return world.stop().await };
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    browser.sign_in(KEY, "/").await;
    for page in PAGES.iter().map(ToString::to_string).chain([format!("/calls/{call}")]) {
        browser.open(&page).await;
        browser.shown("nav a[aria-current]").await;
        browser.is_clean().await;
        let width = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        let too_wide = browser.run(width, Vec::new()).await;
        assert_eq!(too_wide, 0, "{page} is wider than the window");
    }
    world.hangs_up(&pbx_id);
    world.stop().await;
}
