//! Settings of the engine. The program that starts the engine fills them in once.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use precall_audio::MediaSettings;
use precall_audio::prompts::{PromptOrder, PromptSettings};
use precall_base::phone_number::{CallerNumber, Region};
use precall_providers::elevenlabs::Settings as ProviderSettings;
use precall_providers::threecx::settings::Settings as PbxSettings;
use precall_store::spool::handle::SpoolHandle;
use slog::Logger;

use crate::call::line::Line;
use crate::call::services::DialSettings;
use crate::canary::settings::CanarySettings;
use crate::erasure::ledger::Ledger;
use crate::lifecycle::housekeeping::Retention;
use crate::limits::budgets::BudgetLimits;
use crate::limits::dial_guard::{Countries, DialLimits};
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
    /// The line of numbers without a line of their own.
    pub default_line: Line,
    /// `DEFAULT_REGION`.
    pub region: Region,
    /// `TRUSTED_TRUNKS`: DNs of trunks whose caller numbers are trusted.
    pub trusted_trunks: Vec<String>,
    /// `CALLBACK_COUNTRIES`.
    pub countries: Countries,
    /// `OWN_NUMBERS`.
    pub own_numbers: HashSet<CallerNumber>,
    /// `CALLBACK_LIMIT_*`.
    pub limits: DialLimits,
    /// What becomes of live calls that this configuration does not lead to.
    pub live_calls: LiveCalls,
    /// `START_PATIENCE_SECONDS`.
    pub start_patience: Duration,
    /// `MAX_LIVE_CALLS`.
    pub max_live_calls: usize,
    /// `BUDGET_*`.
    pub budgets: BudgetLimits,
    /// `AGENT_CONCURRENCY`.
    pub agent_concurrency: Option<usize>,
    /// `THREECX_SIMULTANEOUS_CALLS`.
    pub pbx_calls: Option<u64>,
    /// Address and key of the provider.
    pub provider: Arc<ProviderSettings>,
    /// `ELEVENLABS_PROBE_SECONDS`.
    pub probe_every: Duration,
    /// The PBX; `None` without 3CX call control.
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
    /// Address, client and secret.
    pub client: Arc<PbxSettings>,
    /// Audio to legs.
    pub media: MediaSettings,
    /// How precall prepares prompts.
    pub prompts: PromptSettings,
    /// The prompts that a line plays to its callers.
    pub prompt_order: Arc<dyn Fn(&Line) -> PromptOrder + Send + Sync>,
    /// `GREETING_LEAD_SILENCE_MS`.
    pub lead_silence: Duration,
    /// Intervals of the PBX feed.
    pub pace: FeedPace,
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
