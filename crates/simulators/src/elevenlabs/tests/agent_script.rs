//! The agent's WebSocket: what the script makes the agent do.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::EndedBy;
use super::socket::{Came, Socket, audio_of, samples, tone_hz};
use super::{Provider, endless};

fn ms(bytes: usize) -> usize {
    bytes / 16
}

/// When audio came, after the first of it, and how long it is, in milliseconds.
fn arrivals(socket: &Socket) -> Vec<(u128, usize)> {
    let audio = socket.timed("audio");
    let first = audio[0].0;
    audio.iter().map(|(at, message)| ((*at - first).as_millis(), ms(audio_of(message).len()))).collect()
}

fn event_id(message: &Value, field: &str) -> u64 {
    message[field]["event_id"].as_u64().unwrap()
}

#[actix_web::test]
async fn dialogues_are_had_in_turn() {
    let provider = Provider::with(endless()).await;
    let says = |words: &str| json!([{ "role": "agent", "message": words }]);
    let settings = json!({ "script": says("one"), "dialogues": [says("two"), says("three")] });
    provider.simulator.set_agent(serde_json::from_value(settings).unwrap());
    let mut heard = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let mut socket = provider.sessions(json!({})).await;
        let said = socket.until("agent_response").await;
        heard.insert(said["agent_response_event"]["agent_response"].as_str().unwrap().to_owned());
    }
    assert_eq!(heard, ["one", "three", "two"].map(str::to_owned).into());
}

#[actix_web::test]
async fn by_default_it_greets_listens_and_answers() {
    let provider = Provider::with(endless()).await;
    let mut socket = provider.sessions(json!({})).await;
    socket.until("agent_response").await;
    socket.say_for(150, 8_000).await;
    let heard = socket.until("user_transcript").await;
    assert_eq!(
        heard["user_transcription_event"]["user_transcript"],
        "I would like to know when you are open."
    );
    let answer = socket.until("agent_response").await;
    assert_eq!(
        answer["agent_response_event"]["agent_response"],
        "We are open from nine to five, Monday to Friday."
    );
    assert_eq!(
        socket.kinds().iter().filter(|kind| *kind != "audio").collect::<Vec<_>>(),
        [
            "conversation_initiation_metadata",
            "agent_response",
            "tentative_user_transcript",
            "user_transcript",
            "agent_response"
        ]
    );
    let session = provider.last_talk();
    assert_eq!(session.said[0].sent_ms, session.said[0].length_ms);
    assert_eq!(session.said[0].length_ms, 66 * 26);
}

#[actix_web::test]
async fn it_goes_on_when_nobody_speaks() {
    let provider = Provider::with(endless()).await;
    let mut socket = provider
        .follows(json!([{"do": "hear", "text": "Hello?", "within_ms": 100}, {"do": "say", "text": "Are you there?"}]))
        .await;
    socket.until("agent_response").await;
    assert!(socket.all("user_transcript").is_empty(), "nothing was said");
    let mut socket = provider.follows(json!([{"do": "transcribe", "text": "Hello?"}])).await;
    let heard = socket.until("user_transcript").await;
    assert_eq!(heard["user_transcription_event"], json!({"user_transcript": "Hello?", "event_id": 1}));
}

