//! What callers hear before an agent speaks, prepared at start and on reload. Nothing here is asked for during a call: a call
//! takes its line's [`Prompts`], which are bytes in memory.
//!
//! Whatever cannot be prepared is replaced by bundled sound and said to be a problem. A notice is not: who is not told
//! about an artificial voice and a recording must not speak with one, so the line has no notice and the call has to hear of
//! it.

mod bundled;
mod cache;
mod decode;
mod download;
mod pcm;
mod prepare;
mod resample;
mod source;

use std::path::PathBuf;

use precall_call::VoiceId;
use sha2::{Digest, Sha256};
use url::Url;

pub use bundled::{apology as bundled_apology, greeting as bundled_greeting, hold as bundled_hold};
pub use decode::{AudioError, FILE_BYTES_MAX, LENGTH_MAX, decode};
pub use download::DownloadError;
pub use prepare::{Prepared, PromptMaker, PromptSettings};
pub use source::PromptError;

use crate::clip::Clip;

/// What a line wants its callers to hear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromptOrder {
    /// What precedes the greeting and is never left out; none where the PBX gives it.
    pub notice: Option<Words>,
    /// A recorded greeting; goes before the words.
    pub greeting_file: Option<PathBuf>,
    /// A spoken greeting, when there is no recording or it cannot be played. With neither, two notes are played.
    pub greeting: Option<Words>,
    /// What is played while the caller waits.
    pub hold: HoldOrder,
    /// What is said before the call is given up; with none, three notes are played.
    pub apology: Option<Words>,
}

impl PromptOrder {
    /// Whether something is to be spoken and nobody is named to speak it.
    #[must_use]
    pub fn lacks_voice(&self) -> bool {
        [&self.notice, &self.greeting, &self.apology].into_iter().flatten().any(|words| words.voice.is_none())
    }

    /// Who speaks what nobody is named for.
    pub fn speak_with(&mut self, voice: Option<VoiceId>) {
        for words in [&mut self.notice, &mut self.greeting, &mut self.apology].into_iter().flatten() {
            words.voice = words.voice.take().or_else(|| voice.clone());
        }
    }
}

/// Something to be spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The text.
    pub text: String,
    /// Who speaks it. None cannot be spoken: whoever knows the agent's own voice puts it here.
    pub voice: Option<VoiceId>,
    /// ISO 639-1, with or without a region.
    pub language: Option<String>,
}

/// What is played while the caller waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HoldOrder {
    /// The bundled loop.
    #[default]
    BuiltIn,
    /// A recording of this machine.
    File(PathBuf),
    /// A recording of the web. What it led to last is played when it leads to nothing.
    Address(Url),
    /// Nothing.
    Silence,
}

/// What a line's callers hear: plain data, shared by its calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompts {
    /// What precedes the greeting. An error means that there should be one and there is none: no caller of this line may be
    /// handed to an agent.
    pub notice: Result<Option<Notice>, NoticeMissing>,
    /// Never empty.
    pub greeting: Clip,
    /// To be played again and again. Empty is silence.
    pub hold: Clip,
    /// Never empty.
    pub apology: Clip,
    /// Where each of them is from.
    pub origins: Origins,
    /// What could not be prepared as ordered, and what is played instead; for people.
    pub problems: Vec<String>,
}

/// A notice that can be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The sound; never empty or silent.
    pub clip: Clip,
    /// Which words it holds: see [`notice_version`].
    pub version: String,
}

/// Why a line has no notice although it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the notice cannot be played: {0}")]
pub struct NoticeMissing(pub String);

/// Where the prompts of a line are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origins {
    /// None without a notice.
    pub notice: Option<Origin>,
    /// The greeting's.
    pub greeting: Origin,
    /// None for silence.
    pub hold: Option<Origin>,
    /// The apology's.
    pub apology: Origin,
}

/// Where a prompt is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A recording of this machine.
    File,
    /// A recording of the web, just fetched.
    Downloaded,
    /// Just spoken.
    Synthesised,
    /// Spoken or fetched before, and kept.
    Cached,
    /// Made by precall.
    Bundled,
}

impl Origin {
    /// The one name used in logs and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Downloaded => "downloaded",
            Self::Synthesised => "synthesised",
            Self::Cached => "cached",
            Self::Bundled => "bundled",
        }
    }
}

/// Which notice a caller heard, as it is recorded: the first 12 hexadecimal digits of the SHA-256 of language, a line break
/// and text. Voice and model do not count: the words are what a caller was told.
#[must_use]
pub fn notice_version(language: Option<&str>, text: &str) -> String {
    let digest = Sha256::digest(format!("{}\n{text}", language.unwrap_or_default()));
    let mut version = hex::encode(digest);
    version.truncate(12);
    version
}
