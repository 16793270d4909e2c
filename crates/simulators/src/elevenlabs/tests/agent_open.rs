//! The agent's WebSocket: how it is opened, what comes first, what is refused.

use std::time::Duration;

use awc::error::WsClientError;
use serde_json::{Value, json};

use super::super::{Access, Agent, AgentAudio, EndedBy, Fault, LostVoice, Options, voice_tone_hz};
use super::socket::{agent, audio_of, samples, tone_hz};
use super::{Provider, endless, open_agent};

const SIGN: &str = "/v1/convai/conversation/get-signed-url?agent_id=agent_1";

async fn signed_url(provider: &Provider, path: &str) -> String {
    provider.get(path).await.json()["signed_url"].as_str().unwrap().to_owned()
}

/// How opening this address ends.
async fn refusal(provider: &Provider, url: &str) -> (Option<u16>, Vec<String>) {
    let mut socket = provider.opens(url).await;
    let (code, _) = socket.ends().await;
    (code, socket.kinds())
}

#[actix_web::test]
async fn a_signed_url_opens_a_conversation() {
    let provider = Provider::with(endless()).await;
    let answer = provider.get(SIGN).await;
    let fields: Vec<String> = answer.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!((answer.status, fields), (200, vec!["signed_url".to_owned()]));
    let url = signed_url(&provider, SIGN).await;
    let host = provider.simulator.url().replace("http://", "ws://");
    assert!(
        url.starts_with(&format!("{host}/v1/convai/conversation?agent_id=agent_1&conversation_signature=")),
        "{url}"
    );
    let mut socket = provider.opens(&url).await;
    assert_eq!(socket.protocol.as_deref(), Some("convai"));
    socket.initiate(json!({"user_id": "call-1"})).await;
    let first = socket.next().await;
    let metadata =
        socket.all("conversation_initiation_metadata").pop().unwrap_or_else(|| panic!("{first:?}"));
    let id = metadata["conversation_initiation_metadata_event"]["conversation_id"].as_str().unwrap();
    assert_eq!(
        metadata["conversation_initiation_metadata_event"],
        json!({"conversation_id": id, "agent_output_audio_format": "pcm_8000", "user_input_audio_format": "pcm_8000"})
    );
    let shown = provider.get("/sim/conversations").await.json();
    assert_eq!(
        shown,
        json!([{"conversation_id": id, "agent_id": "agent_1", "user_id": "call-1", "to_number": null,
                "status": "in-progress", "voice_id": null}])
    );
    let one = provider.get(&format!("/sim/conversations/{id}")).await.json();
    assert_eq!(
        (&one["status"], &one["socket"]["authorization"]),
        (&json!("in-progress"), &json!("signed_url"))
    );
    assert_eq!(one["socket"]["violations"], json!([]));
    let found = provider.get("/v1/convai/conversations?user_id=call-1").await.json();
    assert_eq!(found["conversations"][0]["conversation_id"], id);
    let asked = provider.simulator.requests();
    assert_eq!(asked.iter().filter(|request| request["status"] == 101).count(), 1, "{asked:?}");
}

