//! Tests of preparing prompts against a scripted provider: requests, caching, and replacements for failed prompts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use precall_call::{LineId, VoiceId};
use precall_providers::elevenlabs::{ApiKey, ElevenLabs, Settings};
use precall_providers::test_peers::scripted_speech::{Asked, Reply, SpeechServer};
use tempfile::TempDir;

use super::super::prompt_set::notice_version;
use super::super::{HoldOrder, Origin, PromptOrder, Prompts, Words, bundled};
use super::{PromptMaker, PromptSettings};

const LONG: Duration = Duration::from_secs(30);

struct Fixture {
    dir: TempDir,
    server: SpeechServer,
}

impl Fixture {
    async fn with(script: impl Fn(&Asked) -> Reply + 'static) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), server: SpeechServer::start(script).await }
    }

    /// With a provider that synthesises every text.
    async fn speaking() -> Self {
        Self::with(|asked| Reply::Good("audio/pcm", speech_of(asked))).await
    }

    fn cache_dir(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    fn maker(&self) -> PromptMaker {
        maker(&self.server.base, self.cache_dir())
    }

    async fn prompts(&self, order: &PromptOrder) -> Arc<Prompts> {
        prompts(&self.maker(), order).await
    }
}

fn maker(base: &str, cache_dir: PathBuf) -> PromptMaker {
    let settings = Settings::new(base.parse().unwrap(), ApiKey::new("sk_test")).unwrap();
    PromptMaker::new(ElevenLabs::new(Arc::new(settings)), PromptSettings { cache_dir, model: None })
}

async fn prompts(maker: &PromptMaker, order: &PromptOrder) -> Arc<Prompts> {
    let line = LineId::new("default");
    let mut prepared = maker.prepare(&[(line.clone(), order.clone())], LONG).await;
    prepared.by_line.remove(&line).unwrap()
}

/// Audio whose length identifies its text: 100 ms per character.
fn speech_of(asked: &Asked) -> Vec<u8> {
    let text = asked.body["text"].as_str().unwrap();
    [0x00, 0x10, 0x00, 0xf0].repeat(text.chars().count() * 400)
}

fn length_of(text: &str) -> Duration {
    Duration::from_millis(u64::try_from(text.chars().count()).unwrap() * 100)
}

fn words(text: &str) -> Words {
    Words { text: text.to_owned(), voice: Some(VoiceId::new("v1")), language: None }
}

fn spoken(notice: &str, greeting: &str, apology: &str) -> PromptOrder {
    PromptOrder {
        notice: Some(words(notice)),
        greeting: Some(words(greeting)),
        apology: Some(words(apology)),
        ..PromptOrder::default()
    }
}

/// A second of 500 Hz at 16 kHz.
fn recording(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for n in 0..16_000_u16 {
        let sample = (f32::from(n) * std::f32::consts::TAU * 500.0 / 16_000.0).sin() * 8_000.0;
        #[allow(clippy::cast_possible_truncation)] // Within 16 bits.
        writer.write_sample(sample as i16).unwrap();
    }
    writer.finalize().unwrap();
    path
}

#[actix::test]
async fn every_text_is_synthesised_once_and_then_cached() {
    let fixture = Fixture::speaking().await;
    let order = spoken("recorded", "hello there", "sorry");
    let first = fixture.prompts(&order).await;
    assert_eq!(first.problems, Vec::<String>::new());
    let notice = first.notice.clone().unwrap().unwrap();
    assert_eq!(notice.clip.duration(), length_of("recorded"));
    assert_eq!(notice.version, notice_version(None, "recorded"));
    assert_eq!(first.greeting.duration(), length_of("hello there"));
    assert_eq!(first.apology.duration(), length_of("sorry"));
    assert_eq!((first.hold.clone(), first.origins.hold), (bundled::hold(), Some(Origin::Bundled)));
    assert_eq!(first.origins.greeting, Origin::Synthesised);
    assert_eq!(first.origins.notice, Some(Origin::Synthesised));
    assert_eq!(fixture.server.asked().len(), 3);

    let second = fixture.prompts(&order).await;
    assert_eq!(fixture.server.asked().len(), 3, "a cached prompt needs no request");
    assert_eq!(second.origins.greeting, Origin::Cached);
    assert_eq!((&second.greeting, &second.notice), (&first.greeting, &first.notice));

    fixture.prompts(&spoken("recorded", "hello here", "sorry")).await;
    assert_eq!(fixture.server.asked().len(), 4, "only the new text is requested");
}

#[actix::test]
async fn lines_share_equal_sounds_and_notices_come_first() {
    let fixture = Fixture::speaking().await;
    let mut orders = Vec::new();
    for n in 0..10 {
        let order = spoken("recorded", &format!("hello {}", n % 2), "sorry");
        orders.push((LineId::new(n.to_string()), order));
    }
    let prepared = fixture.maker().prepare(&orders, LONG).await;
    assert_eq!(prepared.by_line.len(), 10);
    let asked: Vec<String> =
        fixture.server.asked().iter().map(|asked| asked.body["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(asked.len(), 4, "{asked:?}");
    let (zero, two) = (&prepared.by_line[&LineId::new("0")], &prepared.by_line[&LineId::new("2")]);
    assert_eq!(zero.greeting.pcm().as_ptr(), two.greeting.pcm().as_ptr(), "the same bytes in memory");
    fn is_shared<T: Send + Sync>(_: &T) {}
    is_shared(&prepared);
}

#[actix::test]
async fn at_most_four_requests_run_at_once() {
    // No request is answered, so every request that may be sent is sent by the deadline.
    let fixture = Fixture::with(|_| Reply::Never).await;
    let orders: Vec<_> = (0..8)
        .map(|n| (LineId::new(n.to_string()), spoken(&format!("recorded {n}"), "hello", "sorry")))
        .collect();
    fixture.maker().prepare(&orders, Duration::from_millis(800)).await;
    let asked = fixture.server.asked();
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|asked| asked.body["text"].as_str().unwrap().starts_with("recorded")));
}

#[actix::test]
async fn a_corrupt_cache_file_is_replaced() {
    let fixture = Fixture::speaking().await;
    let order = PromptOrder { greeting: Some(words("hello there")), ..PromptOrder::default() };
    let first = fixture.prompts(&order).await;
    let file = fs::read_dir(fixture.cache_dir()).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 100]).unwrap();
    let second = fixture.prompts(&order).await;
    assert_eq!((second.origins.greeting, &second.greeting), (Origin::Synthesised, &first.greeting));
    assert_eq!(fixture.server.asked().len(), 2);
    assert_eq!(fs::read(&file).unwrap(), whole);
}

