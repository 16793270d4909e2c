//! Every text and every mark has the contrast of WCAG AA, on every page, in light and in dark.

use std::collections::BTreeSet;

use serde_json::json;
use uuid::Uuid;

use crate::call::agent_that_hears_markup;
use crate::support::browser::Browser;
use crate::support::{KEY, PbxPlan, PbxWorld, Plan};
use crate::worlds::with_keys;

const CHECK: &str = include_str!("contrast.js");
/// What is closed has text as well: details, the bar of a page that is stale, messages.
const OPEN: &str = "document.querySelectorAll('details').forEach((it) => { it.open = true; });
    const bar = document.getElementById('stale');
    if (!bar || !bar.hidden) return;
    bar.hidden = false;
    bar.textContent = 'Stale';
    const toasts = document.createElement('div');
    toasts.className = 'toasts';
    toasts.innerHTML = '<p class=good>done</p><p class=bad>refused</p>';
    document.body.append(toasts)";

/// A world with something of each kind: live calls in several states, a failed one, a line, webhooks, rows of audit.
async fn full_world() -> (PbxWorld, Vec<String>, Uuid) {
    let world = Plan { clone_delay: "8000", ..Plan::default() };
    let plan = PbxPlan { world, ..PbxPlan::default() }.bridge(agent_that_hears_markup());
    let plan = with_keys(plan)
        .env("SUPERVISION", "true")
        .env("NOTICE_MENTIONS_SUPERVISION", "true")
        .env("SAMPLE_PLAYBACK", "true");
    let world = PbxWorld::with(plan).await;
    let ended = world.rings(&world.known_caller(1).await);
    let first = world.call_of(&ended).await;
    world.in_state(first, "conversing").await;
    world.hangs_up(&ended);
    world.released(first).await;
    let talking = world.rings(&world.known_caller(2).await);
    let call = world.call_of(&talking).await;
    world.in_state(call, "conversing").await;
    let mapped = world.known_caller(3).await;
    let no_sample = "update caller_voice_mapping set sample_checked_url = voice_sample_url,
        sample_checked_at = now(), sample_problem = 'the sample is nearly silent' where caller_id = $1";
    world.execute(no_sample, &[&mapped]).await;
    let bad = "insert into webhooks (id, kind, provider_id, event_timestamp, body_sha256, received_at, state,
        outcome, reason, body) values ($1, '3cx', 'gone', now(), 'x', now(), 'quarantined', 'bad_json',
        'line 1 ends too early', 'x')";
    world.execute(bad, &[&Uuid::now_v7()]).await;
    let line =
        json!({ "settings": { "agent_id": "agent_one", "language": "de" }, "publish": true, "note": "n" });
    let request = world.http.put(format!("{}/api/v1/lines/%2B12025550177", world.app.url())).bearer_auth(KEY);
    assert!(request.send_json(&line).await.unwrap().status().is_success());
    let holding = world.rings(&world.known_caller(4).await);
    (world, vec![talking, holding], call)
}

#[actix::test]
async fn every_text_and_every_mark_can_be_read_in_light_and_in_dark() {
    let (world, legs, call) = full_world().await;
    let Some(browser) = Browser::start(&world.app.url()).await else { return world.stop().await };
    browser.open("/sign-in").await;
    let mut found = BTreeSet::new();
    let mut look = async |page: &str, theme: &str| {
        browser.run("document.documentElement.dataset.theme = arguments[0]", vec![json!(theme)]).await;
        browser.run(OPEN, Vec::new()).await;
        let lines = browser.run(CHECK, Vec::new()).await;
        for line in lines.as_array().unwrap() {
            found.insert(format!("{page}, {theme}: {}", line.as_str().unwrap()));
        }
    };
    look("sign-in", "light").await;
    browser.sign_in(KEY, "/").await;
    browser.click(".me summary").await;
    browser.click("form[action='/session/personal'] button").await;
    browser.has("#rows tr[data-id]", 3).await;
    let call = format!("/calls/{call}");
    let line = "/lines/%2B12025550177";
    let pages =
        ["/", "/calls", "/callers", "/lines", line, "/webhooks", "/system", "/audit", "/audit?who=x", &call];
    for page in pages {
        browser.open(page).await;
        browser.shown("nav a[aria-current]").await;
        for theme in ["light", "dark"] {
            look(page, theme).await;
        }
    }
    let found: Vec<String> = found.into_iter().collect();
    assert!(found.is_empty(), "{} are hard to read:\n{}", found.len(), found.join("\n"));
    for leg in &legs {
        // On a slow machine it is over by itself.
        let _ = world.pbx.hang_up(leg);
    }
    world.stop().await;
}
