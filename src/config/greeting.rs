//! What the caller hears before an agent speaks.

use std::path::PathBuf;
use std::time::Duration;

use precall_actors::call::line::Line;
use precall_audio::prompts::{HoldOrder, PromptOrder, Words};
use precall_call::VoiceId;
use serde::Deserialize;

use super::dtmf_key::DtmfKey;
use super::music::Music;
use super::notice::{NoticeGivenBy, NoticeMessage, NoticeText};
use super::problem::Problems;
use super::value::{Read, Word};
use super::values::Values;
use super::variables::Section;

/// What is said where nothing is configured and nobody is called back. The notice says the rest.
pub(super) const ON_LIVE_LEG: &str = "Hello! One moment please, you are being connected.";

/// The greeting and what surrounds it.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// Who speaks it; the agent's own voice when unset.
    pub voice: Option<VoiceId>,
    /// What is said.
    pub message: String,
    /// How long it may last once it is heard.
    pub max: Duration,
    /// What is played on hold.
    pub hold: HoldOrder,
    /// A recording instead of a synthesised greeting.
    pub audio_file: Option<PathBuf>,
    /// Silence before the first sound, since the first moments of a connection are often lost.
    pub lead_silence: Duration,
    /// The key that ends the greeting; never the notice.
    pub skip_key: Option<char>,
    /// The key that asks for a person, at any time of the call.
    pub person_key: Option<char>,
    /// Which model speaks what is prepared; the provider's default when unset.
    pub model: Option<String>,
    /// What precedes the greeting and cannot be skipped.
    pub notice: Option<NoticeMessage>,
    /// Who gives the notice.
    pub notice_given_by: NoticeGivenBy,
    /// What is said before a call is given up.
    pub apology: String,
    /// Where prepared sound is kept.
    pub prompt_cache_dir: PathBuf,
}

impl Greeting {
    /// What precedes the greeting on a line without a language, unless the PBX gives it.
    #[must_use]
    pub fn spoken_notice(&self) -> Option<&str> {
        self.notice_in(None).map(|notice| notice.text)
    }

    /// What precedes the greeting on a line that speaks `language`, unless the PBX gives it.
    #[must_use]
    pub fn notice_in<'a>(&'a self, language: Option<&'a str>) -> Option<NoticeText<'a>> {
        match self.notice_given_by {
            NoticeGivenBy::Precall => self.notice.as_ref().map(|notice| notice.of(language)),
            NoticeGivenBy::Pbx => None,
        }
    }

    /// What callers of a line hear: the line's words, voice and language, and the rest from here. A line with words of its
    /// own does not play the recording of everybody's.
    #[must_use]
    pub fn prompt_order(&self, line: &Line) -> PromptOrder {
        let voice = line.greeting_voice.as_ref().or(line.fallback_voice.as_ref());
        let words = |text: &str, language: Option<&str>| Words {
            text: text.to_owned(),
            voice: voice.cloned(),
            language: language.map(str::to_owned),
        };
        let language = line.language.as_deref();
        let has_own_words = line.greeting_message != self.message;
        PromptOrder {
            notice: self.notice_in(language).map(|notice| words(notice.text, notice.language)),
            greeting_file: self.audio_file.clone().filter(|_| !has_own_words),
            greeting: Some(words(&line.greeting_message, language)),
            hold: self.hold.clone(),
            apology: Some(words(&self.apology, None)),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    greeting_voice_id: Option<Read<Word>>,
    greeting_message: Read<String>,
    greeting_max_seconds: Read<u64>,
    greeting_music_enabled: Read<bool>,
    greeting_music_url: Option<Read<Music>>,
    greeting_audio_file: Option<Read<PathBuf>>,
    greeting_lead_silence_ms: Read<u64>,
    greeting_skip_dtmf: Option<Read<DtmfKey>>,
    fallback_dtmf: Option<Read<DtmfKey>>,
    greeting_model_id: Option<Read<Word>>,
    notice_message: Option<Read<NoticeMessage>>,
    notice_given_by: Read<NoticeGivenBy>,
    apology_message: Read<String>,
    prompt_cache_dir: Read<PathBuf>,
}

impl Greeting {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        let raw: Raw = values.section(Section::Greeting, problems)?;
        let voice = problems.optional("GREETING_VOICE_ID", raw.greeting_voice_id);
        let message = problems.value("GREETING_MESSAGE", raw.greeting_message);
        let max = problems.seconds("GREETING_MAX_SECONDS", raw.greeting_max_seconds, 1..=300);
        let music_enabled = problems.value("GREETING_MUSIC_ENABLED", raw.greeting_music_enabled);
        let music = problems.optional("GREETING_MUSIC_URL", raw.greeting_music_url);
        let audio_file = problems.optional("GREETING_AUDIO_FILE", raw.greeting_audio_file);
        let lead_ms = problems.number(
            "GREETING_LEAD_SILENCE_MS",
            raw.greeting_lead_silence_ms,
            0..=2_000,
            "milliseconds",
        );
        let skip_key = problems.optional("GREETING_SKIP_DTMF", raw.greeting_skip_dtmf);
        let person_key = problems.optional("FALLBACK_DTMF", raw.fallback_dtmf);
        if let (Some(Some(DtmfKey(skip))), Some(Some(DtmfKey(person)))) = (skip_key, person_key)
            && skip == person
        {
            let wrong = format!("is `{person}`, which is GREETING_SKIP_DTMF as well");
            problems.add("FALLBACK_DTMF", wrong, "two different keys");
        }
        let model = problems.optional("GREETING_MODEL_ID", raw.greeting_model_id);
        let notice = problems.optional("NOTICE_MESSAGE", raw.notice_message);
        let notice_given_by = problems.value("NOTICE_GIVEN_BY", raw.notice_given_by);
        let apology = problems.value("APOLOGY_MESSAGE", raw.apology_message);
        let prompt_cache_dir = problems.value("PROMPT_CACHE_DIR", raw.prompt_cache_dir);
        Some(Self {
            voice: voice?.map(|Word(id)| VoiceId::new(id)),
            message: message?,
            max: max?,
            hold: if music_enabled? { Music::order(music?) } else { HoldOrder::Silence },
            audio_file: audio_file?,
            lead_silence: Duration::from_millis(lead_ms?),
            skip_key: skip_key?.map(|DtmfKey(key)| key),
            person_key: person_key?.map(|DtmfKey(key)| key),
            model: model?.map(|Word(id)| id),
            notice: notice?,
            notice_given_by: notice_given_by?,
            apology: apology?,
            prompt_cache_dir: prompt_cache_dir?,
        })
    }
}
