//! What erasures and deletions use. One value for the engine, whole from the start.

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
pub struct ErasureServices {
    /// Whether this process acts, and what waits in the spool.
    pub persistence_state: Arc<PersistenceState>,
    /// Reads and the erasing transaction.
    pub pool: Pool,
    /// Hears whose voices may not be used any more.
    pub voice_book: Addr<VoiceBook>,
    /// Requests to the provider.
    pub clients: PerArbiter<Clients>,
    /// How the provider's last answers were.
    pub provider: Arc<ProviderState>,
    /// `ERASURE_LEDGER`.
    pub ledger: Ledger,
    /// Where samples lie.
    pub samples: SampleStore,
    /// Where recordings of conversations are, whether or not new ones are kept.
    pub recordings: PathBuf,
    /// `SPOOL_DIR`; none without a place to write.
    pub spool_folder: Option<PathBuf>,
    /// Wakes the deletion worker.
    pub wake: Notify,
    /// Where lines go.
    pub log: Logger,
}
