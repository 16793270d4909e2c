//! The agent on the caller's leg: no gap, in the cloned voice or the next best.

use precall_simulators::elevenlabs::{Act, Agent, AgentAudio, Fault, LostVoice, Pace, Say, Script, Step};
use precall_simulators::threecx::EndedBy;
use serde_json::json;

use crate::support::{PERSON, PbxPlan, PbxWorld, allowing_agent};

pub fn say(ms: u64) -> Step {
    Step::Act(Act::Say(Say { text: "Something is said.".to_owned(), ms: Some(ms), ..Say::default() }))
}

pub fn hears(text: &str) -> Step {
    Step::Act(Act::Transcribe { text: text.to_owned() })
}

/// The agent listens until the caller speaks.
pub fn listens() -> Step {
    Step::Act(Act::Hear { text: None, within_ms: 5_000 })
}

pub fn waits(ms: u64) -> Step {
    Step::Act(Act::Wait { ms })
}

pub fn ends() -> Step {
    Step::Act(Act::End {})
}

/// The agent speaks, hears a question, speaks again.
pub fn dialogue() -> Vec<Step> {
    vec![
        say(600),
        Step::Act(Act::Hear { text: Some("When are you open?".to_owned()), within_ms: 2_000 }),
        say(400),
        ends(),
    ]
}

#[actix::test]
async fn the_agent_speaks_in_the_cloned_voice_on_the_greeted_leg() {
    let plan = PbxPlan::default().bridge(dialogue()).env("AGENT_DYNAMIC_VARIABLES", "shop=Bern");
    let world = PbxWorld::with(plan).await;
    let caller = world.known_caller(1).await;
    let pbx_id = world.rings(&caller);
    let call = world.call_of(&pbx_id).await;
    let row = world.completed(call).await;
    let voice: String = row.get("cloned_voice_id");
    assert_eq!(row.get::<_, String>("cause"), "agent_ended");

    let heard = world.heard(&pbx_id);
    let greeted = heard.find(&world.greeting).expect("the whole greeting");
    let first = heard.find(&world.in_voice(&voice, 580).await).expect("the whole first answer");
    assert!(greeted < first, "the agent spoke during the greeting");
    assert!(world.asked("POST", "/routeto").is_empty(), "the caller was transferred");
    let report = world.at_pbx(&pbx_id, "the leg is dropped", |call| call.ended_by.is_some()).await;
    assert_eq!(report.ended_by, Some(EndedBy::Client));

    let talks = world.talks(call);
    assert_eq!(talks.len(), 1);
    let talk = &talks[0];
    assert_eq!((talk.authorization, talk.violations.as_slice()), ("signed_url", [].as_slice()));
    assert_eq!(talk.initiation["conversation_config_override"], json!({ "tts": { "voice_id": voice } }));
    let variables = &talk.initiation["dynamic_variables"];
    assert_eq!(variables["call_id"], json!(call.to_string()));
    assert_eq!(variables["caller_id"], json!(caller));
    assert_eq!(variables["threecx_call_id"], json!(pbx_id));
    assert_eq!(variables["shop"], json!("Bern"));
    assert!(talk.user_audio.sound_ms >= 200, "the agent did not hear the caller: {:?}", talk.user_audio);
    assert_eq!(talk.user_audio.odd_messages, 0);
    world.stop().await;
}

#[actix::test]
async fn hold_music_stops_when_the_agent_speaks() {
    let plan = PbxPlan::default().bridge(dialogue()).clone_delay_ms("2500");
    let world = PbxWorld::with(plan).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let row = world.completed(call).await;
    let voice: String = row.get("cloned_voice_id");
    let heard = world.heard(&pbx_id);
    let held = heard.find(&world.hold.start(300)).expect("hold music");
    let first = heard.find(&world.in_voice(&voice, 580).await).expect("the whole first answer");
    let greeted = heard.find(&world.greeting).expect("the whole greeting");
    assert!(greeted < held && held < first);
    assert_eq!(heard.count(&world.hold.start(300)), 1, "music after the agent was connected");
    world.stop().await;
}

