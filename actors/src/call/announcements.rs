//! Playlists of a line for the leg's audio: notice, greeting, hold music, apology.

use std::sync::Arc;
use std::time::Duration;

use precall_audio::playlist::{Mark, Playlist, PlaylistItem};
use precall_audio::prompts::Prompts;

/// The notice was played to its end.
pub const NOTICE: Mark = Mark(1);
/// The greeting was played to its end.
pub const GREETING: Mark = Mark(2);
/// The apology was played to its end.
pub const APOLOGY: Mark = Mark(3);

/// How long the PBX may lag behind our estimate of what it has played (3CX facts, section 6(a)). Dropping the leg
/// earlier cuts off the last word.
const PLAYOUT_LAG: Duration = Duration::from_millis(300);
/// The version of a notice that could not be prepared. No call ever plays it, so no call reaches an agent.
const NOTICE_MISSING: &str = "missing";

/// The prepared prompts of a line, as playlists. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Announcements {
    prompts: Arc<Prompts>,
    /// `GREETING_LEAD_SILENCE_MS`: some telephones lose the first moments of a leg.
    lead_silence: Duration,
}

impl Announcements {
    /// Playlists of prepared prompts.
    #[must_use]
    pub fn new(prompts: Arc<Prompts>, lead_silence: Duration) -> Self {
        Self { prompts, lead_silence }
    }

    /// Lead silence, notice, greeting, then hold music until the next playlist. `None` if the line has a notice that
    /// could not be prepared: without it the call may play no greeting.
    #[must_use]
    pub fn greeting(&self) -> Option<Playlist> {
        let mut playlist = Playlist::default().then(PlaylistItem::Silence(self.lead_silence));
        if let Some(notice) = self.prompts.notice.as_ref().ok()? {
            let notice = PlaylistItem::Once(notice.clip.clone());
            playlist = playlist.then_marked(notice, NOTICE).private_until(NOTICE);
        }
        let greeting = PlaylistItem::Once(self.prompts.greeting.clone());
        Some(playlist.then_marked(greeting, GREETING).then(PlaylistItem::Loop(self.prompts.hold.clone())))
    }

    /// Hold music.
    #[must_use]
    pub fn hold(&self) -> Playlist {
        Playlist::default().then(PlaylistItem::Loop(self.prompts.hold.clone()))
    }

    /// The apology, then silence. The apology counts as heard when that silence has been played.
    #[must_use]
    pub fn apology(&self) -> Playlist {
        let apology = PlaylistItem::Once(self.prompts.apology.clone());
        Playlist::default().then(apology).then_marked(PlaylistItem::Silence(PLAYOUT_LAG), APOLOGY)
    }

    /// The version of the notice that every call of this line must hear first.
    #[must_use]
    pub fn notice_version(&self) -> Option<Arc<str>> {
        match &self.prompts.notice {
            Ok(notice) => notice.as_ref().map(|notice| Arc::from(notice.version.as_str())),
            Err(_) => Some(Arc::from(NOTICE_MISSING)),
        }
    }

    /// The time from the first frame to the end of the greeting.
    #[must_use]
    pub fn greeting_length(&self) -> Duration {
        let notice = self.prompts.notice.as_ref().ok().and_then(Option::as_ref);
        let notice = notice.map_or(Duration::ZERO, |notice| notice.clip.duration());
        self.lead_silence + notice + self.prompts.greeting.duration()
    }
}
