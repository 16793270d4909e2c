//! Makes the pictures of the dashboard in docs/pictures, from a running service with simulators: `scripts/screenshots`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a tool of developers")]

use std::path::Path;
use std::time::Duration;

use precall_simulators::elevenlabs::{Act, Say, Step};
use serde_json::json;

use precall_test_support::browser::Browser;
use precall_test_support::{KEY, PbxPlan, PbxWorld, Plan};

fn agent() -> Vec<Step> {
    let say =
        |text: &str| Step::Act(Act::Say(Say { text: text.to_owned(), ms: Some(900), ..Say::default() }));
    vec![
        say("Good morning, how can I help?"),
        Step::Act(Act::Transcribe { text: "When are you open on Monday?".to_owned() }),
        say("From nine to five."),
        Step::Act(Act::Wait { ms: 120_000 }),
    ]
}

/// The pages, with the names of their pictures.
fn pages(call: &str) -> [(&'static str, String); 4] {
    [
        ("live", "/".to_owned()),
        ("call", format!("/calls/{call}")),
        ("history", "/calls".to_owned()),
        ("system", "/system".to_owned()),
    ]
}

#[actix::main]
async fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    std::fs::create_dir_all(&folder).unwrap();
    let world = Plan { clone_delay: "6000", ..Plan::default() };
    let plan = PbxPlan { world, greeting_ms: 2_000, ..PbxPlan::default() }.bridge(agent());
    let world = PbxWorld::with(plan).await;
    let mut legs = Vec::new();
    for n in 1..=6 {
        legs.push(world.rings(&world.known_caller(n).await));
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    let first = world.call_of(&legs[0]).await;
    world.in_state(first, "conversing").await;
    world.hangs_up(&legs[5]);
    for n in 7..=9 {
        legs.push(world.rings(&world.known_caller(n).await));
    }
    let call = world.call_of(&legs[6]).await;
    world.in_state(call, "holding").await;
    for (width, height) in [(1_440, 900), (390, 844)] {
        let Some(browser) = Browser::sized(&world.app.url(), width, height).await else { return };
        browser.sign_in(KEY, "/").await;
        for theme in ["light", "dark"] {
            let choose = "localStorage.setItem('precall-theme', arguments[0])";
            browser.run(choose, vec![json!(theme)]).await;
            for (name, path) in pages(&first.to_string()) {
                browser.open(&path).await;
                browser.shown("nav a[aria-current]").await;
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                let picture = browser.client.screenshot().await.unwrap();
                std::fs::write(folder.join(format!("{name}-{width}-{theme}.png")), picture).unwrap();
            }
        }
    }
    for leg in legs.iter().enumerate().filter(|(index, _)| *index != 5).map(|(_, leg)| leg) {
        world.hangs_up(leg);
    }
    world.stop().await;
}
