//! Legs that hear hold music before their call is known: while precall starts, and while it looks at the database.
//!
//! The call's player takes over the streams of its leg, so the caller hears no gap.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::{Actor, ActorContext, Context, Handler};
use precall_audio::Media;
use precall_audio::leg_events::{LegAudioEvent, LegReport};
use precall_audio::leg_handle::LegHandle;
use precall_audio::playlist::{Playlist, PlaylistItem};
use precall_audio::prompts::bundled_hold;
use precall_call::At;
use precall_providers::threecx::address::LegAddress;
use slog::{Logger, warn};

/// How long a caller hears nothing while another session with the agent begins.
const AGENT_RETURNS_WITHIN: Duration = Duration::from_millis(1_500);

/// What a caller hears on a leg that another precall has just let go: music only if the agent does not come back at
/// once. The conversation is at a pause, and music would disturb it.
pub(crate) fn until_the_agent_returns(music: &Playlist) -> Playlist {
    Playlist::default().then(PlaylistItem::Silence(AGENT_RETURNS_WITHIN)).followed_by(music)
}

/// The held legs of one PBX. Cheap to clone; all clones share the legs.
#[derive(Clone)]
pub struct HeldLegs {
    media: Media,
    shared: Arc<Mutex<Shared>>,
    log: Logger,
}

struct Shared {
    music: Playlist,
    legs: HashMap<LegAddress, LegHandle>,
}

impl HeldLegs {
    /// No legs yet, and the bundled hold music.
    #[must_use]
    pub(crate) fn new(media: Media, log: Logger) -> Self {
        let music = Playlist::default().then(PlaylistItem::Loop(bundled_hold()));
        Self { media, shared: Arc::new(Mutex::new(Shared { music, legs: HashMap::new() })), log }
    }

    /// Sets what legs hear that are held from now on.
    pub(crate) fn set_music(&self, music: Playlist) {
        self.lock().music = music;
    }

    /// Plays hold music into a connected leg, unless it hears it already. `connected_at` is when the PBX reported it.
    pub(crate) fn hold(&self, leg: &LegAddress, connected_at: At) {
        let mut shared = self.lock();
        if shared.legs.contains_key(leg) {
            return;
        }
        let listener = Listener { leg: leg.clone(), held: self.clone() }.start();
        let music = if self.media.hand_over().is_handed(leg) {
            until_the_agent_returns(&shared.music)
        } else {
            shared.music.clone()
        };
        let handle = self.media.open(leg.clone(), connected_at, music, listener.recipient());
        shared.legs.insert(leg.clone(), handle);
    }

    /// Gives the audio of a held leg to its call.
    #[must_use]
    pub(crate) fn take(&self, leg: &LegAddress) -> Option<LegHandle> {
        self.lock().legs.remove(leg)
    }

    /// The leg is gone: its audio ends.
    pub(crate) fn release(&self, leg: &LegAddress) {
        drop(self.take(leg));
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears the reports of one held leg, until a call takes the leg over.
struct Listener {
    leg: LegAddress,
    held: HeldLegs,
}

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<LegReport> for Listener {
    type Result = ();

    fn handle(&mut self, report: LegReport, ctx: &mut Context<Self>) {
        match report.what {
            LegAudioEvent::Failed(error) => {
                warn!(self.held.log, "no hold music reaches a leg that waits for its call";
                    "leg" => %self.leg.participant, "error" => %error);
            }
            LegAudioEvent::Closed(_) => {
                self.held.release(&self.leg);
                ctx.stop();
            }
            LegAudioEvent::FirstFrame
            | LegAudioEvent::FirstSound
            | LegAudioEvent::Heard(_)
            | LegAudioEvent::Cut
            | LegAudioEvent::Reopened { .. }
            | LegAudioEvent::StreamsEnded
            | LegAudioEvent::Silent(_)
            | LegAudioEvent::CallerHeardAgain
            | LegAudioEvent::Agent { .. } => {}
        }
    }
}
