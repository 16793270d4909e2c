//! Text to speech: formats, lengths, refusals.

use std::collections::HashSet;
use std::f64::consts::TAU;

use serde_json::json;

use super::{Form, Provider, wav};
use crate::elevenlabs::voice_tone_hz;

const PATH: &str = "/v1/text-to-speech/voice1";

#[actix_web::test]
async fn the_query_names_the_format() {
    let provider = Provider::default().await;
    let body = json!({"text": "Welcome to our house.", "output_format": "ulaw_8000"});
    let speak = async |query: &str| provider.post(&format!("{PATH}{query}"), &body).await;

    let pcm = speak("?output_format=pcm_8000").await;
    assert_eq!((pcm.status, pcm.header("content-type")), (200, Some("audio/pcm")));
    assert_eq!(pcm.header("character-cost"), Some("21"));
    assert!(pcm.header("current-concurrent-requests").is_some());
    assert!(pcm.header("maximum-concurrent-requests").is_some());
    assert_eq!(pcm.body.len(), 21 * 66 * 16, "sixteen bytes a millisecond");
    assert!(pcm.body.iter().any(|byte| *byte != 0));

    let ulaw = speak("?output_format=ulaw_8000").await;
    assert_eq!(ulaw.body.len(), pcm.body.len() / 2);
    let alaw = speak("?output_format=alaw_8000").await;
    assert_eq!(alaw.body.len(), ulaw.body.len());
    for (n, pair) in pcm.body.chunks(2).enumerate() {
        let sample = i32::from(i16::from_le_bytes([pair[0], pair[1]]));
        let close = |decoded: i32| (decoded - sample).abs() <= 8 + sample.abs() / 16;
        assert!(close(from_ulaw(ulaw.body[n])), "{sample} {}", from_ulaw(ulaw.body[n]));
        assert!(close(from_alaw(alaw.body[n])), "{sample} {}", from_alaw(alaw.body[n]));
    }

    let wav = speak("?output_format=wav_16000").await;
    assert_eq!(wav.header("content-type"), Some("audio/wav"));
    let mut reader = hound::WavReader::new(wav.body.as_ref()).unwrap();
    assert_eq!(
        (reader.spec().sample_rate, reader.spec().channels, reader.spec().bits_per_sample),
        (16_000, 1, 16)
    );
    assert_eq!(reader.samples::<i16>().count(), 21 * 66 * 16);

    // In the body it is ignored without a word.
    let mp3 = speak("").await;
    assert_eq!((mp3.header("content-type"), &mp3.body[..2]), (Some("audio/mpeg"), b"\xFF\xFB".as_slice()));
    assert_eq!(&mp3.body[417..419], b"\xFF\xFB", "frames of 128 kbit/s follow each other");
}

/// G.711 as ITU-T writes it, the other way round than the simulator's.
fn from_ulaw(code: u8) -> i32 {
    let code = !code;
    let magnitude = ((i32::from(code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4);
    if code & 0x80 != 0 { 0x84 - magnitude } else { magnitude - 0x84 }
}

fn from_alaw(code: u8) -> i32 {
    let code = code ^ 0x55;
    let mantissa = i32::from(code & 0x0F) << 4;
    let magnitude = match (code & 0x70) >> 4 {
        0 => mantissa + 8,
        segment => (mantissa + 0x108) << (segment - 1),
    };
    if code & 0x80 != 0 { magnitude } else { -magnitude }
}

#[actix_web::test]
async fn a_stream_comes_in_chunks() {
    let provider = Provider::default().await;
    let body = json!({"text": "hello"});
    let stream = provider.post(&format!("{PATH}/stream?output_format=pcm_8000"), &body).await;
    assert_eq!(stream.header("transfer-encoding"), Some("chunked"));
    assert_eq!(stream.body.len(), 400 * 16, "nothing is shorter than 400 ms");
    let whole = provider.post(&format!("{PATH}?output_format=pcm_8000"), &body).await;
    assert_eq!(whole.header("content-length"), Some("6400"));
}

#[actix_web::test]
async fn refusals_are_the_documented_ones() {
    let provider = Provider::default().await;
    let speak = async |query: &str, body| provider.post(&format!("{PATH}{query}"), &body).await;
    let no_text = speak("", json!({})).await;
    assert_eq!((no_text.status, no_text.json()["detail"][0]["loc"].clone()), (422, json!(["body", "text"])));
    assert_eq!(speak("?output_format=pcm_1", json!({"text": "a"})).await.status, 422);
    let pro = speak("?output_format=pcm_44100", json!({"text": "a"})).await;
    assert_eq!((pro.status, pro.json()["detail"]["code"].clone()), (403, json!("subscription_required")));
    assert_eq!(speak("?output_format=opus_48000_64", json!({"text": "a"})).await.status, 501);
    let settings = json!({"text": "a", "voice_settings": {"stability": 1.5}});
    assert_eq!(speak("", settings).await.status, 422);
    provider.delete("/v1/voices/voice1").await;
    let gone = speak("", json!({"text": "a"})).await;
    assert_eq!((gone.status, gone.json()["detail"]["code"].clone()), (404, json!("voice_not_found")));
}

/// How strong a frequency is in samples of 8 kHz.
fn strength(pcm: &[u8], hz: u32) -> f64 {
    let (mut re, mut im, mut at) = (0.0, 0.0, 0.0_f64);
    for pair in pcm.chunks(2) {
        let sample = f64::from(i16::from_le_bytes([pair[0], pair[1]]));
        re += sample * at.cos();
        im += sample * at.sin();
        at += TAU * f64::from(hz) / 8_000.0;
    }
    re.hypot(im)
}

#[actix_web::test]
async fn a_voice_is_known_by_its_tone() {
    let provider = Provider::default().await;
    let mut heard = Vec::new();
    for voice in ["anna", "ben"] {
        let path = format!("/v1/text-to-speech/{voice}?output_format=pcm_8000");
        heard.push(provider.post(&path, &json!({"text": "Good"})).await.body);
    }
    let (anna, ben) = (voice_tone_hz("anna"), voice_tone_hz("ben"));
    assert!(strength(&heard[0], anna) > 10.0 * strength(&heard[0], ben));
    assert!(strength(&heard[1], ben) > 10.0 * strength(&heard[1], anna));
    for hz in [anna - 10, anna + 10] {
        assert!(strength(&heard[0], anna) > 3.0 * strength(&heard[0], hz), "the nearest other voice");
    }
}

#[test]
fn voices_are_spread_over_what_a_telephone_carries() {
    let tones: Vec<u32> = (0..200).map(|n| voice_tone_hz(&format!("voice_{n}"))).collect();
    assert!(tones.iter().all(|hz| (910..=1_490).contains(hz)));
    let different = tones.iter().collect::<HashSet<_>>().len();
    assert!(different > 40, "{different} tones for 200 voices");
    assert_eq!(voice_tone_hz("voice_1"), tones[1], "always the same");
}

#[actix_web::test]
async fn a_clone_sounds_like_no_other_voice() {
    let provider = Provider::default().await;
    let mut tones = Vec::new();
    for n in 0..12 {
        let form = Form::new().text("name", &format!("precall-x-{n}")).file("a.wav", &wav("a"));
        let added = provider.upload(form).await.json();
        tones.push(voice_tone_hz(added["voice_id"].as_str().unwrap()));
    }
    tones.sort_unstable();
    assert!(tones.iter().all(|hz| (300..=890).contains(hz)), "{tones:?}");
    assert!(tones.windows(2).all(|two| two[1] - two[0] >= 20), "{tones:?}");
}
