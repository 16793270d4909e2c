//! What the caller hears before the agent speaks.

use std::path::PathBuf;
use std::time::Duration;

use precall_actors::call::line::Line;
use precall_audio::prompts::{HoldOrder, PromptOrder, Words};
use precall_call::VoiceId;

use super::dtmf_key::DtmfKey;
use super::music::Music;
use super::notice::{NoticeGivenBy, NoticeMessage, NoticeText};
use super::problem::Problems;
use super::section::Section;
use super::setting::variables;
use super::value::Word;
use super::value::numbers::{Millis, Seconds};
use super::values::Values;
use super::variables::DefaultValue::{ByEnvironment, ByRoute, Text};
use super::variables::{Probed, Required, Restart, Routes};

variables! { Section::Greeting;
    greeting_voice_id: Word {
        restart: Restart::NotNeeded,
        probed: Probed::By("ElevenLabs voices"),
        example: "21m00Tcm4TlvDq8ikWAM",
        help: "Voice of notice, greeting and apology. Unset: FALLBACK_VOICE_ID, or else the agent's own voice.",
    }
    greeting_message: String {
        restart: Restart::NotNeeded,
        probed: Probed::Nothing,
        default: ByRoute {
            callback: "Hello! You are speaking with an AI assistant that uses an artificial voice, and this call is \
                recorded. One moment please; if the line closes, I will call you straight back.",
            live_leg: "Hello! One moment please, you are being connected.",
        },
        example: "Hello! One moment please.",
        help: "The greeting.",
        note: "On route callback it should tell the caller about the artificial voice and the recording. On the other \
            routes NOTICE_MESSAGE does that before the greeting.",
    }
    greeting_max_seconds: Seconds<1, 300> {
        restart: Restart::NotNeeded,
        default: Text("15"),
        help: "Longest greeting, counted from the moment the caller hears it.",
    }
    greeting_music_enabled: bool {
        restart: Restart::NotNeeded,
        routes: Routes::LiveLeg,
        default: Text("true"),
        help: "Play music on hold. false: silence.",
    }
    greeting_music_url: Music {
        restart: Restart::NotNeeded,
        probed: Probed::By("prompts"),
        routes: Routes::LiveLeg,
        example: "https://www.example.com/music.mp3",
        help: "Music on hold: an address, a path, or file://PATH. Unset: a built-in loop.",
        note: "WAV, MP3, FLAC, Ogg, WebM, M4A, MP4, 3GP, AAC, AIFF or CAF, at most 20 MiB and 10 minutes. It repeats. \
            precall follows no redirect to a private address or to another port of the host.",
    }
    greeting_audio_file: PathBuf {
        restart: Restart::NotNeeded,
        probed: Probed::By("prompts"),
        routes: Routes::LiveLeg,
        example: "/data/greeting.wav",
        help: "A recorded greeting, played instead of GREETING_MESSAGE.",
        note: "Formats as for GREETING_MUSIC_URL. When precall cannot play the file, it speaks GREETING_MESSAGE.",
    }
    greeting_lead_silence_ms: Millis<0, 2_000> {
        restart: Restart::NotNeeded,
        routes: Routes::LiveLeg,
        default: Text("300"),
        help: "Silence before the greeting. The first moments of a connection are often lost.",
    }
    greeting_skip_dtmf: DtmfKey {
        restart: Restart::NotNeeded,
        probed: Probed::Nothing,
        routes: Routes::LiveLeg,
        example: "#",
        help: "Key that ends the greeting. It never ends the notice.",
    }
    fallback_dtmf: DtmfKey {
        restart: Restart::NotNeeded,
        probed: Probed::Nothing,
        routes: Routes::LiveLeg,
        example: "0",
        help: "Key that asks for a person at FALLBACK_DESTINATION, at any time of the call.",
        note: "Must differ from GREETING_SKIP_DTMF.",
    }
    greeting_model_id: Word {
        restart: Restart::NotNeeded,
        probed: Probed::Cannot("a model shows only when it speaks, which costs credits"),
        routes: Routes::LiveLeg,
        example: "eleven_flash_v2_5",
        help: "ElevenLabs model that speaks notice, greeting and apology. Unset: the default of ElevenLabs.",
    }
    notice_message: NoticeMessage {
        restart: Restart::NotNeeded,
        probed: Probed::Nothing,
        required: Required::When(
            "when CALL_ROUTE is bridge or transfer, unless ENVIRONMENT is development or NOTICE_GIVEN_BY is pbx",
        ),
        example: "This call uses an artificial voice and is recorded.",
        help: "Notice before the greeting: artificial voice, recording, sharing. No key skips it.",
        note: "A JSON object gives a text for each language: \
            {\"en\": \"Recorded.\", \"nl\": \"Opgenomen.\", \"default\": \"Recorded.\"}. The language of the line \
            selects one. When precall cannot prepare the notice of a line, it hands no caller of that line to an \
            agent.",
    }
    notice_given_by: NoticeGivenBy {
        restart: Restart::NotNeeded,
        default: Text("precall"),
        help: "Who gives the notice: precall, or the PBX before the call reaches precall.",
    }
    notice_mentions_supervision: bool {
        restart: Restart::NotNeeded,
        routes: Routes::LiveLeg,
        default: Text("false"),
        help: "Say that the notice tells callers that a person may listen. SUPERVISION needs it.",
        note: "precall cannot read the notice: it is your text in your languages, or the PBX plays it. Set this after \
            every text of NOTICE_MESSAGE, or the notice of the PBX, says it.",
    }
    apology_message: String {
        restart: Restart::NotNeeded,
        probed: Probed::Nothing,
        routes: Routes::LiveLeg,
        default: Text("We are sorry: this call cannot be connected at the moment. Please try again later. Goodbye."),
        help: "What the caller hears before precall gives a call up.",
    }
    prompt_cache_dir: PathBuf {
        probed: Probed::By("files"),
        routes: Routes::LiveLeg,
        default: ByEnvironment { production: "/var/lib/precall/prompts", development: "data/prompts" },
        help: "Directory of prepared audio.",
        note: "ElevenLabs is paid once for each text, and precall can start while ElevenLabs is away. precall creates \
            the directory when it is missing. When precall cannot write to it, it warns and continues.",
    }
}