#[actix_web::test]
async fn audio_comes_in_the_pace_that_was_asked_for() {
    let provider = Provider::with(endless()).await;
    let pieces = async |pace: Value, ms: u64| {
        let mut socket = provider
            .follows(
                json!([{"do": "say", "text": "x", "ms": ms, "pace": pace, "until": "sent"}, {"do": "end"}]),
            )
            .await;
        assert_eq!(socket.ends().await.0, Some(1000));
        arrivals(&socket)
    };
    let even = pieces(json!({"piece_ms": 20, "every_ms": 20}), 200).await;
    assert_eq!(even.iter().map(|(_, length)| *length).collect::<Vec<_>>(), [20; 10]);
    assert!((150..5_000).contains(&even[9].0), "{even:?}");
    let slow = pieces(json!({"piece_ms": 20, "every_ms": 100}), 60).await;
    assert!(slow[2].0 >= 150, "{slow:?}");
    let bursts = pieces(json!({"piece_ms": 50, "every_ms": 300, "pieces": 4}), 370).await;
    assert_eq!(
        bursts.iter().map(|(_, length)| *length).collect::<Vec<_>>(),
        [50, 50, 50, 50, 50, 50, 50, 20]
    );
    assert!(bursts[3].0 < bursts[4].0 && bursts[4].0 >= 250, "{bursts:?}");
    let at_once = pieces(json!({"piece_ms": 1000, "every_ms": 0}), 60_000).await;
    assert_eq!(at_once.len(), 60);
    assert!(at_once[59].0 < 5_000, "{at_once:?}");
}

#[actix_web::test]
async fn an_interruption_ends_what_it_says() {
    let provider = Provider::with(endless()).await;
    let script = json!([
        {"do": "say", "text": "0123456789", "ms": 2000, "interrupt_after_ms": 400, "late_pieces": 2},
        {"do": "say", "text": "Go ahead.", "ms": 100},
        {"do": "end"},
    ]);
    let mut socket = provider.follows(script).await;
    socket.ends().await;
    let interruption = socket.all("interruption").pop().unwrap();
    let correction = socket.all("agent_response_correction").pop().unwrap();
    let corrected = &correction["agent_response_correction_event"];
    assert_eq!(
        (&corrected["original_agent_response"], &corrected["event_id"]),
        (&json!("0123456789"), &json!(1))
    );
    let heard = corrected["corrected_agent_response"].as_str().unwrap();
    assert!("0123456789".starts_with(heard) && (1..=9).contains(&heard.len()), "{heard}");
    let at = event_id(&interruption, "interruption_event");
    assert!(at > 1, "later than what it interrupts");

    let kinds = socket.kinds();
    let place = kinds.iter().position(|kind| kind == "interruption").unwrap();
    let after: Vec<u64> = kinds[place..].iter().filter(|kind| *kind == "audio").map(|_| 1).collect();
    assert_eq!(after.len(), 3, "two late pieces and the next: {kinds:?}");
    let ids: Vec<u64> = socket.all("audio").iter().map(|audio| event_id(audio, "audio_event")).collect();
    assert_eq!(ids[ids.len() - 3..], [1, 1, at + 1]);

    let session = provider.last_talk();
    let said = &session.said[0];
    assert!(
        said.sent_ms < 2_000 && said.heard_ms.unwrap() >= 300 && said.heard_ms.unwrap() < said.sent_ms,
        "{said:?}"
    );
    let done = provider.reaches(&session.conversation_id, "done").await;
    let turn = &done["transcript"][0];
    assert_eq!(
        (&turn["message"], &turn["original_message"], &turn["interrupted"]),
        (&json!(heard), &json!("0123456789"), &json!(true))
    );
    assert_eq!(
        (&done["transcript"][1]["message"], &done["transcript"][1]["interrupted"]),
        (&json!("Go ahead."), &json!(false))
    );
}

#[actix_web::test]
async fn the_callers_voice_interrupts_when_it_may() {
    let provider = Provider::with(endless()).await;
    let mut socket = provider
        .follows(json!([{"do": "say", "text": "Once upon a time", "ms": 60_000, "barge_in": true}]))
        .await;
    socket.until("audio").await;
    socket.say_for(15, 0).await;
    assert_eq!(provider.last_talk().said[0].interrupted_after_ms, None, "silence is no speech");
    socket.say_for(15, 8_000).await;
    socket.until("interruption").await;
}