#[actix::test]
async fn every_audio_format_of_the_agent_works_in_both_directions() {
    for format in ["ulaw_8000", "pcm_16000", "pcm_24000", "pcm_44100"] {
        let format: AgentAudio = format.parse().unwrap();
        let agent = Agent {
            script: Script::new(dialogue()).unwrap(),
            agent_output_audio_format: format,
            user_input_audio_format: format,
            ..allowing_agent()
        };
        let world = PbxWorld::with(PbxPlan::default().bridge_to(agent)).await;
        let pbx_id = world.rings(&world.known_caller(1).await);
        let call = world.call_of(&pbx_id).await;
        world.completed(call).await;
        let talk = &world.talks(call)[0];
        let tone = talk.tone_hz.unwrap();
        let spoken = world.tone_ms(&pbx_id, tone);
        let most = 1_100 + PbxWorld::music_like(tone);
        assert!((900..most).contains(&spoken), "{spoken} ms of {tone} Hz in {}", format.name());
        let heard = world.simulator.heard(&talk.conversation_id).unwrap();
        assert_eq!(heard.rate, format.rate());
        assert!(talk.user_audio.sound_ms >= 200, "{:?}", talk.user_audio);
        world.stop().await;
    }
}

#[actix::test]
async fn when_the_agent_refuses_the_voice_the_fallback_voice_is_used() {
    let script = Script::new(dialogue()).unwrap();
    let refusals = [
        Agent::default(),
        Agent { lost_voice: LostVoice::AtStart, ..allowing_agent() },
        Agent { lost_voice: LostVoice::AtSpeech, ..allowing_agent() },
    ];
    for (refuses_overrides, refusal) in [true, false, false].into_iter().zip(refusals) {
        let agent = Agent { script: script.clone(), ..refusal };
        // Without overrides the fallback is the agent's own voice.
        let fallback = if refuses_overrides { "" } else { "voice_fallback" };
        let plan = PbxPlan::default().bridge_to(agent.clone()).clone_delay_ms("100");
        let world = PbxWorld::with(plan.env("FALLBACK_VOICE_ID", fallback)).await;
        let pbx_id = {
            let caller = world.known_caller(1).await;
            if !refuses_overrides {
                // Cloned in a first call, deleted before the second.
                let first = world.rings(&caller);
                let row = world.completed(world.call_of(&first).await).await;
                let gone = row.get::<_, String>("cloned_voice_id");
                world.simulator.set_agent(Agent { unknown_voices: vec![gone], ..agent });
            }
            world.rings(&caller)
        };
        let call = world.call_of(&pbx_id).await;
        let row = world.completed(call).await;
        assert_eq!(row.get::<_, String>("cause"), "agent_ended");
        let talks = world.talks(call);
        // What the agent does not allow is not sent, so it refuses nothing.
        assert_eq!(talks.len(), if refuses_overrides { 1 } else { 2 }, "{talks:#?}");
        let talk = talks.last().unwrap();
        let expected = (!refuses_overrides).then(|| json!({ "tts": { "voice_id": "voice_fallback" } }));
        assert_eq!(talk.initiation.get("conversation_config_override"), expected.as_ref());
        let heard = world.heard(&pbx_id);
        assert!(heard.contains(&world.in_voice(talk.voice_id.as_deref().unwrap(), 580).await));
        assert!(heard.contains(&world.greeting), "the greeting was cut");
        world.stop().await;
    }
}

