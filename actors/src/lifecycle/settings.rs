//! Settings of the engine. The program that starts the engine fills them in once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use precall_audio::MediaSettings;
use precall_base::phone_number::Region;
use precall_providers::threecx::settings::Settings as PbxSettings;
use precall_store::reads::replica::Replica;
use precall_store::spool::handle::SpoolHandle;
use slog::Logger;

use crate::api::ReloadableSettings;
use crate::call::services::DialSettings;
use crate::canary::settings::CanarySettings;
use crate::erasure::ledger::Ledger;
use crate::lifecycle::housekeeping::Retention;
use crate::observe::traces::exporter::TraceSettings;
use crate::pbx::pbx_feed::FeedPace;
use crate::runtime::fault_injection::Faults;
use crate::voices::services::VoiceSettings;

/// Settings of the engine.
pub struct EngineSettings {
    /// Connections to PostgreSQL.
    pub pool: Pool,
    /// Connections to the same database for event writes only, so that readers cannot delay them. The writing thread
    /// opens its connection itself; with a connection of another thread every exchange would wake up that thread.
    pub writing_pool: Pool,
    /// The read replica, which the engine watches; none without `DATABASE_READ_URL`.
    pub replica: Option<Replica>,
    /// What a reload replaces.
    pub reloadable: ReloadableSettings,
    /// `DEFAULT_REGION`.
    pub region: Region,
    /// What becomes of live calls that this configuration does not lead to.
    pub live_calls: LiveCalls,
    /// `ELEVENLABS_PROBE_SECONDS`.
    pub probe_every: Duration,
    /// The PBX; `None` without a live leg.
    pub pbx: Option<PbxEngine>,
    /// How precall opens conversations.
    pub dial: DialSettings,
    /// Clones, samples and the cache.
    pub voices: VoiceSettings,
    /// `ERASURE_LEDGER`.
    pub ledger: Ledger,
    /// `CALL_ARBITERS`.
    pub arbiters: usize,
    /// `POSTCALL_WAIT_SECONDS`.
    pub report_wait: Duration,
    /// `DATABASE_OUTAGE_MAX_SECONDS`.
    pub outage_max: Duration,
    /// How long data is kept.
    pub retention: Retention,
    /// The spool for events while the database is away. `None`: events wait in memory and precall takes no new calls.
    pub spool: Option<SpoolSettings>,
    /// Where traces go; `None`: calls are not traced.
    pub traces: Option<TraceSettings>,
    /// Test calls of precall itself.
    pub canary: CanarySettings,
    /// Fault injection for tests.
    pub faults: Faults,
    /// The logger.
    pub log: Logger,
}

/// Settings of the spool.
pub struct SpoolSettings {
    /// `SPOOL_DIR`.
    pub root: PathBuf,
    /// `SPOOL_MAX_MB`, in bytes.
    pub max_bytes: u64,
    /// The spool of this start.
    pub handle: SpoolHandle,
    /// Why its directory could not be made yet, and what to change.
    pub problem: Option<String>,
}

/// Settings of the routes with a live leg.
#[derive(Clone)]
pub struct PbxEngine {
    /// Audio to legs.
    pub media: MediaSettings,
    /// Intervals of the PBX feed.
    pub pace: FeedPace,
    /// `THREECX_SECOND_STREAM`.
    pub second_stream: SecondStream,
}

/// What 3CX does when another process sends audio into a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondStream {
    /// The new stream takes the place of the old one: a planned stop hands legs over to a standby.
    Replaces,
    /// It refuses the new stream: a planned stop waits for the end of the calls.
    Refused,
}

/// What becomes of the live calls of the last start that this configuration does not lead to.
#[derive(Clone, Debug)]
pub enum LiveCalls {
    /// The start refuses.
    Keep,
    /// Their callers go to the fallback destination.
    Abandon {
        /// 3CX, as far as it is configured; also where the route does not need it.
        pbx: Option<Arc<PbxSettings>>,
    },
}