#[actix_web::test]
async fn a_tool_is_called_and_its_result_awaited() {
    let provider = Provider::with(endless()).await;
    let script = json!([
        {"do": "call_tool", "name": "transfer_to_person", "parameters": {"name": "sales"}},
        {"do": "say", "text": "Nobody is there.", "ms": 40},
        {"do": "call_tool", "name": "slow", "within_ms": 60},
        {"do": "end"},
    ]);
    let mut socket = provider.follows(script).await;
    let call = socket.until("client_tool_call").await["client_tool_call"].clone();
    assert_eq!(
        (&call["tool_name"], &call["parameters"]),
        (&json!("transfer_to_person"), &json!({"name": "sales"}))
    );
    let id = call["tool_call_id"].as_str().unwrap().to_owned();
    socket
        .send(json!({"type": "client_tool_result", "tool_call_id": "other", "result": "", "is_error": false}))
        .await;
    provider.session_until("a wrong id", |session| session.violation_count == 1).await;
    assert!(socket.all("agent_response").is_empty(), "it waits");
    socket
        .send(json!({"type": "client_tool_result", "tool_call_id": id, "result": "busy", "is_error": true}))
        .await;
    socket.until("agent_response").await;
    let slow = socket.until("client_tool_call").await["client_tool_call"]["tool_call_id"].clone();
    assert_eq!(socket.ends().await.0, Some(1000));
    let session = provider.last_talk();
    let answer = session.tool_calls[0].answer.clone().unwrap();
    assert_eq!((answer.result.as_str(), answer.is_error), ("busy", true));
    assert_eq!((&json!(session.tool_calls[1].tool_call_id), &session.tool_calls[1].answer), (&slow, &None));
}

#[actix_web::test]
async fn a_stall_keeps_its_pings_and_a_freeze_does_not() {
    let provider = Provider::with(endless()).await;
    let follows = async |script: Value| {
        provider.simulator.set_agent(super::super::Agent { ping_ms: 40, ..super::socket::agent(script) });
        let mut socket = provider.sessions(json!({})).await;
        socket.ends().await;
        socket
    };
    let at = |socket: &Socket, kind: &str| -> Vec<Instant> {
        socket.timed(kind).into_iter().map(|(at, _)| at).collect()
    };
    let longest_pause = |at: &[Instant]| {
        let pauses = at.windows(2).map(|pair| (pair[1] - pair[0], pair[0], pair[1]));
        pauses.max_by_key(|(pause, _, _)| *pause).unwrap()
    };
    let socket = follows(json!([
        {"do": "say", "text": "x", "ms": 400, "stall": {"at_ms": 200, "ms": 500}},
        {"do": "stall", "ms": 100},
        {"do": "end"},
    ]))
    .await;
    let (pause, from, to) = longest_pause(&at(&socket, "audio"));
    assert!(pause >= Duration::from_millis(480), "{pause:?}");
    let meanwhile = at(&socket, "ping").into_iter().filter(|at| (from..to).contains(at)).count();
    assert!(meanwhile >= 3, "{meanwhile} pings");
    let socket = follows(json!([
        {"do": "wait", "ms": 100},
        {"do": "freeze", "ms": 500},
        {"do": "wait", "ms": 100},
        {"do": "end"},
    ]))
    .await;
    let (pause, _, _) = longest_pause(&at(&socket, "ping"));
    assert!(pause >= Duration::from_millis(480), "{pause:?}");
}

#[actix_web::test]
async fn silence_and_sound_follow_each_other() {
    let provider = Provider::with(endless()).await;
    let script = json!([
        {"do": "silence", "ms": 300, "pace": {"piece_ms": 100, "every_ms": 20}},
        {"do": "say", "text": "x", "ms": 300},
        {"do": "end"},
    ]);
    let mut socket = provider.follows(script).await;
    socket.ends().await;
    let sound = samples(&socket.audio());
    assert_eq!(sound.len(), 4_800);
    assert!(sound[..2_400].iter().all(|sample| *sample == 0));
    let tone = provider.last_talk().tone_hz.unwrap();
    assert!(tone_hz(&sound[2_400..], 8_000).abs_diff(tone) <= 5);
}

