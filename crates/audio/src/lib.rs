//! Audio into live legs, outside the actors' mailboxes: one thread per shard, one tick for all its legs, no message per
//! frame.
//!
//! A [`playlist`] says what is heard, [`playlist_cursor`] which bytes come next, [`pacer`] how many now. These three are
//! pure. `leg` joins them for one leg, `leg_streams` keeps its two HTTP requests open over `net`, and `shard` is the thread.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;
use precall_call::At;
use precall_providers::threecx::access_token::AccessTokens;
use precall_providers::threecx::address::LegAddress;
use precall_providers::tls_roots::TlsRoots;
use slog::Logger;
use url::Url;

pub mod bridge;
pub mod codec;
pub mod net;
pub mod prompts;

pub mod clip;
pub mod leg_events;
pub mod leg_handle;
pub mod pacer;
pub mod playlist;
pub mod playlist_cursor;
pub mod sample_framing;

mod leg;
mod leg_streams;
mod playout;
mod shard;

#[cfg(test)]
mod tests;

use leg_events::LegReport;
use leg_handle::{Desk, LegAudio};
use net::connection::Route;
use pacer::Lead;
use playlist::Scene;
use shard::{Door, Newcomer, ShardSettings};

/// How often a shard looks after its legs.
const TICK: Duration = Duration::from_millis(20);
/// Half a second: more than this ahead, and a caller who interrupts is talked over.
const LEAD_AT_MOST: Duration = Duration::from_millis(500);

/// How audio gets to the PBX.
#[derive(Clone, Debug)]
pub struct MediaSettings {
    /// The PBX's web address, `THREECX_BASE_URL`.
    pub base: Url,
    /// Threads that carry audio; at least one.
    pub shards: usize,
    /// Audio ahead of the listener at which more is written.
    pub lead_min: Duration,
    /// Never more than this ahead.
    pub lead_max: Duration,
    /// Connections per shard that are open before they are needed.
    pub warm_connections: usize,
    /// Legs that a shard holds at most; further ones are told `NoRoom`.
    pub legs_per_shard: usize,
    /// Certificates (PEM) to trust beside the host's own: a PBX on premises often has one of its own.
    pub extra_ca: Option<PathBuf>,
}

impl MediaSettings {
    /// The usual values for this PBX: one shard, 60 to 120 ms ahead, two warm connections, 2,000 legs.
    #[must_use]
    pub fn new(base: Url) -> Self {
        Self {
            base,
            shards: 1,
            lead_min: Duration::from_millis(60),
            lead_max: Duration::from_millis(120),
            warm_connections: 2,
            legs_per_shard: 2_000,
            extra_ca: None,
        }
    }
}

/// Why media could not be started.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The address leads nowhere.
    #[error("the PBX's address must be http or https with a host")]
    Base,
    /// The two leads leave no room for a piece.
    #[error("the lead must be at least 40 ms wide, and at most 500 ms ahead")]
    Lead,
    /// The extra certificates cannot be used, or TLS cannot be set up.
    #[error("TLS to the PBX cannot be set up: {0}")]
    Tls(String),
    /// No thread, or no runtime in it.
    #[error("no thread for audio: {0}")]
    Thread(#[from] std::io::Error),
}

/// Carries audio for all live legs. Cheap to clone; when the last clone is gone, all audio stops and the threads end.
#[derive(Clone, Debug)]
pub struct Media {
    shards: Arc<Shards>,
}

#[derive(Debug)]
struct Shards(Vec<Arc<Door>>);

impl Media {
    /// Starts the shards, which open their warm connections at once.
    ///
    /// # Errors
    /// When the settings cannot work, or there is no thread.
    pub fn start(settings: MediaSettings, tokens: AccessTokens, log: Logger) -> Result<Self, MediaError> {
        let lead = Lead { min: settings.lead_min, max: settings.lead_max, tick: TICK };
        if lead.max > LEAD_AT_MOST || lead.max < lead.min.saturating_add(TICK * 2) {
            return Err(MediaError::Lead);
        }
        Self::start_with(&settings, lead, tokens, log)
    }

    fn start_with(
        settings: &MediaSettings,
        lead: Lead,
        tokens: AccessTokens,
        log: Logger,
    ) -> Result<Self, MediaError> {
        let shard = ShardSettings {
            route: Arc::new(Route::to(&settings.base, settings.extra_ca.as_deref())?),
            provider: TlsRoots::load(None).ok(),
            tokens,
            lead,
            warm_connections: settings.warm_connections,
            log,
        };
        // Those that have started end again when a later one cannot.
        let mut shards = Shards(Vec::new());
        for number in 0..settings.shards.max(1) {
            let door = Arc::new(Door::new(settings.legs_per_shard));
            shards.0.push(Arc::clone(&door));
            shard::start(number, shard.clone(), door)?;
        }
        Ok(Self { shards: Arc::new(shards) })
    }

    /// Opens both streams of a connected leg at once and plays the scene into it. `connected_at` is when the PBX said
    /// Connected: readiness is waited for until 10 s after it. All that happens is reported; `Closed` is the last.
    pub fn open(
        &self,
        leg: LegAddress,
        connected_at: At,
        scene: Scene,
        reports: Recipient<LegReport>,
    ) -> LegAudio {
        let desk = Arc::new(Desk::default());
        let newcomer = Newcomer { leg, connected_at, scene, reports, desk: Arc::clone(&desk) };
        let door = self.shards.emptiest();
        door.enter(newcomer);
        LegAudio::new(desk, door)
    }
}

impl Media {
    /// Ends all audio and the threads that carry it, whoever else still holds it.
    pub fn stop(&self) {
        self.shards.close();
    }
}

impl Shards {
    fn close(&self) {
        for door in &self.0 {
            door.close();
        }
    }

    fn emptiest(&self) -> Arc<Door> {
        let emptiest = self.0.iter().min_by_key(|door| door.legs());
        emptiest.map_or_else(|| Arc::new(Door::new(0)), Arc::clone)
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        self.close();
    }
}
