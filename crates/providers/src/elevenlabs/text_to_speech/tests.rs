//! Text-to-speech requests, and checks of the audio.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use precall_call::VoiceId;
use serde_json::json;

use super::SPEECH_BYTES_MAX;
use crate::elevenlabs::{
    ApiKey, ElevenLabs, Execution, ProviderError, ProviderErrorKind as Kind, Settings, Speech, speech_body,
};
use crate::test_peers::scripted_speech::{Reply, SpeechServer};

const LONG: Duration = Duration::from_secs(20);

fn speech(model: Option<&str>, language: Option<&str>) -> Speech {
    Speech {
        text: "Good morning".to_owned(),
        voice: VoiceId::new("voice/1"),
        model: model.map(str::to_owned),
        language: language.map(str::to_owned),
    }
}

fn client(base: &str) -> ElevenLabs {
    ElevenLabs::new(Arc::new(Settings::new(base.parse().unwrap(), ApiKey::new("sk_test")).unwrap()))
}

async fn spoken(reply: impl Fn() -> Reply + 'static, within: Duration) -> Result<Bytes, ProviderError> {
    let server = SpeechServer::start(move |_| reply()).await;
    client(&server.base).speak(&speech(None, None), within).await
}

#[actix::test]
async fn the_format_is_in_the_query_and_the_voice_in_the_path() {
    let sound = vec![1_u8, 0, 255, 255];
    let answer = sound.clone();
    let server = SpeechServer::start(move |_| Reply::Good("audio/mpeg", answer.clone())).await;
    let heard = client(&server.base).speak(&speech(None, Some("nl")), LONG).await.unwrap();
    assert_eq!(heard, sound);
    let asked = server.asked();
    assert_eq!(asked[0].line, "POST /v1/text-to-speech/voice%2F1?output_format=pcm_8000");
    assert_eq!(asked[0].body, json!({"text": "Good morning"}));
    assert!(asked[0].head.contains("\r\nxi-api-key: sk_test\r\n"), "{}", asked[0].head);
    assert!(asked[0].head.contains("\r\naccept: */*\r\n"), "{}", asked[0].head);
    assert!(!asked[0].head.contains("accept: application/json"), "{}", asked[0].head);
}

#[test]
fn a_language_is_sent_only_to_a_model_that_accepts_it() {
    let body = |model, language| speech_body(&speech(model, language));
    assert_eq!(body(None, Some("nl")), json!({"text": "Good morning"}));
    let multilingual = Some("eleven_multilingual_v2");
    assert_eq!(
        body(multilingual, Some("nl")),
        json!({"text": "Good morning", "model_id": "eleven_multilingual_v2"})
    );
    let flash = json!({"text": "Good morning", "model_id": "eleven_flash_v2_5", "language_code": "nl"});
    assert_eq!(body(Some("eleven_flash_v2_5"), Some("nl-BE")), flash);
    assert!(body(Some("eleven_flash_v2_5"), None).get("language_code").is_none());
}

#[actix::test]
async fn other_formats_are_garbled() {
    let table: [(&str, &[u8]); 9] = [
        ("application/json", b"{\"audio\":\"x\"}"),
        ("text/html; charset=utf-8", b"<html>sorry</html>"),
        ("audio/pcm", b""),
        ("audio/pcm", b"abc"),
        ("audio/pcm", b"RIFF\x10\x00\x00\x00WAVE"),
        ("audio/pcm", b"{\"detail\":\"x\" }"),
        ("audio/mpeg", b"\xff\xfb\x90\x64"),
        ("audio/mpeg", b"ID3\x04\x00\x00"),
        ("audio/opus", b"OggS\x00\x02"),
    ];
    for (kind, body) in table {
        let error = spoken(move || Reply::Good(kind, body.to_vec()), LONG).await.unwrap_err();
        assert_eq!((error.kind, error.status), (Kind::Garbled, Some(200)), "{kind} {body:?}");
    }
    assert!(
        spoken(|| Reply::Good("audio/pcm", vec![0xff, 0xfb, 0, 0]), LONG).await.is_ok(),
        "two quiet samples"
    );
    let endless = spoken(|| Reply::Good("audio/pcm", vec![0; SPEECH_BYTES_MAX + 2]), LONG).await.unwrap_err();
    assert_eq!(endless.kind, Kind::Garbled);
}

#[actix::test]
async fn refusals_have_the_same_kinds_as_for_other_requests() {
    let table = [
        ("401 No", r#"{"detail":{"status":"quota_exceeded"}}"#, Kind::Payment),
        ("401 No", r#"{"detail":{"code":"invalid_api_key"}}"#, Kind::Unauthorised),
        ("404 No", r#"{"detail":{"code":"voice_not_found"}}"#, Kind::NotFound),
        ("422 No", r#"{"detail":[{"loc":["body","text"],"msg":"m"}]}"#, Kind::Invalid),
        ("400 No", r#"{"detail":{"code":"request_too_large"}}"#, Kind::Invalid),
        ("429 No", r#"{"detail":{"code":"system_busy"}}"#, Kind::RateLimited),
        ("500 No", "oops", Kind::Server),
    ];
    for (status, body, kind) in table {
        let error = spoken(move || Reply::Bad(status, body), LONG).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {body}");
    }
    let late = spoken(|| Reply::Never, Duration::from_millis(300)).await.unwrap_err();
    assert_eq!((late.kind, late.execution), (Kind::Timeout, Execution::Maybe));
}