#[actix_web::test]
async fn raw_messages_go_out_as_they_are() {
    let provider = Provider::with(endless()).await;
    let script = json!([
        {"do": "send", "message": {
            "type": "agent_response_complete", "agent_response_complete_event": {"event_id": 1},
        }},
        {"do": "send_text", "text": "{\"type\":"},
        {"do": "error", "code": 1002, "error_type": "llm_timeout", "message": "slow"},
        {"do": "wait", "ms": 40},
        {"do": "close", "code": 1000, "reason": "bye"},
    ]);
    let mut socket = provider.follows(script).await;
    assert_eq!(socket.ends().await, (Some(1000), "bye".to_owned()));
    assert_eq!(socket.kinds(), ["conversation_initiation_metadata", "agent_response_complete", "error"]);
    assert!(socket.came.iter().any(|(_, came)| *came == Came::Text("{\"type\":".to_owned())));
    assert_eq!(provider.last_talk().end.unwrap().by, EndedBy::Agent);
}

#[actix_web::test]
async fn vad_scores_come_when_they_are_wanted() {
    let provider = Provider::with(endless()).await;
    provider.simulator.set_agent(super::socket::agent(
        json!([{"do": "vad_score", "score": 0.5}, {"do": "wait", "ms": 600_000}]),
    ));
    let wanted = json!({"conversation_config_override": {"conversation": {"client_events": ["vad_score"]}}});
    let mut socket = provider.sessions(wanted).await;
    assert_eq!(socket.until("vad_score").await["vad_score_event"]["vad_score"], 0.5);
    socket.say(&8_000_i16.to_le_bytes().repeat(160)).await;
    assert_eq!(socket.until("vad_score").await["vad_score_event"]["vad_score"], 0.96);
}

#[actix_web::test]
async fn a_script_that_cannot_be_is_refused() {
    let provider = Provider::with(endless()).await;
    let before = provider.get("/sim/agent").await.json();
    for (bad, word) in [
        (json!([{"do": "sing"}]), "sing"),
        (json!([{"do": "say", "txt": "x"}]), "txt"),
        (json!([{"do": "end", "code": 1}]), "code"),
        (json!([{"text": "x"}]), "do"),
        (json!([{"do": "wait", "ms": 99_999_999}]), "3600000"),
        (json!([{"do": "say", "text": "x", "pace": {"piece_ms": 0}}]), "piece_ms"),
        (json!([{"do": "close", "code": 1006}]), "1006"),
        (json!([{"do": "vad_score", "score": 2}]), "between 0 and 1"),
        (json!({"voice": "v"}), "voice"),
        (json!({"agent_output_audio_format": "mp3"}), "mp3"),
        (json!({"client_events": ["sound"]}), "sound"),
        (json!({"ping_ms": 0}), "times"),
        (json!({"script": [{"role": "agent", "message": "x", "do": "say"}]}), "do"),
        (json!("x"), "Agent"),
    ] {
        let refused = provider.put("/sim/agent", &bad).await;
        assert_eq!(refused.status, 400, "{bad}");
        assert!(refused.json()["detail"].as_str().unwrap().contains(word), "{bad}: {:?}", refused.json());
    }
    assert_eq!(provider.get("/sim/agent").await.json(), before);
    assert_eq!(provider.put("/sim/agent", &before).await.status, 200, "what it shows it takes");
    let told = json!({"user_input_audio_format": "ulaw_8000", "script": []});
    assert_eq!(provider.put("/sim/agent", &told).await.status, 200);
    let after = provider.get("/sim/agent").await.json();
    assert_eq!((&after["user_input_audio_format"], &after["ping_ms"]), (&json!("ulaw_8000"), &json!(2_000)));
}
