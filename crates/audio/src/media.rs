//! The audio service: starts the shards and gives each leg to the one with the fewest legs.

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

use crate::error::MediaError;
use crate::hand_over::{HandOver, LegTurn};
use crate::leg_commands::CommandQueue;
use crate::leg_events::LegReport;
use crate::leg_handle::LegHandle;
use crate::net::connection::PbxEndpoint;
use crate::pacer::Lead;
use crate::playlist::Playlist;
use crate::shard::{self, ShardSettings};
use crate::shard_handle::{NewLeg, ShardHandle};

/// Time between two looks of a shard at its legs.
const TICK: Duration = Duration::from_millis(20);
/// A longer lead would talk over a caller who interrupts.
const LEAD_MAX: Duration = Duration::from_millis(500);

/// How long a shard may take to say whose turn it is on its legs.
const TURNS_WITHIN: Duration = Duration::from_millis(500);

/// How audio reaches the PBX.
#[derive(Clone, Debug)]
pub struct MediaSettings {
    /// The PBX's web address, `THREECX_BASE_URL`.
    pub base: Url,
    /// Number of audio threads; at least one is started.
    pub shards: usize,
    /// More audio is written when the listener has no more than this left.
    pub lead_min: Duration,
    /// Audio is never written further ahead than this.
    pub lead_max: Duration,
    /// Connections that each shard keeps open in advance.
    pub warm_connections: usize,
    /// Most legs in one shard; a further leg fails with `NoRoom`.
    pub legs_per_shard: usize,
    /// Certificates (PEM) to trust in addition to the host's: a PBX on premises often has its own.
    pub extra_ca: Option<PathBuf>,
}

impl MediaSettings {
    /// The defaults for this PBX: one shard, a lead of 60 to 120 ms, two warm connections, 2,000 legs.
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

/// Carries the audio of all live legs. Cheap to clone. When the last clone is dropped, all audio stops and the threads
/// end.
#[derive(Clone, Debug)]
pub struct Media {
    shards: Arc<Shards>,
    hand_over: Arc<HandOver>,
}

#[derive(Debug)]
struct Shards(Vec<Arc<ShardHandle>>);

impl Media {
    /// Starts the shards. Each opens its warm connections at once.
    ///
    /// # Errors
    /// When the settings are invalid, TLS cannot be set up, or a thread cannot be started.
    pub fn start(settings: MediaSettings, tokens: AccessTokens, log: Logger) -> Result<Self, MediaError> {
        let lead = Lead { min: settings.lead_min, max: settings.lead_max, tick: TICK };
        if lead.max > LEAD_MAX || lead.max < lead.min.saturating_add(TICK * 2) {
            return Err(MediaError::Lead);
        }
        Self::start_with(&settings, lead, tokens, log)
    }

    pub(crate) fn start_with(
        settings: &MediaSettings,
        lead: Lead,
        tokens: AccessTokens,
        log: Logger,
    ) -> Result<Self, MediaError> {
        let hand_over = Arc::<HandOver>::default();
        let shard = ShardSettings {
            pbx: Arc::new(PbxEndpoint::new(&settings.base, settings.extra_ca.as_deref())?),
            agent_trust: TlsRoots::load(None).ok(),
            tokens,
            hand_over: Arc::clone(&hand_over),
            lead,
            warm_connections: settings.warm_connections,
            log,
        };
        // Dropping `shards` ends the shards that run already, when a later one cannot start.
        let mut shards = Shards(Vec::new());
        for number in 0..settings.shards.max(1) {
            let handle = Arc::new(ShardHandle::new(settings.legs_per_shard));
            shards.0.push(Arc::clone(&handle));
            shard::start(number, shard.clone(), handle)?;
        }
        Ok(Self { shards: Arc::new(shards), hand_over })
    }

    /// Opens both streams of a connected leg at once and plays the playlist into it. `connected_at` is when the PBX
    /// reported Connected: the streams may take 10 s from then to become ready. Everything is sent to `reports`;
    /// `Closed` is the last event.
    pub fn open(
        &self,
        address: LegAddress,
        connected_at: At,
        playlist: Playlist,
        reports: Recipient<LegReport>,
    ) -> LegHandle {
        let commands = Arc::new(CommandQueue::default());
        let leg = NewLeg { address, connected_at, playlist, reports, commands: Arc::clone(&commands) };
        let shard = self.shards.emptiest();
        shard.add(leg);
        LegHandle::new(commands, shard)
    }

    /// When the streams of legs may be opened: another process may have them before or after this one.
    #[must_use]
    pub fn hand_over(&self) -> &HandOver {
        &self.hand_over
    }

    /// Whose turn it is on each leg. A shard that does not answer in time has none.
    pub async fn turns(&self) -> Vec<LegTurn> {
        let mut turns = Vec::new();
        for shard in &self.shards.0 {
            let answer = tokio::time::timeout(TURNS_WITHIN, shard.ask_turns()).await;
            turns.extend(answer.into_iter().flatten().flatten());
        }
        turns
    }

    /// The number of legs of each shard.
    #[must_use]
    pub fn legs(&self) -> Vec<usize> {
        self.shards.0.iter().map(|shard| shard.legs()).collect()
    }

    /// Ends all audio and its threads, even while other clones exist.
    pub fn stop(&self) {
        self.shards.close();
    }
}

impl Shards {
    fn close(&self) {
        for shard in &self.0 {
            shard.close();
        }
    }

    fn emptiest(&self) -> Arc<ShardHandle> {
        let emptiest = self.0.iter().min_by_key(|shard| shard.legs());
        emptiest.map_or_else(|| Arc::new(ShardHandle::new(0)), Arc::clone)
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        self.close();
    }
}