#[actix_web::test]
async fn the_address_is_the_one_that_was_asked() {
    let provider = Provider::with(endless()).await;
    let port = provider.simulator.url().rsplit(':').next().unwrap().to_owned();
    let asked = provider.client.get(format!("http://localhost:{port}{SIGN}")).send().await.unwrap();
    let url = super::reply(asked).await.json()["signed_url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&format!("ws://localhost:{port}/")), "{url}");
}

#[actix_web::test]
async fn signatures_are_checked() {
    let provider = Provider::with(Options { api_key: Some("k".parse().unwrap()), ..endless() }).await;
    assert_eq!(provider.get(SIGN).await.status, 401, "signing needs the key");
    let provider = Provider::with(endless()).await;
    let unnamed = provider.get("/v1/convai/conversation/get-signed-url").await;
    assert_eq!((unnamed.status, &unnamed.json()["detail"][0]["loc"]), (422, &json!(["query", "agent_id"])));
    assert_eq!(provider.get(&format!("{SIGN}&include_conversation_id=maybe")).await.status, 422);

    let url = signed_url(&provider, SIGN).await;
    let refused = (Some(1008), vec!["error".to_owned()]);
    assert_eq!(refusal(&provider, &format!("{url}x")).await, refused, "another signature");
    assert_eq!(refusal(&provider, &url.replace("agent_1", "agent_2")).await, refused, "another agent");
    for _ in 0..2 {
        provider.opens(&url).await.initiate(json!({})).await;
    }
    let once = signed_url(&provider, &format!("{SIGN}&include_conversation_id=true")).await;
    provider.opens(&once).await.initiate(json!({})).await;
    assert_eq!(refusal(&provider, &once).await, refused, "a second time");

    provider.simulator.set_agent(Agent { signed_url_ms: 1, access: Access::SignedUrl, ..Agent::default() });
    let stale = signed_url(&provider, SIGN).await;
    let after = std::time::Instant::now() + Duration::from_millis(2);
    super::eventually("it is too old", || async { (std::time::Instant::now() > after).then_some(()) }).await;
    assert_eq!(refusal(&provider, &stale).await, refused, "too late");
    assert_eq!(refusal(&provider, &provider.socket_url()).await, refused, "without a signature");
    let nameless = provider.url("/v1/convai/conversation").replace("http", "ws");
    assert_eq!(refusal(&provider, &nameless).await, refused, "without an agent");
    assert_eq!(provider.get("/v1/convai/conversation?agent_id=a").await.status, 404, "no upgrade");
}

#[actix_web::test]
async fn the_agent_speaks_in_each_format_in_the_tone_of_its_voice() {
    let provider = Provider::with(endless()).await;
    for format in AgentAudio::ALL {
        let told = Agent {
            agent_output_audio_format: format,
            user_input_audio_format: format,
            ..agent(json!([{"do": "say", "text": "", "ms": 1000, "until": "sent"}, {"do": "end"}]))
        };
        provider.simulator.set_agent(told);
        let mut socket = provider
            .sessions(json!({"conversation_config_override": {"tts": {"voice_id": "voice-7"}}}))
            .await;
        assert_eq!(socket.ends().await.0, Some(1000));
        let metadata =
            &socket.all("conversation_initiation_metadata")[0]["conversation_initiation_metadata_event"];
        assert_eq!(metadata["agent_output_audio_format"], format.name());
        let agent = provider.get("/v1/convai/agents/agent_1").await.json();
        assert_eq!(agent["conversation_config"]["tts"]["agent_output_audio_format"], format.name());
        assert_eq!(agent["conversation_config"]["asr"]["user_input_audio_format"], format.name());
        let audio = socket.audio();
        let rate = usize::try_from(format.rate()).unwrap();
        let is_ulaw = format == AgentAudio::Ulaw8000;
        assert_eq!(audio.len(), if is_ulaw { rate } else { rate * 2 }, "{format:?}: one second");
        if !is_ulaw {
            let heard = tone_hz(&samples(&audio), format.rate());
            assert!(heard.abs_diff(voice_tone_hz("voice-7")) <= 2, "{format:?}: {heard}");
        }
        assert_eq!(provider.last_talk().tone_hz, Some(voice_tone_hz("voice-7")));
    }
}

#[actix_web::test]
async fn the_first_message_says_what_the_conversation_is_like() {
    let provider = Provider::with(endless()).await;
    provider.simulator.set_agent(agent(json!([
        {"role": "agent", "message": "Hi {{name}}."},
        {"do": "hear", "within_ms": 20},
        {"role": "agent", "message": "Bye {{name}}."},
        {"do": "end"},
    ])));
    let data = json!({
        "conversation_config_override": {
            "agent": {"first_message": "Welcome {{name}}", "language": "en", "prompt": {"prompt": "Be kind."}},
            "tts": {"voice_id": "v", "stability": 0.5, "speed": 1.0, "similarity_boost": 0.8},
            "conversation": {"client_events": ["conversation_initiation_metadata", "agent_response"]},
        },
        "custom_llm_extra_body": {"a": [1]},
        "dynamic_variables": {"name": "Ann", "call_id": "c", "n": 1, "vip": true},
        "user_id": "u",
        "source_info": {"source": "precall", "version": null},
    });
    let mut socket = provider.sessions(data.clone()).await;
    assert_eq!(socket.ends().await, (Some(1000), String::new()));
    assert_eq!(socket.kinds(), ["conversation_initiation_metadata", "agent_response", "agent_response"]);
    assert!(socket.all("ping").is_empty(), "only what was asked for");
    let said: Vec<Value> = socket
        .all("agent_response")
        .iter()
        .map(|said| said["agent_response_event"]["agent_response"].clone())
        .collect();
    assert_eq!(said, ["Welcome Ann", "Bye Ann."]);
    let session = provider.last_talk();
    assert_eq!(session.violations, Vec::<String>::new());
    assert_eq!((session.voice_id.as_deref(), &session.initiation["user_id"]), (Some("v"), &json!("u")));
    let done = provider.reaches(&session.conversation_id, "done").await;
    assert_eq!(done["user_id"], "u");
    assert_eq!(done["conversation_initiation_client_data"]["dynamic_variables"]["call_id"], "c");
    assert_eq!(done["metadata"]["phone_call"], Value::Null);
    assert_eq!(done["metadata"]["authorization_method"], "public");

    let mut waits =
        provider.sessions(json!({"conversation_config_override": {"agent": {"first_message": ""}}})).await;
    waits.ends().await;
    assert_eq!(waits.all("agent_response").len(), 1, "it waits for the caller");
}

#[actix_web::test]
async fn what_the_agent_does_not_allow_ends_it_before_it_begins() {
    let provider = Provider::with(endless()).await;
    let mut told = Agent { required_variables: vec!["call_id".to_owned()], ..open_agent() };
    told.allowed_overrides.retain(|field| field != "tts.voice_id");
    told.unknown_voices = vec!["nobody".to_owned()];
    provider.simulator.set_agent(told.clone());
    let shown = provider.get("/v1/convai/agents/agent_1").await.json();
    let overrides = &shown["platform_settings"]["overrides"]["conversation_config_override"];
    assert_eq!((&overrides["tts"]["voice_id"], &overrides["tts"]["speed"]), (&json!(false), &json!(true)));
    let with_voice = |voice: &str| {
        json!({
            "conversation_config_override": {"tts": {"voice_id": voice}},
            "dynamic_variables": {"call_id": "c"},
        })
    };

    let mut socket = provider.sessions(with_voice("v")).await;
    let reason = "Override for field 'voice_id' is not allowed by config.";
    assert_eq!(socket.ends().await, (Some(1008), reason.to_owned()));
    let error = &socket.all("error")[0]["error_event"];
    assert_eq!(
        (&error["code"], &error["error_type"], &error["message"]),
        (&json!(1008), &json!("override_error"), &json!(reason))
    );
    let failed = provider.reaches(&provider.last_talk().conversation_id, "failed").await;
    assert_eq!(failed["metadata"]["error"], json!({"code": 1008, "reason": reason}));

    let mut socket = provider.sessions(json!({})).await;
    assert_eq!(socket.ends().await.0, Some(1008));
    assert_eq!(socket.all("error")[0]["error_event"]["error_type"], "missing_dynamic_variable");
    assert_eq!(provider.last_talk().violations, Vec::<String>::new(), "the message itself was right");

    told.allowed_overrides.push("tts.voice_id".to_owned());
    provider.simulator.set_agent(told.clone());
    let deleted = provider.clone_voice("v").await;
    provider.delete(&format!("/v1/voices/{deleted}")).await;
    for voice in [deleted.as_str(), "nobody"] {
        let mut socket = provider.sessions(with_voice(voice)).await;
        assert_eq!(socket.ends().await.0, Some(1008), "{voice}");
        assert_eq!(socket.kinds(), ["error"]);
        assert_eq!(socket.all("error")[0]["error_event"]["error_type"], "value_error");
    }
    told.lost_voice = LostVoice::AtSpeech;
    provider.simulator.set_agent(told);
    let mut socket = provider.sessions(with_voice("nobody")).await;
    assert_eq!(socket.ends().await.0, Some(1002));
    assert_eq!(socket.kinds(), ["conversation_initiation_metadata", "error"]);
    assert_eq!(socket.all("error")[0]["error_event"]["error_type"], "tts_cascade_error");
}

#[actix_web::test]
async fn a_voice_that_is_deleted_while_it_speaks_is_lost() {
    let provider = Provider::with(endless()).await;
    let voice = provider.clone_voice("v").await;
    let mut socket =
        provider.sessions(json!({"conversation_config_override": {"tts": {"voice_id": voice}}})).await;
    audio_of(&socket.until("audio").await);
    provider.delete(&format!("/v1/voices/{voice}")).await;
    assert_eq!(socket.ends().await.0, Some(1002));
    assert_eq!(
        provider.reaches(&provider.last_talk().conversation_id, "failed").await["metadata"]["error"]["code"],
        1002
    );
}

#[actix_web::test]
async fn it_begins_without_a_first_message_after_a_moment() {
    let provider = Provider::with(endless()).await;
    provider.simulator.set_agent(Agent { initiation_ms: 60, ..Agent::default() });
    let mut socket = provider.opens(&provider.socket_url()).await;
    socket.until("conversation_initiation_metadata").await;
    let session = provider.last_talk();
    assert!(session.began_after_ms.unwrap() >= 60, "{session:?}");
    assert_eq!(session.violations, Vec::<String>::new());
    socket.initiate(json!({})).await;
    provider.session_until("too late", |session| session.violation_count == 1).await;
}

#[actix_web::test]
async fn faults_fall_on_the_socket_alone() {
    let provider = Provider::with(endless()).await;
    let place = "/v1/convai/conversation?";
    provider.simulator.set_faults(vec![Fault { status: Some(503), times: Some(1), ..Fault::on(place) }]);
    assert_eq!(provider.get(SIGN).await.status, 200);
    assert_eq!(provider.get("/v1/convai/conversations").await.status, 200);
    match provider.client.ws(provider.socket_url()).connect().await {
        Err(WsClientError::InvalidResponseStatus(status)) => assert_eq!(status.as_u16(), 503),
        other => panic!("{:?}", other.map(|_| ())),
    }
    provider.simulator.set_faults(vec![Fault { close: true, times: Some(1), ..Fault::on(place) }]);
    assert!(provider.client.ws(provider.socket_url()).connect().await.is_err());
    let mut socket = provider.sessions(json!({})).await;
    socket.until("conversation_initiation_metadata").await;
    assert_eq!(provider.last_talk().end, None);
    assert!(provider.simulator.hang_up(&provider.last_talk().conversation_id));
    assert_eq!(socket.ends().await.0, Some(1000));
    assert_eq!(provider.last_talk().end.unwrap().by, EndedBy::HangUp);
}