#[actix::test]
async fn without_a_provider_tones_are_played_and_a_notice_is_an_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let dir = tempfile::tempdir().unwrap();
    let prompts = prompts(&maker(&base, dir.path().into()), &spoken("recorded", "hello", "sorry")).await;
    assert_eq!((&prompts.greeting, prompts.origins.greeting), (&bundled::greeting(), Origin::Bundled));
    assert_eq!((&prompts.apology, prompts.origins.apology), (&bundled::apology(), Origin::Bundled));
    let missing = prompts.notice.clone().unwrap_err();
    assert!(
        missing.to_string().starts_with("the notice cannot be played: it could not be spoken: unreachable")
    );
    assert_eq!(prompts.origins.notice, None);
    let starts: Vec<&str> =
        prompts.problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
    assert_eq!(starts, ["notice", "greeting", "apology"], "{:?}", prompts.problems);
    assert!(prompts.problems[1].ends_with("two notes are played instead"), "{:?}", prompts.problems);
}

#[actix::test]
async fn passing_errors_are_retried_and_refusals_are_not() {
    let tries = std::cell::Cell::new(0);
    let fixture =
        Fixture::with(move |asked| match (asked.body["text"].as_str(), tries.replace(tries.get() + 1)) {
            (Some("refused"), _) => Reply::Bad("404 No", r#"{"detail":{"code":"voice_not_found"}}"#),
            (_, 0) => Reply::Bad("429 Slow", r#"{"detail":{"code":"system_busy"}}"#),
            (_, 1) => Reply::Bad("503 Later", "{}"),
            (_, _) => Reply::Good("audio/pcm", speech_of(asked)),
        })
        .await;
    let order = |text: &str| PromptOrder { notice: Some(words(text)), ..PromptOrder::default() };
    assert!(fixture.prompts(&order("recorded")).await.notice.is_ok());
    assert_eq!(fixture.server.asked().len(), 3);
    let missing = fixture.prompts(&order("refused")).await.notice.clone().unwrap_err();
    assert!(missing.to_string().contains("voice_not_found"), "{missing}");
    assert_eq!(fixture.server.asked().len(), 4, "a refusal is not retried");
}

#[actix::test]
async fn a_silent_notice_is_an_error_and_is_not_cached() {
    for sound in [vec![0_u8; 16_000], [0x00, 0x10].repeat(100)] {
        let fixture = Fixture::with(move |_| Reply::Good("audio/pcm", sound.clone())).await;
        let order = PromptOrder { notice: Some(words("recorded")), ..PromptOrder::default() };
        assert!(fixture.prompts(&order).await.notice.is_err());
        assert!(fixture.prompts(&order).await.notice.is_err());
        assert_eq!(fixture.server.asked().len(), 2);
    }
}

#[actix::test]
async fn cached_prompts_are_ready_when_the_provider_never_answers() {
    let fixture = Fixture::with(|asked| match asked.body["text"].as_str() {
        Some("hello") => Reply::Good("audio/pcm", speech_of(asked)),
        _ => Reply::Never,
    })
    .await;
    let kept = PromptOrder { greeting: Some(words("hello")), ..PromptOrder::default() };
    fixture.prompts(&kept).await;
    let orders: Vec<_> = (0..6)
        .map(|n| (LineId::new(n.to_string()), spoken(&format!("recorded {n}"), "hello", "sorry")))
        .collect();
    let prepared = fixture.maker().prepare(&orders, Duration::from_millis(800)).await;
    for prompts in prepared.by_line.values() {
        assert_eq!(
            prompts.origins.greeting,
            Origin::Cached,
            "cached prompts do not wait for hanging requests"
        );
        assert_eq!(prompts.notice.clone().unwrap_err().0, "it was not ready in time");
        assert_eq!(prompts.origins.apology, Origin::Bundled);
    }
}

#[actix::test]
async fn a_recording_is_preferred_and_its_text_is_not_synthesised() {
    let fixture = Fixture::speaking().await;
    let file = recording(fixture.dir.path(), "greeting.wav");
    let order = PromptOrder {
        greeting_file: Some(file.clone()),
        greeting: Some(words("hello")),
        hold: HoldOrder::File(file.clone()),
        ..PromptOrder::default()
    };
    let prompts = fixture.prompts(&order).await;
    assert_eq!(prompts.origins.greeting, Origin::File);
    assert_eq!(prompts.origins.hold, Some(Origin::File));
    assert_eq!(prompts.greeting.duration(), Duration::from_secs(1));
    assert_eq!((fixture.server.asked().len(), &prompts.problems), (0, &Vec::new()));

    fs::write(&file, "no sound at all").unwrap();
    let prompts = fixture.prompts(&order).await;
    assert_eq!(prompts.origins.greeting, Origin::Synthesised);
    let problem = &prompts.problems[0];
    assert!(
        problem.starts_with("greeting: GREETING_AUDIO_FILE: it is not a recording in WAV, MP3"),
        "{problem}"
    );
    assert!(problem.ends_with("GREETING_MESSAGE is spoken instead"), "{problem}");
    assert_eq!(prompts.origins.hold, Some(Origin::Bundled));
    assert_eq!(prompts.problems.len(), 2, "{:?}", prompts.problems);

    fs::remove_file(&file).unwrap();
    let alone = PromptOrder { greeting_file: Some(file), ..PromptOrder::default() };
    let prompts = fixture.prompts(&alone).await;
    assert_eq!(prompts.greeting, bundled::greeting());
    let problem = &prompts.problems[0];
    assert!(
        problem.contains("does not exist") && problem.ends_with("two notes are played instead"),
        "{problem}"
    );
}

#[actix::test]
async fn hold_music_is_downloaded_and_the_last_download_is_a_fallback() {
    let dir = tempfile::tempdir().unwrap();
    let music = fs::read(recording(dir.path(), "music.wav")).unwrap();
    let visits = std::cell::Cell::new(0);
    let fixture = Fixture::with(move |asked| {
        assert_eq!(asked.line, "GET /music.wav?key=secret");
        assert!(!asked.head.contains("xi-api-key"), "the API key goes to the provider only");
        match visits.replace(visits.get() + 1) {
            0 => Reply::Good("audio/wav", music.clone()),
            1 => Reply::Bad("410 Gone", "{}"),
            _ => Reply::Good("text/html", b"<html>moved</html>".to_vec()),
        }
    })
    .await;
    let url = format!("{}/music.wav?key=secret", fixture.server.base).parse().unwrap();
    let order = PromptOrder { hold: HoldOrder::Address(url), ..PromptOrder::default() };
    let first = fixture.prompts(&order).await;
    assert_eq!((first.origins.hold, first.problems.len()), (Some(Origin::Downloaded), 0));
    for wrong in ["its address answers with status 410", "it is a web page"] {
        let later = fixture.prompts(&order).await;
        assert_eq!((later.origins.hold, &later.hold), (Some(Origin::Cached), &first.hold));
        assert!(later.problems[0].contains(wrong), "{:?}", later.problems);
        assert!(!later.problems[0].contains("secret"), "{:?}", later.problems);
    }
    fs::remove_dir_all(fixture.cache_dir()).unwrap();
    let nothing = fixture.prompts(&order).await;
    assert_eq!((nothing.origins.hold, &nothing.hold), (Some(Origin::Bundled), &bundled::hold()));
}

#[actix::test]
async fn an_empty_order_gives_bundled_sound_without_a_problem() {
    let fixture = Fixture::speaking().await;
    let prompts = fixture.prompts(&PromptOrder { hold: HoldOrder::Silence, ..PromptOrder::default() }).await;
    assert_eq!(prompts.problems, Vec::<String>::new());
    assert_eq!(prompts.notice, Ok(None));
    assert_eq!(prompts.greeting, bundled::greeting());
    assert_eq!(prompts.apology, bundled::apology());
    assert!(prompts.hold.is_empty());
    assert_eq!(fixture.server.asked().len(), 0);
}

#[actix::test]
async fn a_text_without_a_voice_is_a_problem() {
    let fixture = Fixture::speaking().await;
    let mut order = spoken("recorded", "hello", "sorry");
    order.notice.as_mut().unwrap().voice = None;
    let prompts = fixture.prompts(&order).await;
    assert!(prompts.notice.clone().unwrap_err().0.contains("GREETING_VOICE_ID"));
    assert_eq!(prompts.origins.greeting, Origin::Synthesised);
}

#[actix::test]
async fn an_unwritable_cache_folder_is_reported_once() {
    let fixture = Fixture::speaking().await;
    let in_the_way = fixture.dir.path().join("file");
    fs::write(&in_the_way, "x").unwrap();
    let maker = maker(&fixture.server.base, in_the_way.join("cache"));
    let orders: Vec<_> = ["1", "2"]
        .map(|line| (LineId::new(line), spoken("recorded", &format!("hello {line}"), "sorry")))
        .into_iter()
        .collect();
    let prepared = maker.prepare(&orders, LONG).await;
    assert!(prepared.by_line.values().all(|prompts| prompts.notice.is_ok() && prompts.problems.is_empty()));
    assert_eq!(prepared.problems.len(), 1, "{:?}", prepared.problems);
    assert!(
        prepared.problems[0].starts_with("PROMPT_CACHE_DIR cannot be written"),
        "{:?}",
        prepared.problems
    );
}

#[test]
fn the_version_of_a_notice_depends_on_language_and_text() {
    let version = notice_version(Some("en"), "This call is recorded.");
    assert_eq!(version.len(), 12);
    assert!(version.bytes().all(|digit| digit.is_ascii_hexdigit() && !digit.is_ascii_uppercase()));
    assert_eq!(version, notice_version(Some("en"), "This call is recorded."));
    for other in [
        notice_version(Some("de"), "This call is recorded."),
        notice_version(None, "This call is recorded."),
        notice_version(Some("en"), "This call is recorded"),
    ] {
        assert_ne!(version, other);
    }
    // Versions are stored in databases, so they must never change.
    assert_eq!(notice_version(None, "x"), "bbe56d7c2d0f");
}
