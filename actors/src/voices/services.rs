//! What the voice book and its jobs use. One value for the engine, whole from the start.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use deadpool_postgres::Pool;
use precall_store::voices::ConsentRule;
use slog::Logger;

use crate::durability::persistence::PersistenceActor;
use crate::durability::persistence_state::PersistenceState;
use crate::limits::budgets::SharedBudgets;
use crate::limits::provider_capacity::Capacity;
use crate::observe::provider_health::ProviderState;
use crate::runtime::clients::Clients;
use crate::runtime::fault_injection::Faults;
use crate::runtime::per_arbiter::PerArbiter;
use crate::voices::known_database::KnownDatabase;
use crate::voices::samples::SampleStore;
use crate::voices::terms::BookLimits;

/// Voices that are remembered; beyond it the least recently used is read again when it is wanted.
const VOICES_IN_MEMORY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// Settings of everything about voices.
#[derive(Clone, Debug)]
pub struct VoiceSettings {
    /// Our name in the names of voices at the provider.
    pub installation: String,
    /// Where samples lie.
    pub samples: SampleStore,
    /// Whether a clone needs a consent.
    pub consent: ConsentRule,
    /// Clones at once.
    pub clone_concurrency: usize,
    /// `VOICE_CLONE_TIMEOUT`: after it the waiting calls hear that the clone took too long.
    pub clone_timeout: Duration,
    /// `CACHE_TTL`.
    pub cache_ttl: Duration,
}

impl VoiceSettings {
    /// The limits of the voice book.
    #[must_use]
    pub fn limits(&self) -> BookLimits {
        BookLimits {
            concurrency: self.clone_concurrency.max(1),
            capacity: VOICES_IN_MEMORY,
            ttl: self.cache_ttl,
            consent: self.consent,
        }
    }
}

/// Shared by the voice book and its jobs.
pub struct VoiceServices {
    /// Writes events.
    pub persistence: Addr<PersistenceActor>,
    /// Whether this process acts.
    pub persistence_state: Arc<PersistenceState>,
    /// For reads.
    pub pool: Pool,
    /// Requests to the provider.
    pub clients: PerArbiter<Clients>,
    /// How the provider's last answers were.
    pub provider: Arc<ProviderState>,
    /// What callers and the installation have used.
    pub budgets: Arc<SharedBudgets>,
    /// What the account allows, for people.
    pub capacity: Arc<Capacity>,
    /// Settings.
    pub settings: VoiceSettings,
    /// Where it is remembered which database acted here; none without a place to write.
    pub known_database: Option<KnownDatabase>,
    /// Panics on demand, for tests.
    pub faults: Faults,
    /// Where lines go.
    pub log: Logger,
}