#[actix::test]
async fn with_an_unreachable_agent_the_caller_hears_music_and_goes_to_a_person() {
    const SIGNED_URL: &str = "/v1/convai/conversation/get-signed-url";
    const SOCKET: &str = "/v1/convai/conversation?";
    let faults = [
        Fault { status: Some(401), ..Fault::on(SIGNED_URL) },
        Fault { status: Some(404), ..Fault::on(SIGNED_URL) },
        Fault { status: Some(500), ..Fault::on(SIGNED_URL) },
        Fault { body: Some(json!({ "signed_url": "wss://elsewhere.example/" })), ..Fault::on(SIGNED_URL) },
        Fault { body: Some(json!("no JSON")), ..Fault::on(SIGNED_URL) },
        Fault { hang: true, ..Fault::on(SIGNED_URL) },
        Fault { status: Some(403), ..Fault::on(SOCKET) },
        Fault { status: Some(503), ..Fault::on(SOCKET) },
        Fault { close: true, ..Fault::on(SOCKET) },
        Fault { hang: true, ..Fault::on(SOCKET) },
    ];
    for fault in faults {
        let what = format!("{fault:?}");
        let plan = PbxPlan { provider: vec![fault], ..PbxPlan::default().bridge(dialogue()) };
        let world = PbxWorld::with(plan.env("HANDOFF_MAX_SECONDS", "5")).await;
        let pbx_id = world.rings(&world.known_caller(1).await);
        let call = world.call_of(&pbx_id).await;
        let row = world.released(call).await;
        let end = ["cause", "blame", "told"].map(|column| row.get::<_, String>(column));
        assert_eq!(end, ["reached_person", "provider", "person"], "{what}");
        let report = world.report(&pbx_id);
        let tried: Vec<&str> = report.transfers.iter().map(|t| t.destination.as_str()).collect();
        assert_eq!(tried, [PERSON], "{what}");
        world.audio_never_stopped(&pbx_id, &format!("music between the attempts: {what}"));
        world.stop().await;
    }
}

#[actix::test]
async fn a_provider_that_is_busy_for_a_moment_does_not_cost_the_voice() {
    for status in [429, 500, 503] {
        let busy = Fault {
            status: Some(status),
            times: Some(2),
            ..Fault::on("/v1/convai/conversation/get-signed-url")
        };
        let plan = PbxPlan { provider: vec![busy], ..PbxPlan::default().bridge(dialogue()) };
        let world = PbxWorld::with(plan).await;
        let pbx_id = world.rings(&world.known_caller(1).await);
        let call = world.call_of(&pbx_id).await;
        let row = world.completed(call).await;
        let voice: String = row.get("cloned_voice_id");
        let talks = world.talks(call);
        assert_eq!((talks.len(), talks[0].voice_id.as_ref()), (1, Some(&voice)), "{status}");
        assert!(world.heard(&pbx_id).contains(&world.in_voice(&voice, 580).await), "{status}");
        world.stop().await;
    }
}

#[actix::test]
async fn when_the_agent_socket_closes_before_it_speaks_the_next_rung_follows() {
    for code in [1002, 1008, 1011] {
        let closes = Act::Close { code, reason: "scripted".to_owned(), error_type: None };
        let plan = PbxPlan::default().bridge(vec![Step::Act(closes)]).env("FALLBACK_DESTINATION", "");
        let world = PbxWorld::with(plan).await;
        let pbx_id = world.rings(&world.known_caller(1).await);
        let call = world.call_of(&pbx_id).await;
        let row = world.released(call).await;
        assert_eq!(row.get::<_, String>("told"), "apology", "code {code}");
        let report = world.at_pbx(&pbx_id, "the leg is dropped", |call| call.ended_by.is_some()).await;
        assert_eq!(report.ended_by, Some(EndedBy::Client), "code {code}");
        world.audio_never_stopped(&pbx_id, &format!("music between the attempts: code {code}"));
        assert!(world.heard(&pbx_id).contains(&world.apology().await), "code {code}");
        assert!((2..=4).contains(&world.talks(call).len()), "code {code}: tried {}", world.talks(call).len());
        world.stop().await;
    }
}

