//! Services of the voice book and its clone jobs. One value per engine.

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
use crate::observe::shared_outcomes::SharedOutcomes;
use crate::observe::traces::Traces;
use crate::observe::wire_log::WireLog;
use crate::runtime::clients::Clients;
use crate::runtime::fault_injection::Faults;
use crate::runtime::per_arbiter::PerArbiter;
use crate::voices::known_database::KnownDatabase;
use crate::voices::samples::SampleStore;
use crate::voices::terms::VoiceLimits;

/// Clones in memory. Beyond it the least recently used one is dropped.
const VOICES_IN_MEMORY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// Settings for voices.
#[derive(Clone, Debug)]
pub struct VoiceSettings {
    /// The installation's name, which is part of the names of our voices at the provider.
    pub installation: String,
    /// The sample store.
    pub samples: SampleStore,
    /// Whether a clone requires a consent.
    pub consent: ConsentRule,
    /// Maximum of clone jobs that run at once.
    pub clone_concurrency: usize,
    /// `VOICE_CLONE_TIMEOUT`: waiting calls give up after it.
    pub clone_timeout: Duration,
    /// `CACHE_TTL`.
    pub cache_ttl: Duration,
}

impl VoiceSettings {
    /// The limits of the voice rules.
    #[must_use]
    pub fn limits(&self) -> VoiceLimits {
        VoiceLimits {
            concurrency: self.clone_concurrency.max(1),
            capacity: VOICES_IN_MEMORY,
            ttl: self.cache_ttl,
            consent: self.consent,
        }
    }
}

/// Shared by the voice book and its clone jobs.
pub(crate) struct VoiceServices {
    /// Writes events.
    pub persistence: Addr<PersistenceActor>,
    /// Whether this process is the leader.
    pub persistence_state: Arc<PersistenceState>,
    /// Database connections for reads.
    pub pool: Pool,
    /// HTTP clients of the provider.
    pub clients: PerArbiter<Clients>,
    /// Whether the provider's last answers were good.
    pub provider: Arc<ProviderState>,
    /// Outcomes of the last minutes, for health.
    pub outcomes: Arc<SharedOutcomes>,
    /// Traces of calls.
    pub traces: Traces,
    /// Budgets of callers and of the installation.
    pub budgets: Arc<SharedBudgets>,
    /// Limits of the account, for display.
    pub capacity: Arc<Capacity>,
    /// What went over the wire for each call, for fault reports.
    pub wire: Arc<WireLog>,
    /// Settings.
    pub settings: VoiceSettings,
    /// Record of the database that acted here; `None` without a spool folder.
    pub known_database: Option<KnownDatabase>,
    /// Fault injection for tests.
    pub faults: Faults,
    /// The logger.
    pub log: Logger,
}