/// The greeting, the notice before it, and hold and apology after it.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// Its voice; the agent's own when unset.
    pub voice: Option<VoiceId>,
    /// Its text.
    pub message: String,
    /// Longest greeting, from the moment the caller hears it.
    pub max: Duration,
    /// What the caller hears on hold.
    pub hold: HoldOrder,
    /// A recorded greeting, played instead of `message`.
    pub audio_file: Option<PathBuf>,
    /// Silence before the first sound, because the first moments of a connection are often lost.
    pub lead_silence: Duration,
    /// Key that ends the greeting, never the notice.
    pub skip_key: Option<char>,
    /// Key that asks for a person, at any time of the call.
    pub person_key: Option<char>,
    /// ElevenLabs model of prepared speech; its default when unset.
    pub model: Option<String>,
    /// What the caller hears before the greeting. No key skips it.
    pub notice: Option<NoticeMessage>,
    /// Who gives the notice.
    pub notice_given_by: NoticeGivenBy,
    /// The operator says that the notice mentions supervision.
    pub notice_mentions_supervision: bool,
    /// What the caller hears before precall gives a call up.
    pub apology: String,
    /// Directory of prepared audio.
    pub prompt_cache_dir: PathBuf,
}

impl Greeting {
    /// The notice that precall speaks on a line without a language; `None` when the PBX gives it.
    #[must_use]
    pub fn spoken_notice(&self) -> Option<&str> {
        self.notice_in(None).map(|notice| notice.text)
    }

    /// The notice that precall speaks on a line in `language`; `None` when the PBX gives it.
    #[must_use]
    pub fn notice_in<'a>(&'a self, language: Option<&'a str>) -> Option<NoticeText<'a>> {
        match self.notice_given_by {
            NoticeGivenBy::Precall => self.notice.as_ref().map(|notice| notice.of(language)),
            NoticeGivenBy::Pbx => None,
        }
    }

    /// Whether callers hear that a person may listen. Without a notice they hear nothing of it.
    #[must_use]
    pub fn announces_supervision(&self) -> bool {
        let has_notice = self.notice.is_some() || self.notice_given_by == NoticeGivenBy::Pbx;
        has_notice && self.notice_mentions_supervision
    }

    /// What callers of a line hear: the text, voice and language of the line, and the rest from here. A line with a
    /// greeting of its own does not play `audio_file`.
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

impl Greeting {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        let settings = Settings::read(values, problems)?;
        let key = |DtmfKey(key)| key;
        let skip_key = settings.greeting_skip_dtmf.optional().map(|set| set.map(key));
        let person_key = settings.fallback_dtmf.optional().map(|set| set.map(key));
        if let (Some(Some(skip)), Some(Some(person))) = (skip_key, person_key)
            && skip == person
        {
            let wrong = format!("is `{person}`, which is GREETING_SKIP_DTMF as well");
            problems.add("FALLBACK_DTMF", wrong, "two different keys");
        }
        let music = settings.greeting_music_url.optional()?;
        let music_enabled = settings.greeting_music_enabled.value()?;
        Some(Self {
            voice: settings.greeting_voice_id.optional()?.map(|Word(id)| VoiceId::new(id)),
            message: settings.greeting_message.value()?,
            max: settings.greeting_max_seconds.value()?.0,
            hold: if music_enabled { Music::order(music) } else { HoldOrder::Silence },
            audio_file: settings.greeting_audio_file.optional()?,
            lead_silence: settings.greeting_lead_silence_ms.value()?.0,
            skip_key: skip_key?,
            person_key: person_key?,
            model: settings.greeting_model_id.optional()?.map(|Word(id)| id),
            notice: settings.notice_message.optional()?,
            notice_given_by: settings.notice_given_by.value()?,
            notice_mentions_supervision: settings.notice_mentions_supervision.value()?,
            apology: settings.apology_message.value()?,
            prompt_cache_dir: settings.prompt_cache_dir.value()?,
        })
    }
}
