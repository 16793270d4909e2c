//! Everything the engine is told. It is filled in once, by the program that starts the engine.

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
use crate::erasure::ledger::Ledger;
use crate::lifecycle::housekeeping::Retention;
use crate::limits::budgets::BudgetLimits;
use crate::limits::dial_guard::{Countries, DialLimits};
use crate::pbx::pbx_feed::FeedPace;
use crate::runtime::fault_injection::Faults;
use crate::voices::services::VoiceSettings;

/// Everything the engine is told.
pub struct EngineSettings {
    /// To PostgreSQL.
    pub pool: Pool,
    /// To the same, for events alone: no reader can keep them waiting, and the thread that writes drives the connection
    /// itself. One that another thread opened costs a wake-up of that thread for each exchange.
    pub writing_pool: Pool,
    /// The line of every number that has none of its own.
    pub default_line: Line,
    /// `DEFAULT_REGION`.
    pub region: Region,
    /// `TRUSTED_TRUNKS`: DNs of trunks whose numbers can be believed.
    pub trusted_trunks: Vec<String>,
    /// `CALLBACK_COUNTRIES`.
    pub countries: Countries,
    /// `OWN_NUMBERS`.
    pub own_numbers: HashSet<CallerNumber>,
    /// `CALLBACK_LIMIT_*`.
    pub limits: DialLimits,
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
    /// The PBX; none without 3CX call control.
    pub pbx: Option<PbxEngine>,
    /// How conversations are opened.
    pub dial: DialSettings,
    /// Clones, samples and the cache.
    pub voices: VoiceSettings,
    /// `ERASURE_LEDGER`.
    pub ledger: Ledger,
    /// `CALL_ARBITERS`.
    pub arbiters: usize,
    /// `POSTCALL_WAIT_SECONDS`.
    pub report_wait: Duration,
    /// What is kept, and for how long.
    pub retention: Retention,
    /// Where events wait while the database is away; none: they wait in memory, and nothing new is taken.
    pub spool: Option<SpoolSettings>,
    /// Panics on demand.
    pub faults: Faults,
    /// Where lines go.
    pub log: Logger,
}

/// Events on disk.
pub struct SpoolSettings {
    /// `SPOOL_DIR`.
    pub root: PathBuf,
    /// `SPOOL_MAX_MB`, in bytes.
    pub max_bytes: u64,
    /// This start's own.
    pub handle: SpoolHandle,
}

/// What the live-leg routes need.
#[derive(Clone)]
pub struct PbxEngine {
    /// Address, client and secret.
    pub client: Arc<PbxSettings>,
    /// Audio into legs.
    pub media: MediaSettings,
    /// How prompts are prepared.
    pub prompts: PromptSettings,
    /// What a line wants its callers to hear.
    pub prompt_order: Arc<dyn Fn(&Line) -> PromptOrder + Send + Sync>,
    /// `GREETING_LEAD_SILENCE_MS`.
    pub lead_silence: Duration,
    /// When the feed does what.
    pub pace: FeedPace,
}
