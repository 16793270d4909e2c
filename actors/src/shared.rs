//! What every call's actors share: addresses, settings, and the clients of the arbiter they live on.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use deadpool_postgres::Pool;
use slog::Logger;

use crate::board::Board;
use crate::faults::Faults;
use crate::metrics::Metrics;
use crate::persistence::{PersistenceActor, PersistenceState};
use crate::provider_state::ProviderState;
use crate::providers::elevenlabs::{ElevenLabs, Settings as ProviderSettings, Telephony};
use crate::voice_book::VoiceBook;

/// Whether a clone needs somebody's recorded consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentRule {
    /// Without one the fallback voice is used (`no_consent`).
    Required,
    /// `CONSENT_REQUIRED=false`.
    NotRequired,
}

/// Settings of everything that talks to the provider.
#[derive(Clone, Debug)]
pub struct CallSettings {
    /// How the provider reaches the telephone network.
    pub telephony: Telephony,
    /// One dial, from queueing to the last byte of the answer.
    pub dial_within: Duration,
    /// In provider voice names.
    pub installation: String,
    /// `LOCAL_VOICE_SAMPLES_PATH`.
    pub samples: PathBuf,
    /// Whether a clone needs a consent.
    pub consent: ConsentRule,
    /// Clones at once.
    pub clone_concurrency: usize,
    /// `VOICE_CLONE_TIMEOUT`: after it the waiting calls hear that it took too long.
    pub clone_timeout: Duration,
    /// `CACHE_TTL`.
    pub cache_ttl: Duration,
}

/// One for the engine, shared by all its actors.
pub struct Shared {
    /// Writes events.
    pub persistence: Addr<PersistenceActor>,
    /// How that goes.
    pub persistence_state: Arc<PersistenceState>,
    /// Knows voices.
    pub voice_book: Addr<VoiceBook>,
    /// For reads.
    pub pool: Pool,
    /// Live calls, for people.
    pub board: Board,
    /// Counters and histograms.
    pub metrics: Arc<Metrics>,
    /// How the provider's last answers were.
    pub provider: Arc<ProviderState>,
    /// Settings.
    pub settings: CallSettings,
    /// Panics on demand.
    pub faults: Faults,
    /// Where lines go.
    pub log: Logger,
}

/// HTTP clients of one arbiter. Greetings have one of their own, so that slow uploads cannot starve them.
pub struct Clients {
    /// For greeting and agent dials.
    pub dials: ElevenLabs,
    /// For uploads and look-ups.
    pub bulk: ElevenLabs,
}

thread_local! {
    static CLIENTS: OnceCell<Rc<Clients>> = const { OnceCell::new() };
}

/// Builds this arbiter's clients; to be called once on each.
pub fn install_clients(settings: &Arc<ProviderSettings>) {
    CLIENTS.with(|cell| {
        cell.get_or_init(|| {
            Rc::new(Clients {
                dials: ElevenLabs::new(Arc::clone(settings)),
                bulk: ElevenLabs::new(Arc::clone(settings)),
            })
        });
    });
}

/// This arbiter's clients; none on an arbiter of somebody else.
#[must_use]
pub fn clients() -> Option<Rc<Clients>> {
    CLIENTS.with(|cell| cell.get().cloned())
}