#[actix::test]
async fn with_voice_wait_start_the_agent_begins_in_the_fallback_voice_and_the_clone_is_kept() {
    let plan = PbxPlan::default().bridge(dialogue()).clone_delay_ms("4000");
    let plan = plan.env("VOICE_WAIT", "start").env("MAX_HOLD_SECONDS", "1");
    let world = PbxWorld::with(plan).await;
    let caller = world.known_caller(1).await;
    let first = world.rings(&caller);
    let call = world.call_of(&first).await;
    world.completed(call).await;
    assert_eq!(world.talks(call)[0].voice_id.as_deref(), Some("voice_fallback"));
    let statement = "select cloned_voice_id from voice_clone_cache where caller_id = $1";
    let row = world.until_row("the clone is kept", statement, &[&caller]).await;
    let clone: String = row.get(0);
    let second = world.rings(&caller);
    let call = world.call_of(&second).await;
    world.completed(call).await;
    assert_eq!(world.talks(call)[0].voice_id, Some(clone));
    assert_eq!(world.uploads(), 1);
    world.stop().await;
}

#[actix::test]
async fn agent_audio_in_bursts_is_paced_and_late_audio_is_awaited() {
    let at_once = Pace { piece_ms: 250, every_ms: 0, pieces: 1 };
    let slow = Pace { piece_ms: 100, every_ms: 140, pieces: 1 };
    let paced = |pace| Step::Act(Act::Say(Say { ms: Some(1_000), pace: Some(pace), ..Say::default() }));
    let world = PbxWorld::with(PbxPlan::default().bridge(vec![paced(at_once), paced(slow), ends()])).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let row = world.completed(call).await;
    let voice: String = row.get("cloned_voice_id");
    world.audio_never_stopped(&pbx_id, "silence between the answers is sent");
    assert_eq!(world.report(&pbx_id).overflow_bytes, 0);
    // Both answers, with only silence between them.
    assert!(world.heard(&pbx_id).contains(&world.in_voice(&voice, 1_900).await));
    world.stop().await;
}

#[actix::test]
async fn an_agent_that_is_ready_in_time_follows_the_greeting_without_hold_music() {
    let plan = PbxPlan { greeting_ms: 2_000, ..PbxPlan::default().bridge(dialogue()) };
    let world = PbxWorld::with(plan).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let row = world.completed(call).await;
    let voice: String = row.get("cloned_voice_id");
    let heard = world.heard(&pbx_id);
    // `heard` leaves out silence, so any other audio would be between the two.
    let both = world.greeting.end(200).then(&world.in_voice(&voice, 580).await);
    assert!(heard.contains(&both), "other audio between greeting and agent");
    world.audio_never_stopped(&pbx_id, "the agent follows the greeting");
    world.stop().await;
}

#[actix::test]
async fn a_public_agent_needs_no_signed_url_and_speaks_the_configured_first_message() {
    let plan = PbxPlan::default().bridge(dialogue());
    let plan = plan.env("AGENT_ACCESS", "public").env("AGENT_FIRST_MESSAGE", "Good day.");
    let world = PbxWorld::with(plan).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.completed(call).await;
    let talk = &world.talks(call)[0];
    assert_eq!(talk.authorization, "public");
    assert_eq!(talk.transcript[0].message, "Good day.");
    assert_eq!(world.requests("/v1/convai/conversation/get-signed-url"), [] as [serde_json::Value; 0]);
    world.stop().await;
}

#[actix::test]
async fn with_an_empty_first_message_the_agent_waits_for_the_caller() {
    let script = vec![listens(), say(600), ends()];
    let plan = PbxPlan::default().bridge(script).env("AGENT_FIRST_MESSAGE", "none");
    let world = PbxWorld::with(plan.env("AGENT_STALL_SECONDS", "1")).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    let row = world.completed(call).await;
    let talk = &world.talks(call)[0];
    assert_eq!(talk.initiation["conversation_config_override"]["agent"], json!({ "first_message": "" }));
    let voice: String = row.get("cloned_voice_id");
    assert!(world.heard(&pbx_id).contains(&world.in_voice(&voice, 580).await));
    world.stop().await;
}
