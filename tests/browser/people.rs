//! The page of callers: a sample is uploaded and played, a caller is mapped, and what is refused says why.

use std::path::Path;

use serde_json::json;

use crate::support::browser::Browser;
use crate::support::{KEY, PbxPlan, PbxWorld, caller, write_sample};
use crate::worlds::with_keys;

const PLAYS: &str = "select count(*) from audit_log where who = 'anna' and action = 'sample_played'";

/// Notes every state of the first upload form in `window.states`.
const WATCH: &str = "const form = document.querySelector('.upload');
    window.states = [];
    const note = () => window.states.push([form.querySelector('output').textContent,
        form.querySelector('progress').hidden, form.querySelector('button').disabled]);
    new MutationObserver(note).observe(form,
        { subtree: true, childList: true, attributes: true, characterData: true })";

/// Opens the page with numbers, as an administrator.
async fn callers(world: &PbxWorld) -> Option<Browser> {
    let browser = Browser::start(&world.app.url()).await?;
    browser.sign_in(KEY, "/callers").await;
    browser.click(".me summary").await;
    browser.click("form[action='/session/personal'] button").await;
    browser.shown("#new-caller").await;
    Some(browser)
}

async fn upload(browser: &Browser, file: &Path) {
    browser.shown(".upload input[type=file]").await.send_keys(&file.display().to_string()).await.unwrap();
    browser.run(WATCH, Vec::new()).await;
    browser.click(".upload button").await;
}

#[actix::test]
async fn a_sample_is_uploaded_with_its_progress_and_its_verdict() {
    let world = PbxWorld::with(with_keys(PbxPlan::default())).await;
    let number = world.known_caller(1).await;
    let Some(browser) = callers(&world).await else { return world.stop().await };
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good.wav");
    write_sample(&good, 7);
    upload(&browser, &good).await;
    browser.says(".upload output", "usable: wav, 4.0 s").await;
    let states = browser.run("return window.states", Vec::new()).await;
    let states = states.as_array().unwrap();
    let during = |words: &str| {
        states.iter().any(|state| {
            state[0].as_str().unwrap().contains(words) && state[1] == json!(false) && state[2] == json!(true)
        })
    };
    assert!(
        during("uploading") && during("sent, precall listens to it"),
        "the bar is seen meanwhile: {states:?}"
    );
    assert_eq!(browser.count(".upload progress:not([hidden])").await, 0);
    let mapped = "select count(*) from caller_voice_mapping where caller_id = $1
        and voice_sample_url like 'uploads/default/%'";
    assert_eq!(world.count(mapped, &[&number]).await, 1);
    browser.is_clean().await;
    let bad = folder.path().join("letter.wav");
    std::fs::write(&bad, "this is a letter, not a voice").unwrap();
    upload(&browser, &bad).await;
    browser.says(".upload output.bad", "refused: the sample cannot be used: it is not a recording").await;
    assert_eq!(browser.count(".upload button:not([disabled])").await, 1, "it can be tried again");
    assert_eq!(world.count(mapped, &[&number]).await, 1);
    world.stop().await;
}

#[actix::test]
async fn a_caller_is_mapped_once() {
    let world = PbxWorld::with(with_keys(PbxPlan::default())).await;
    let Some(browser) = callers(&world).await else { return world.stop().await };
    let number = caller(2);
    write_sample(&world.sample(2), 2);
    let map = async |sample: &str, name: &str| {
        if browser.count("details:not(.me)[open]").await == 0 {
            browser.click("details:not(.me) summary").await;
        }
        for (field, text) in [("number", number.as_str()), ("voice_sample_url", sample), ("voice_name", name)]
        {
            let field = browser.shown(&format!("#new-caller [name={field}]")).await;
            field.clear().await.unwrap();
            field.send_keys(text).await.unwrap();
        }
        browser.click("#new-caller button").await;
    };
    map("nowhere.wav", "Anna").await;
    browser.says(".toasts p.bad", "the sample does not exist").await;
    map("2.wav", "<b>Anna</b>").await;
    browser.says(".callers tbody", &number).await;
    browser.says(".callers tbody", "<b>Anna</b>").await;
    assert_eq!(browser.count(".callers tbody b").await, 0, "a name is text");
    map("2.wav", "Bert").await;
    browser.says(".toasts p.bad", "this number is mapped already").await;
    assert_eq!(
        world.count("select count(*) from caller_voice_mapping where voice_name = 'Bert'", &[]).await,
        0
    );
    world.stop().await;
}

#[actix::test]
async fn a_sample_is_played_in_the_page_and_audited() {
    let world = PbxWorld::with(with_keys(PbxPlan::default()).env("SAMPLE_PLAYBACK", "true")).await;
    world.known_caller(1).await;
    let Some(browser) = Browser::start(&world.app.url()).await else { return world.stop().await };
    browser.sign_in(KEY, "/callers").await;
    browser.shown(".callers audio").await;
    assert_eq!(world.count(PLAYS, &[]).await, 0, "nothing is fetched before somebody plays");
    // Played to its end: the element has decoded every second of it.
    let play = "const done = arguments[0], player = document.querySelector('audio');
        player.muted = true;
        player.playbackRate = 8;
        player.addEventListener('ended', () => done([player.duration, player.currentTime]));
        player.addEventListener('error', () => done(player.error.message));
        player.play().catch((error) => done(String(error)))";
    let played = browser.client.execute_async(play, Vec::new()).await.unwrap();
    assert_eq!(played, json!([4, 4]), "a sample of four seconds");
    assert!(world.count(PLAYS, &[]).await >= 1);
    browser.is_clean().await;
    std::fs::remove_file(world.sample(1)).unwrap();
    browser.open("/callers").await;
    browser
        .run("document.querySelector('audio').load(); document.querySelector('audio').play()", Vec::new())
        .await;
    browser.says(".callers audio + output", "The caller's sample does not exist").await;
    world.stop().await;
}
