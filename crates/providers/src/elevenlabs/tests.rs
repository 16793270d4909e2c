//! The client against servers that misbehave in every way a network can, over raw sockets on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failed test is a failed test.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use precall_call::{CallId, ConversationId, Purpose, VoiceId};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::{
    AddVoice, ApiKey, ConversationDetail, ElevenLabs, Execution, OutboundCall, ProviderError,
    ProviderErrorKind as Kind, Settings, Telephony, VariableValue, VoiceDeleted, VoiceUse,
};
use crate::elevenlabs::{SampleFormat, VoiceSample};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(400);

fn run<F: Future>(test: F) -> F::Output {
    actix::System::new()
        .block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.unwrap() })
}

fn client(base: &str) -> ElevenLabs {
    ElevenLabs::new(Arc::new(Settings::new(base.parse().unwrap(), ApiKey::new("sk_test")).unwrap()))
}

/// Each connection goes to `each`; the address is the answer.
async fn server<F, Fut>(each: F) -> String
where
    F: Fn(TcpStream) -> Fut + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    actix::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            actix::spawn(each(socket));
        }
    });
    base
}

/// Reads one whole request; head and body, or None at the end of the connection.
async fn read_request(socket: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    let head_end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(read[..head_end].to_vec()).unwrap();
    let length = header(&head, "content-length").map_or(0, |value| value.parse().unwrap());
    while read.len() < head_end + length {
        if socket.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
    Some((head, read[head_end..].to_vec()))
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then(|| value.to_owned())
    })
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A server that reads each request and writes `bytes`, then closes.
async fn answering(bytes: Vec<u8>) -> String {
    let bytes = Rc::new(bytes);
    server(move |mut socket| {
        let bytes = Rc::clone(&bytes);
        async move {
            if read_request(&mut socket).await.is_some() {
                let _ = socket.write_all(&bytes).await;
            }
        }
    })
    .await
}

fn call() -> OutboundCall {
    OutboundCall {
        telephony: Telephony::SipTrunk,
        agent_id: "agent_1".to_owned(),
        phone_number_id: "phnum_1".to_owned(),
        to: "+4917112345678".parse().unwrap(),
        call: CallId(0x0192_0000_0000_7000_8000_0000_0000_0001),
        purpose: Purpose::Agent,
        voice: Some(VoiceId::new("voice_1")),
        first_message: Some(String::new()),
        language: None,
        max_duration: Some(Duration::from_millis(90_500)),
        ringing_timeout: Some(Duration::from_secs(45)),
        dynamic_variables: vec![
            ("customer".to_owned(), VariableValue::Text("Anna".to_owned())),
            ("call_id".to_owned(), VariableValue::Text("not ours".to_owned())),
        ],
    }
}

fn voice(bytes: usize) -> AddVoice {
    let content = Bytes::from(vec![b'x'; bytes]);
    AddVoice {
        name: "precall-inst-job".to_owned(),
        description: Some("made by precall".to_owned()),
        sample: VoiceSample { format: SampleFormat::Wav, content, sha256: [7; 32], duration: Duration::ZERO },
    }
}

#[test]
fn a_form_holds_no_copy_of_the_sample() {
    let voice = voice(1024);
    let forms = [super::add_voice_body(&voice), super::add_voice_body(&voice)];
    for form in forms {
        assert_eq!(form.parts()[1].as_ptr(), voice.sample.content.as_ptr());
    }
}

async fn dial(base: &str, within: Duration) -> ProviderError {
    client(base).outbound_call(&call(), within).await.unwrap_err()
}

#[track_caller]
fn check(error: &ProviderError, kind: Kind, execution: Execution) {
    assert_eq!((error.kind, error.execution), (kind, execution), "{error:?}");
}

#[test]
fn a_refused_port_is_surely_not() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        check(&dial(&base, LONG).await, Kind::Unreachable, Execution::SurelyNot);
    });
}

#[test]
fn a_failed_tls_handshake_is_surely_not() {
    run(async {
        let base = server(|mut socket| async move {
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        });
        let base = base.await.replace("http://", "https://");
        check(&dial(&base, LONG).await, Kind::Unreachable, Execution::SurelyNot);
    });
}

#[test]
fn a_connection_closed_before_or_after_reading_is_maybe() {
    run(async {
        let before = server(|socket| async move { drop(socket) }).await;
        check(&dial(&before, LONG).await, Kind::Lost, Execution::Maybe);
        let after = answering(Vec::new()).await;
        let error = dial(&after, LONG).await;
        check(&error, Kind::Lost, Execution::Maybe);
        assert_eq!(error.status, None);
    });
}

