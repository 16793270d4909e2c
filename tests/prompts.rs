//! Prompts as a start makes them: the real client against the simulated provider, over HTTP.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use std::f64::consts::TAU;
use std::sync::Arc;
use std::time::Duration;

use precall_audio::clip::Clip;
use precall_audio::prompts::{Origin, PromptMaker, PromptOrder, PromptSettings, Prompts, Words};
use precall_call::{LineId, VoiceId};
use precall_providers::elevenlabs::{ApiKey, ElevenLabs, Settings};
use precall_simulators::elevenlabs::{Options, start, voice_tone_hz};

fn strength(clip: &Clip, hz: u32) -> f64 {
    let (mut re, mut im, mut at) = (0.0, 0.0, 0.0_f64);
    for pair in clip.pcm().chunks(2) {
        let sample = f64::from(i16::from_le_bytes([pair[0], pair[1]]));
        re += sample * at.cos();
        im += sample * at.sin();
        at += TAU * f64::from(hz) / 8_000.0;
    }
    re.hypot(im)
}

fn words(text: &str, voice: &str) -> Option<Words> {
    Some(Words { text: text.to_owned(), voice: Some(VoiceId::new(voice)), language: Some("en".to_owned()) })
}

#[actix_web::test]
async fn a_start_prepares_everything_and_the_next_one_needs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let provider = start(Options::default()).await.unwrap();
    let base = provider.url();
    let order = PromptOrder {
        notice: words("This call is recorded.", "anna"),
        greeting: words("Good morning.", "ben"),
        apology: words("Sorry.", "ben"),
        ..PromptOrder::default()
    };
    let prepare = async || -> Arc<Prompts> {
        let settings = Settings::new(base.parse().unwrap(), ApiKey::new("sk_test")).unwrap();
        let model = Some("eleven_flash_v2_5".to_owned());
        let settings_of_prompts = PromptSettings { cache_dir: dir.path().join("prompts"), model };
        let maker = PromptMaker::new(ElevenLabs::new(Arc::new(settings)), settings_of_prompts);
        let line = LineId::new("default");
        let prepared = maker.prepare(&[(line.clone(), order.clone())], Duration::from_secs(30)).await;
        assert_eq!(prepared.problems, Vec::<String>::new());
        Arc::clone(&prepared.by_line[&line])
    };

    let first = prepare().await;
    assert_eq!(first.problems, Vec::<String>::new());
    assert_eq!(first.origins.greeting, Origin::Synthesised);
    let notice = first.notice.clone().unwrap().unwrap();
    let (anna, ben) = (voice_tone_hz("anna"), voice_tone_hz("ben"));
    assert!(strength(&notice.clip, anna) > 10.0 * strength(&notice.clip, ben), "in the notice's own voice");
    assert!(strength(&first.greeting, ben) > 10.0 * strength(&first.greeting, anna));
    assert_eq!(notice.clip.duration(), Duration::from_millis(22 * 66));
    let asked = provider.requests();
    assert_eq!(asked.len(), 3);
    for request in &asked {
        assert_eq!((&request["query"], &request["status"]), (&"output_format=pcm_8000".into(), &200.into()));
        assert_eq!(request["body"]["language_code"], "en");
    }

    provider.stop().await;
    let second = prepare().await;
    assert_eq!(second.origins.greeting, Origin::Cached);
    assert_eq!(
        (&second.notice, &second.greeting, &second.apology),
        (&first.notice, &first.greeting, &first.apology)
    );
}
