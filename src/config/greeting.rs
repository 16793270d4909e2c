//! What the caller hears first.

use std::path::PathBuf;
use std::time::Duration;

use precall_call::VoiceId;
use serde::Deserialize;
use url::Url;

use super::problem::Problems;
use super::value::{Complaint, FromText, Read, Word, words};
use super::values::Values;
use super::variables::Section;

/// Who tells the caller about the artificial voice and the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeGivenBy {
    /// We do, before the greeting.
    Precall,
    /// The phone system did, before the call reached us.
    Pbx,
}

words!(NoticeGivenBy, "precall or pbx",
    "precall" => NoticeGivenBy::Precall,
    "pbx" => NoticeGivenBy::Pbx,
);

/// The greeting and what surrounds it.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// Who speaks it; the agent's own voice when unset.
    pub voice: Option<VoiceId>,
    /// What is said.
    pub message: String,
    /// How long it may last once it is heard.
    pub max: Duration,
    /// Whether music is played on hold.
    pub music_enabled: bool,
    /// Which music; the built-in one when unset.
    pub music_url: Option<Url>,
    /// A recording instead of a synthesised greeting.
    pub audio_file: Option<PathBuf>,
    /// Silence before the first sound, since the first moments of a connection are often lost.
    pub lead_silence: Duration,
    /// What precedes the greeting and cannot be skipped.
    pub notice: Option<String>,
    /// Who gives the notice.
    pub notice_given_by: NoticeGivenBy,
}

impl Greeting {
    /// What precedes the greeting, unless the PBX gives it.
    #[must_use]
    pub fn spoken_notice(&self) -> Option<&str> {
        match self.notice_given_by {
            NoticeGivenBy::Precall => self.notice.as_deref(),
            NoticeGivenBy::Pbx => None,
        }
    }
}

/// Music comes from the web, without credentials in its address.
struct MusicUrl(Url);

impl FromText for MusicUrl {
    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str = "an http or https address without a user or password";
        let url = Url::parse(text).map_err(|_| Complaint::new("is not an address", RIGHT))?;
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some()
        {
            return Err(Complaint::new("is not such an address", RIGHT));
        }
        Ok(Self(url))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    greeting_voice_id: Option<Read<Word>>,
    greeting_message: Read<String>,
    greeting_max_seconds: Read<u64>,
    greeting_music_enabled: Read<bool>,
    greeting_music_url: Option<Read<MusicUrl>>,
    greeting_audio_file: Option<Read<PathBuf>>,
    greeting_lead_silence_ms: Read<u64>,
    notice_message: Option<Read<String>>,
    notice_given_by: Read<NoticeGivenBy>,
}

impl Greeting {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        let raw: Raw = values.section(Section::Greeting, problems)?;
        let voice = problems.optional("GREETING_VOICE_ID", raw.greeting_voice_id);
        let message = problems.value("GREETING_MESSAGE", raw.greeting_message);
        let max = problems.seconds("GREETING_MAX_SECONDS", raw.greeting_max_seconds, 1..=300);
        let music_enabled = problems.value("GREETING_MUSIC_ENABLED", raw.greeting_music_enabled);
        let music_url = problems.optional("GREETING_MUSIC_URL", raw.greeting_music_url);
        let audio_file = problems.optional("GREETING_AUDIO_FILE", raw.greeting_audio_file);
        let lead_ms = problems.number(
            "GREETING_LEAD_SILENCE_MS",
            raw.greeting_lead_silence_ms,
            0..=5_000,
            "milliseconds",
        );
        let notice = problems.optional("NOTICE_MESSAGE", raw.notice_message);
        let notice_given_by = problems.value("NOTICE_GIVEN_BY", raw.notice_given_by);
        Some(Self {
            voice: voice?.map(|Word(id)| VoiceId::new(id)),
            message: message?,
            max: max?,
            music_enabled: music_enabled?,
            music_url: music_url?.map(|MusicUrl(url)| url),
            audio_file: audio_file?,
            lead_silence: Duration::from_millis(lead_ms?),
            notice: notice?,
            notice_given_by: notice_given_by?,
        })
    }
}