#[test]
fn half_an_answer_is_maybe() {
    run(async {
        let head = answering(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()).await;
        assert_eq!(dial(&head, LONG).await.execution, Execution::Maybe);
        let body =
            answering(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"success\":true".to_vec()).await;
        let error = dial(&body, LONG).await;
        check(&error, Kind::Lost, Execution::Maybe);
        assert_eq!(error.status, Some(200));
        // Valid JSON so far, but not all that was promised.
        let cut =
            answering(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"success\":true}".to_vec()).await;
        check(&dial(&cut, LONG).await, Kind::Lost, Execution::Maybe);
        let chunked =
            answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"suc\r\n".to_vec()).await;
        check(&dial(&chunked, LONG).await, Kind::Garbled, Execution::Maybe);
        let refusal = answering(b"HTTP/1.1 422 No\r\ncontent-length: 500\r\n\r\n{".to_vec()).await;
        check(&dial(&refusal, LONG).await, Kind::Lost, Execution::Maybe);
    });
}

#[test]
fn one_deadline_covers_silence_and_a_dripping_body() {
    run(async {
        let silent = server(|mut socket| async move {
            let _ = read_request(&mut socket).await;
            let _ = socket.read_u8().await; // Until the client leaves.
        });
        let started = Instant::now();
        check(&dial(&silent.await, SHORT).await, Kind::Timeout, Execution::Maybe);
        let dripping = server(|mut socket| async move {
            let _ = read_request(&mut socket).await;
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
            while socket.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        // Long enough for the head on any machine; the body would take 20 s.
        let error = dial(&dripping.await, Duration::from_secs(2)).await;
        check(&error, Kind::Timeout, Execution::Maybe);
        assert_eq!(error.status, Some(200));
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    });
}

#[test]
fn waiting_for_a_connection_is_part_of_the_deadline_and_surely_not() {
    run(async {
        let (asked, mut requests) = mpsc::unbounded_channel();
        let base = server(move |mut socket| {
            let asked = asked.clone();
            async move {
                let _ = read_request(&mut socket).await;
                let _ = asked.send(());
                let _ = socket.read_u8().await;
            }
        });
        let client = client(&base.await);
        for _ in 0..100 {
            let client = client.clone();
            actix::spawn(async move { client.outbound_call(&call(), LONG).await });
        }
        for _ in 0..100 {
            requests.recv().await.unwrap();
        }
        let error = client.outbound_call(&call(), SHORT).await.unwrap_err();
        check(&error, Kind::Timeout, Execution::SurelyNot);
    });
}

#[test]
fn a_broken_upload_is_surely_not() {
    run(async {
        let base = server(|mut socket| async move {
            let mut some = [0; 10_000];
            let _ = socket.read_exact(&mut some).await;
        });
        let error = client(&base.await).add_voice(&voice(24 * 1024 * 1024), LONG).await.unwrap_err();
        check(&error, Kind::Lost, Execution::SurelyNot);
        let stuck = server(|mut socket| async move {
            let mut some = [0; 10_000];
            let _ = socket.read_exact(&mut some).await;
            std::future::pending::<()>().await;
        });
        let error = client(&stuck.await).add_voice(&voice(24 * 1024 * 1024), SHORT).await.unwrap_err();
        check(&error, Kind::Timeout, Execution::SurelyNot);
    });
}

#[test]
fn answers_that_make_no_sense_are_maybe() {
    run(async {
        for body in ["garbage", "", "[]", "{}", "null", r#"{"success":"yes"}"#] {
            let error = dial(&answering(answer("200 OK", body)).await, LONG).await;
            check(&error, Kind::Garbled, Execution::Maybe);
            assert_eq!(error.status, Some(200));
        }
        let large = format!("{{\"success\":true,\"message\":\"{}\"}}", "x".repeat(300 * 1024));
        check(&dial(&answering(answer("200 OK", &large)).await, LONG).await, Kind::Garbled, Execution::Maybe);
        let noise = answering(b"\x16\x03\x01 this is not HTTP\r\n\r\n".to_vec()).await;
        check(&dial(&noise, LONG).await, Kind::Garbled, Execution::Maybe);
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(400 * 1024));
        assert_eq!(dial(&answering(endless.into_bytes()).await, LONG).await.execution, Execution::Maybe);
    });
}

#[test]
fn a_complete_refusal_is_surely_not_and_trouble_is_maybe() {
    run(async {
        let table = [
            (
                "401 Unauthorized",
                r#"{"detail":{"code":"unauthorized"}}"#,
                Kind::Unauthorised,
                Execution::SurelyNot,
            ),
            (
                "404 Not Found",
                r#"{"detail":{"code":"agent_not_found"}}"#,
                Kind::NotFound,
                Execution::SurelyNot,
            ),
            (
                "422 Unprocessable",
                r#"{"detail":[{"loc":["body"],"msg":"m"}]}"#,
                Kind::Invalid,
                Execution::SurelyNot,
            ),
            ("500 Oops", "oops", Kind::Server, Execution::Maybe),
            ("503 Later", r#"{"detail":{"code":"service_unavailable"}}"#, Kind::Server, Execution::Maybe),
            (
                "200 OK",
                r#"{"success":false,"message":"no trunk for +4917112345678","conversation_id":null}"#,
                Kind::Declined,
                Execution::SurelyNot,
            ),
        ];
        for (status, body, kind, execution) in table {
            let error = dial(&answering(answer(status, body)).await, LONG).await;
            check(&error, kind, execution);
            assert!(!error.to_string().contains("17112345678"), "{error}");
        }
        let body = r#"{"detail":{"code":"rate_limit_exceeded"}}"#;
        let patience =
            format!("HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let error = dial(&answering(patience.into_bytes()).await, LONG).await;
        check(&error, Kind::RateLimited, Execution::SurelyNot);
        assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
    });
}

#[test]
fn a_redirect_is_not_followed() {
    run(async {
        let (asked, mut requests) = mpsc::unbounded_channel();
        let base = server(move |mut socket| {
            let asked = asked.clone();
            async move {
                let _ = asked.send(read_request(&mut socket).await.unwrap().0);
                let _ = socket
                    .write_all(b"HTTP/1.1 307 Elsewhere\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n")
                    .await;
            }
        });
        check(&dial(&base.await, LONG).await, Kind::Redirected, Execution::Maybe);
        assert!(requests.recv().await.unwrap().starts_with("POST /v1/convai/sip-trunk/outbound-call "));
        assert!(requests.try_recv().is_err());
    });
}

#[test]
fn a_dropped_request_closes_its_connection() {
    run(async {
        let (gone, mut left) = mpsc::unbounded_channel();
        let base = server(move |mut socket| {
            let gone = gone.clone();
            async move {
                let _ = read_request(&mut socket).await;
                let _ = gone.send("asked");
                assert_eq!(socket.read(&mut [0; 8]).await.unwrap_or(0), 0);
                let _ = gone.send("left");
            }
        });
        let client = client(&base.await);
        let asking = actix::spawn(async move { client.outbound_call(&call(), LONG).await });
        assert_eq!(left.recv().await, Some("asked"));
        asking.abort();
        assert_eq!(left.recv().await, Some("left"));
    });
}

/// Answers requests one after another on each connection, from a table of `METHOD path`, and tells what was asked.
async fn provider(
    routes: Vec<(&'static str, &'static str, String)>,
) -> (String, mpsc::UnboundedReceiver<(usize, String, Vec<u8>)>) {
    let (asked, requests) = mpsc::unbounded_channel();
    let routes = Rc::new(routes);
    let connections = Rc::new(std::cell::Cell::new(0));
    let base = server(move |mut socket| {
        let (asked, routes) = (asked.clone(), Rc::clone(&routes));
        let number = connections.replace(connections.get() + 1);
        async move {
            while let Some((head, body)) = read_request(&mut socket).await {
                let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
                let found = routes.iter().find(|(route, _, _)| *route == line);
                let reply = found.map_or_else(
                    || answer("404 Not Found", &format!(r#"{{"detail":"no route {line}"}}"#)),
                    |(_, status, body)| answer(status, body),
                );
                let _ = asked.send((number, head, body));
                let _ = socket.write_all(&reply).await;
            }
        }
    });
    (base.await, requests)
}

#[test]
fn a_dial_carries_key_body_and_our_ids_and_connections_are_kept() {
    run(async {
        let ok = json!({"success": true, "message": "", "conversation_id": "conv_1", "sip_call_id": "sip_1"})
            .to_string();
        let twilio =
            json!({"success": true, "message": "", "conversation_id": null, "callSid": "CA1"}).to_string();
        let (base, mut requests) = provider(vec![
            ("POST /v1/convai/sip-trunk/outbound-call", "200 OK", ok),
            ("POST /v1/convai/twilio/outbound-call", "200 OK", twilio),
        ])
        .await;
        let client = client(&format!("{base}/v1"));
        let dialled = client.outbound_call(&call(), LONG).await.unwrap();
        assert_eq!(dialled.conversation, Some(ConversationId::new("conv_1")));
        assert_eq!(dialled.telephone_call.as_deref(), Some("sip_1"));
        let (connection, head, body) = requests.recv().await.unwrap();
        assert_eq!(header(&head, "xi-api-key").as_deref(), Some("sk_test"));
        assert_eq!(header(&head, "content-type").as_deref(), Some("application/json"));
        let body: Value = serde_json::from_slice(&body).unwrap();
        let ours = call().call.to_string();
        assert_eq!(
            body,
            json!({
                "agent_id": "agent_1", "agent_phone_number_id": "phnum_1", "to_number": "+4917112345678",
                "conversation_initiation_client_data": {
                    "conversation_config_override": {
                        "tts": {"voice_id": "voice_1"}, "agent": {"first_message": ""},
                        "conversation": {"max_duration_seconds": 91}},
                    "dynamic_variables": {"customer": "Anna", "call_id": ours, "precall_purpose": "agent"},
                    "user_id": ours},
                "telephony_call_config": {"ringing_timeout_secs": 45}})
        );
        let by_twilio = OutboundCall { telephony: Telephony::Twilio, ..call() };
        let dialled = client.outbound_call(&by_twilio, LONG).await.unwrap();
        assert_eq!((dialled.conversation, dialled.telephone_call.as_deref()), (None, Some("CA1")));
        assert_eq!(requests.recv().await.unwrap().0, connection, "the connection was used again");
    });
}

#[test]
fn a_voice_is_uploaded_whole_and_its_verification_heard() {
    run(async {
        let body = r#"{"voice_id":"v1","requires_verification":false,"library_voice_match":null}"#;
        let (base, mut requests) = provider(vec![("POST /v1/voices/add", "200 OK", body.to_owned())]).await;
        let added = client(&base).add_voice(&voice(200_000), LONG).await.unwrap();
        assert_eq!((added.voice, added.usable), (VoiceId::new("v1"), VoiceUse::Ready));
        let (_, head, body) = requests.recv().await.unwrap();
        let kind = header(&head, "content-type").unwrap();
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
        assert_eq!(header(&head, "transfer-encoding"), None);
        let expected_head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nprecall-inst-job\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\nmade by precall\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"sample.wav\"\r\n\
             Content-Type: audio/wav\r\n\r\n"
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        assert_eq!(body.len(), expected_head.len() + 200_000 + tail.len());
        assert!(body.starts_with(expected_head.as_bytes()) && body.ends_with(tail.as_bytes()));

        for body in [
            r#"{"voice_id":"v1","requires_verification":true}"#,
            r#"{"voice_id":"v1","requires_verification":false,"library_voice_match":{"library_voice_id":"l"}}"#,
        ] {
            let added =
                client(&answering(answer("200 OK", body)).await).add_voice(&voice(10), LONG).await.unwrap();
            assert_eq!(added.usable, VoiceUse::NeedsVerification);
        }
        for body in [r#"{"requires_verification":false}"#, r#"{"voice_id":""}"#] {
            let error = client(&answering(answer("200 OK", body)).await).add_voice(&voice(10), LONG).await;
            check(&error.unwrap_err(), Kind::Garbled, Execution::Maybe);
        }
    });
}

#[test]
fn voices_are_found_over_pages_and_deleted_once() {
    run(async {
        let first = json!({"voices": [{"voice_id": "v1", "name": "a b", "created_at_unix": 5}], "has_more": true,
            "total_count": 2, "next_page_token": "t&1"});
        let second = json!({"voices": [{"voice_id": "v2", "created_at_unix": null}], "has_more": false, "total_count": 2});
        let (base, _requests) = provider(vec![
            ("GET /v2/voices?search=a+b&page_size=100", "200 OK", first.to_string()),
            ("GET /v2/voices?search=a+b&page_size=100&next_page_token=t%261", "200 OK", second.to_string()),
            ("DELETE /v1/voices/v1", "200 OK", r#"{"status":"ok"}"#.to_owned()),
            ("DELETE /v1/voices/v3", "500 Oops", String::new()),
        ])
        .await;
        let client = client(&base);
        let list = client.voices_named("a b", LONG).await.unwrap();
        let seen: Vec<_> =
            list.voices.iter().map(|v| (v.voice.as_str(), v.name.as_str(), v.created_at_unix)).collect();
        assert_eq!((seen, list.complete), (vec![("v1", "a b", Some(5)), ("v2", "", None)], true));
        assert_eq!(client.delete_voice(&VoiceId::new("v1"), LONG).await, Ok(VoiceDeleted::Now));
        assert_eq!(client.delete_voice(&VoiceId::new("v2"), LONG).await, Ok(VoiceDeleted::Earlier));
        assert_eq!(client.delete_voice(&VoiceId::new("v3"), LONG).await.unwrap_err().kind, Kind::Server);
    });
}

#[test]
fn conversations_are_found_by_our_call_and_read() {
    run(async {
        let ours = call().call;
        let list = json!({"conversations": [{"agent_id": "agent_1", "conversation_id": "conv_1",
            "start_time_unix_secs": 1_764_425_361, "call_duration_secs": 12, "message_count": 2, "status": "done",
            "call_successful": "success"}], "has_more": false, "next_cursor": null});
        let detail = json!({"agent_id": "agent_1", "conversation_id": "conv_1", "status": "in-progress"});
        let path: &'static str =
            format!("GET /v1/convai/conversations?user_id={ours}&page_size=100&agent_id=agent_1").leak();
        let (base, _requests) = provider(vec![
            (path, "200 OK", list.to_string()),
            ("GET /v1/convai/conversations/conv_1", "200 OK", detail.to_string()),
            ("GET /v1/convai/conversations/conv_2", "200 OK", "{}".to_owned()),
        ])
        .await;
        let client = client(&base);
        let found = client.conversations_of(ours, Some("agent_1"), LONG).await.unwrap();
        assert_eq!(found.conversations[0].conversation.as_str(), "conv_1");
        assert_eq!(found.conversations[0].duration, Some(Duration::from_secs(12)));
        assert!(found.complete);
        let detail = client.conversation(&ConversationId::new("conv_1"), LONG).await.unwrap();
        assert_eq!(detail, ConversationDetail::NotYet { status: "in-progress".to_owned() });
        let error = client.conversation(&ConversationId::new("conv_2"), LONG).await.unwrap_err();
        assert_eq!(error.kind, Kind::Garbled);
        let error = client.conversation(&ConversationId::new("conv_3"), LONG).await.unwrap_err();
        assert_eq!(error.kind, Kind::NotFound);
    });
}

#[test]
fn account_and_agent_are_read_whatever_is_missing() {
    run(async {
        let agent = json!({"agent_id": "agent_1", "name": "Reception", "metadata": {},
            "conversation_config": {"asr": {"user_input_audio_format": "ulaw_8000"},
                "tts": {"voice_id": "v0", "agent_output_audio_format": "pcm_8000"},
                "conversation": {"max_duration_seconds": 600}},
            "platform_settings": {"overrides": {"conversation_config_override": {"tts": {"voice_id": true},
                "agent": {"first_message": true, "language": false, "prompt": {"prompt": false}}},
                "enable_conversation_initiation_client_data_from_webhook": true}}});
        let account = json!({"tier": "creator", "status": "active", "voice_slots_used": 3, "voice_limit": 30,
            "voice_add_edit_counter": 9, "max_voice_add_edits": null, "can_use_instant_voice_cloning": true,
            "character_count": 17, "character_limit": 110_000});
        let (base, _requests) = provider(vec![
            ("GET /v1/convai/agents/agent_1", "200 OK", agent.to_string()),
            ("GET /v1/convai/agents/agent_2", "200 OK", r#"{"agent_id":"agent_2"}"#.to_owned()),
            ("GET /v1/user/subscription", "200 OK", account.to_string()),
        ])
        .await;
        let ours = client(&base);
        let agent = ours.agent("agent_1", LONG).await.unwrap();
        assert!(agent.overrides.voice && agent.overrides.first_message && agent.overrides.from_webhook);
        assert!(!agent.overrides.language && !agent.overrides.max_duration);
        assert_eq!(agent.output_format.as_deref(), Some("pcm_8000"));
        assert_eq!(agent.max_duration, Some(Duration::from_secs(600)));
        assert!(!ours.agent("agent_2", LONG).await.unwrap().overrides.voice);
        let account = ours.subscription(LONG).await.unwrap();
        assert_eq!((account.voice_slots_used, account.voice_limit), (Some(3), Some(30)));
        assert_eq!((account.can_clone, account.max_voice_add_edits), (Some(true), None));
        assert_eq!(ours.ping(LONG).await, Ok(()));
        for (status, code, up) in [
            ("401 No", "missing_permissions", true),
            ("401 No", "unauthorized", false),
            ("401 No", "detected_unusual_activity", false),
            ("503 No", "maintenance", false),
        ] {
            let body = format!(r#"{{"detail":{{"status":"{code}","message":"m"}}}}"#);
            let base = answering(answer(status, &body)).await;
            assert_eq!(client(&base).ping(LONG).await.is_ok(), up, "{code}");
        }
    });
}
