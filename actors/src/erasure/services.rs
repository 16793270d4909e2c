//! Services of erasures and deletions. One value per engine.

use std::path::PathBuf;
use std::sync::Arc;

use actix::Addr;
use deadpool_postgres::Pool;
use slog::Logger;
use tokio::sync::Notify;

use crate::durability::persistence_state::PersistenceState;
use crate::erasure::ledger::Ledger;
use crate::observe::provider_health::ProviderState;
use crate::runtime::clients::Clients;
use crate::runtime::per_arbiter::PerArbiter;
use crate::voices::samples::SampleStore;
use crate::voices::voice_book::VoiceBook;

/// Shared by the erasure of a caller and the worker that deletes outside the database.
pub(crate) struct ErasureServices {
    /// Leadership of this process, and the state of the spool.
    pub persistence_state: Arc<PersistenceState>,
    /// Database connections for reads and for the erasure.
    pub pool: Pool,
    /// Receives the callers whose voices are revoked.
    pub voice_book: Addr<VoiceBook>,
    /// HTTP clients of the provider.
    pub clients: PerArbiter<Clients>,
    /// Whether the provider's last answers were good.
    pub provider: Arc<ProviderState>,
    /// The erasure ledger.
    pub ledger: Ledger,
    /// The sample store.
    pub samples: SampleStore,
    /// The folder of recordings, also if new ones are not kept.
    pub recordings: PathBuf,
    /// `SPOOL_DIR`; `None` without a spool.
    pub spool_folder: Option<PathBuf>,
    /// Wakes the deletion worker.
    pub wake: Notify,
    /// The logger.
    pub log: Logger,
}
