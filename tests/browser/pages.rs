//! Every page opens without an error, its scripts run, and it fits into the window.

use crate::support::browser::Browser;
use crate::support::{KEY, PbxPlan, PbxWorld};
use crate::worlds::with_keys;

const PAGES: [&str; 8] =
    ["/", "/calls", "/callers", "/lines", "/lines/%2B12025550177", "/webhooks", "/system", "/audit"];

#[actix::test]
async fn every_page_opens_without_an_error_and_fits_into_the_window() {
    // The call waits for an operator for longer than the pages take on a slow machine.
    let plan = with_keys(PbxPlan::default().holding())
        .env("CLONE_MAX_WAIT_SECONDS", "300")
        .env("SAMPLE_PLAYBACK", "true");
    let world = PbxWorld::with(plan).await;
    let number = world.known_caller(1).await;
    let long = "update caller_voice_mapping set voice_name = repeat('name_without_a_space', 9)";
    world.execute(long, &[]).await;
    let pbx_id = world.rings(&number);
    let call = world.call_of(&pbx_id).await;
    for width in [1_440, 390] {
        let Some(browser) = Browser::sized(&world.app.url(), width, 900).await else { break };
        browser.sign_in(KEY, "/").await;
        for page in PAGES.iter().map(ToString::to_string).chain([format!("/calls/{call}")]) {
            browser.open(&page).await;
            browser.shown("nav a[aria-current]").await;
            browser.is_clean().await;
            let wider = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
            let too_wide = browser.run(wider, Vec::new()).await;
            assert_eq!(too_wide, 0, "{page} is wider than a window of {width}");
            // What is cut off in a navigation is not found.
            let hidden = "const nav = document.querySelector('header nav');
                return nav.scrollWidth - nav.clientWidth";
            assert_eq!(browser.run(hidden, Vec::new()).await, 0, "{page} hides pages in a window of {width}");
        }
    }
    world.hangs_up(&pbx_id);
    world.stop().await;
}
