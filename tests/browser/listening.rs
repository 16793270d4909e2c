//! Live supervision in the page of a call: the sound really plays, the sign is seen, the agent is told something.

use std::cell::RefCell;

use precall_simulators::elevenlabs::{Act, Say, Step};
use precall_simulators::threecx::{NewCall, Speaks};
use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::{KEY, PbxPlan, PbxWorld, until};
use crate::worlds::with_keys;

/// What the caller says: the agent's voice is not near it.
const CALLER_HZ: u32 = 1_900;

/// Puts an analyser behind each side of what the worklet plays: `window.sides` has the caller's and the agent's.
const TAP: &str = "const connect = AudioNode.prototype.connect;
    window.sides = [];
    AudioNode.prototype.connect = function (...to) {
      if (this instanceof AudioWorkletNode) {
        const split = new ChannelSplitterNode(this.context, { numberOfOutputs: 2 });
        connect.call(this, split);
        window.sides = [0, 1].map((side) => {
          const made = new AnalyserNode(this.context, { fftSize: 2048 });
          connect.call(split, made, side);
          return made;
        });
      }
      return connect.apply(this, to);
    }";

/// The state of the sound, and for each side its level (RMS) and its loudest tone in hertz.
const HEARD: &str = "return window.sides.map((side) => {
      const wave = new Float32Array(side.fftSize), tones = new Float32Array(side.frequencyBinCount);
      side.getFloatTimeDomainData(wave);
      side.getFloatFrequencyData(tones);
      const level = Math.sqrt(wave.reduce((sum, one) => sum + one * one, 0) / wave.length);
      return { state: side.context.state, level,
        hz: tones.indexOf(Math.max(...tones)) * side.context.sampleRate / side.fftSize };
    })";

/// The agent speaks, and then again and again.
fn talkative() -> Vec<Step> {
    let say = Say { text: "Something is said.".to_owned(), ms: Some(2_000), ..Say::default() };
    let speak = [Step::Act(Act::Say(say)), Step::Act(Act::Wait { ms: 300 })];
    (0..40).flat_map(|_| speak.clone()).collect()
}

/// Waits until the side plays what the condition wants of its level and its tone.
async fn plays(browser: &Browser, side: usize, what: &str, wanted: impl Fn(f64, f64) -> bool) -> Value {
    let found = RefCell::new(Value::Null);
    until(what, || async {
        let heard = browser.run(HEARD, Vec::new()).await[side].take();
        let (level, hz) = (heard["level"].as_f64(), heard["hz"].as_f64());
        found.replace(heard);
        level.zip(hz).is_some_and(|(level, hz)| wanted(level, hz))
    })
    .await;
    found.into_inner()
}

#[actix::test]
async fn an_operator_hears_both_sides_tells_the_agent_something_and_stops() {
    let plan = with_keys(PbxPlan::default().bridge(talkative()))
        .env("SUPERVISION", "true")
        .env("NOTICE_MENTIONS_SUPERVISION", "true");
    let world = PbxWorld::with(plan).await;
    let Some(browser) = Browser::start(&world.app.url()).await else { return world.stop().await };
    let number = world.known_caller(1).await;
    let pbx_id =
        world.rings_so(NewCall { speaks: Speaks::Tone(CALLER_HZ), ..NewCall::from(number.as_str()) });
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "conversing").await;
    browser.sign_in(KEY, &format!("/calls/{call}")).await;
    browser.says("#supervision", "Nobody listens.").await;
    browser.run(TAP, Vec::new()).await;
    browser.click("#listen").await;
    browser.says("#listen-state", "You are listening: caller left, agent right.").await;
    browser.has("body.is-listening", 1).await;
    browser.says("#supervision .listened", "One person listens.").await;
    let caller = plays(&browser, 0, "the caller is heard", |level, hz| {
        level > 0.01 && (hz - f64::from(CALLER_HZ)).abs() < 20.0
    })
    .await;
    let agent = plays(&browser, 1, "the agent is heard", |level, hz| {
        level > 0.01 && (hz - f64::from(CALLER_HZ)).abs() > 100.0
    })
    .await;
    eprintln!("caller {caller}, agent {agent}");
    assert_eq!((&caller["state"], &agent["state"]), (&json!("running"), &json!("running")));

    browser.shown("#tell").await.send_keys("The order was sent today.").await.unwrap();
    browser.click("form[action$='/tell'] button").await;
    world
        .until("the agent is told", || async {
            world.talks(call)[0].contextual_updates == ["The order was sent today."]
        })
        .await;
    browser.says(".toasts", "Tell the agent: done").await;
    assert_eq!(
        browser.shown("#tell").await.prop("value").await.unwrap().as_deref(),
        Some(""),
        "not told twice"
    );
    browser.shown("#say").await.send_keys("Your parcel comes tomorrow.").await.unwrap();
    browser.click("form[action$='/say'] button").await;
    browser.click("dialog.confirm button.primary").await;
    world
        .until("the agent is asked to say it", || async {
            world.talks(call)[0]
                .user_messages
                .iter()
                .any(|said| said.ends_with(" Your parcel comes tomorrow."))
        })
        .await;

    browser.click("#listen-end").await;
    browser.says("#listen-state", "You have stopped listening.").await;
    browser.has("body.is-listening", 0).await;
    browser.says("#supervision", "Nobody listens.").await;
    for action in ["listen_began", "listen_ended", "call_agent_told", "call_agent_say_asked"] {
        let rows = "select count(*) from audit_log where who = 'anna' and action = $1 and subject = $2";
        world.until(action, || async { world.count(rows, &[&action, &call]).await == 1 }).await;
    }
    let why = "select count(*) from audit_log where action = 'listen_ended' and detail ->> 'reason' = 'client_left'";
    assert_eq!(world.count(why, &[]).await, 1);
    browser.is_clean().await;
    // Listening ends with the call, and says why.
    browser.click("#listen").await;
    browser.says("#listen-state", "You are listening").await;
    world.hangs_up(&pbx_id);
    browser.says("#listen-state", "Listening has ended: call ended.").await;
    browser.has("body.is-listening", 0).await;
    world.stop().await;
}
