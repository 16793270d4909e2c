//! Which prompts a line wants.

use std::path::PathBuf;

use precall_call::VoiceId;
use url::Url;

/// The prompts that a line wants its callers to hear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromptOrder {
    /// Played before the greeting and never left out; none where the PBX plays it.
    pub notice: Option<Words>,
    /// A recorded greeting. It is preferred to `greeting`.
    pub greeting_file: Option<PathBuf>,
    /// A spoken greeting, used when there is no recording or it cannot be played. With neither, two notes are played.
    pub greeting: Option<Words>,
    /// Played while the caller waits.
    pub hold: HoldOrder,
    /// Spoken before precall gives the call up; with none, three notes are played.
    pub apology: Option<Words>,
}

impl PromptOrder {
    /// Whether a text is to be spoken and has no voice.
    #[must_use]
    pub fn lacks_voice(&self) -> bool {
        [&self.notice, &self.greeting, &self.apology].into_iter().flatten().any(|words| words.voice.is_none())
    }

    /// Sets the voice of every text that has none.
    pub fn speak_with(&mut self, voice: Option<VoiceId>) {
        for words in [&mut self.notice, &mut self.greeting, &mut self.apology].into_iter().flatten() {
            words.voice = words.voice.take().or_else(|| voice.clone());
        }
    }
}

/// A text to be spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The text.
    pub text: String,
    /// The voice. A text without one cannot be spoken; see [`PromptOrder::speak_with`].
    pub voice: Option<VoiceId>,
    /// ISO 639-1, with or without a region.
    pub language: Option<String>,
}

/// Hold music.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HoldOrder {
    /// The bundled loop.
    #[default]
    BuiltIn,
    /// A local recording.
    File(PathBuf),
    /// A recording on the web. When it cannot be downloaded, the last download is played.
    Address(Url),
    /// Nothing.
    Silence,
}
