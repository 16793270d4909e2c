//! Bringing the engine up: arbiters, actors, and then what was before, as soon as PostgreSQL can be reached.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use actix::{Arbiter, ArbiterHandle};
use deadpool_postgres::Pool;
use precall_audio::prompts::{PromptOrder, PromptSettings};
use precall_audio::{Media, MediaError, MediaSettings};
use precall_base::phone_number::{CallerNumber, Region};
use precall_providers::elevenlabs::Settings as ProviderSettings;
use precall_providers::threecx::access_token::TokenDesk;
use precall_providers::threecx::settings::Settings as PbxSettings;
use precall_store::spool::handle::SpoolHandle;
use slog::{Logger, info};
use tokio::sync::{Notify, oneshot};

use super::housekeeping::Keeping;
use crate::admission::call_supervisor::{AdmissionSettings, CallSupervisor, CountLive, Drain};
use crate::api::EngineHandle;
use crate::api::handle::Bounds;
use crate::call::line::{Line, Lines};
use crate::call::live_board::Board;
use crate::call::pin::check::PinChecks;
use crate::call::services::{CallSettings, PbxClient, PbxSide, Shared, install_clients};
use crate::durability::persistence::{IsIdle, PersistenceActor, PersistenceState};
use crate::lifecycle::recovery::Loader;
use crate::limits::agent_seats::AgentSeats;
use crate::limits::budgets::{BudgetLimits, Budgets};
use crate::limits::dial_guard::{Countries, DialGuard, DialLimits};
use crate::limits::provider_capacity::Capacity;
use crate::observe::metrics::Metrics;
use crate::observe::provider_health::ProviderState;
use crate::pbx::pbx_feed::FeedPace;
use crate::pbx::pbx_health::PbxState;
use crate::reports::report_collector::ReportCollector;
use crate::runtime::fault_injection::Faults;
use crate::runtime::heartbeat::Heartbeats;
use crate::runtime::restart_in_place::start_resilient;
use crate::voices::known_database::KnownDatabase;
use crate::voices::voice_book::{Bind, BookLimits, TellOfGoneVoices, VoiceBook};

const VOICES_IN_MEMORY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);
const REPORT_ROUND: Duration = Duration::from_secs(15);
/// Between two lines about calls that are waited for, and how many of them a line names.
const SAY_EVERY: Duration = Duration::from_secs(5);
const SAID: usize = 5;

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
    /// What calls need.
    pub calls: CallSettings,
    /// `CALL_ARBITERS`.
    pub arbiters: usize,
    /// `POSTCALL_WAIT_SECONDS`.
    pub report_wait: Duration,
    /// What is kept, and for how long.
    pub keeping: Keeping,
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

/// Why the engine could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It runs inside an actix system.
    #[error("the engine must be started inside an actix system")]
    NoSystem,
    /// Audio cannot be carried.
    #[error(transparent)]
    Media(#[from] MediaError),
}

/// The running engine.
pub struct Engine {
    handle: EngineHandle,
    loader: Loader,
    /// The arbiter of the supervisor and of what is loaded.
    home: ArbiterHandle,
    arbiters: Vec<Arbiter>,
}

impl Engine {
    /// Starts all actors. Calls are admitted as soon as PostgreSQL was reached once; until then the answer is busy.
    ///
    /// # Errors
    /// When there is no actix system to run in.
    pub fn start(settings: EngineSettings) -> Result<Self, EngineError> {
        if actix::System::try_current().is_none() {
            return Err(EngineError::NoSystem);
        }
        let calls: Vec<Arbiter> = (0..settings.arbiters.max(1)).map(|_| Arbiter::new()).collect();
        let writing = Arbiter::new();
        let call_handles: Vec<_> = calls.iter().map(Arbiter::handle).collect();
        let (tokens, desk) = TokenDesk::open();
        let pbx_client = settings
            .pbx
            .as_ref()
            .map(|pbx| PbxClient { settings: Arc::clone(&pbx.client), tokens: tokens.clone() });
        for handle in &call_handles {
            let (provider, pbx) = (Arc::clone(&settings.provider), pbx_client.clone());
            handle.spawn_fn(move || install_clients(&provider, pbx.as_ref()));
        }
        let pbx = match &settings.pbx {
            Some(pbx) => Some(PbxSide {
                media: Media::start(pbx.media.clone(), tokens.clone(), settings.log.clone())?,
                state: Arc::new(PbxState::default()),
                look: OnceLock::new(),
            }),
            None => None,
        };
        let mut calls_settings = settings.calls;
        let spool_root = settings.spool.as_ref().map(|spool| spool.root.clone());
        calls_settings.spool_folder.clone_from(&spool_root);
        calls_settings.known_database = spool_root.as_deref().map(KnownDatabase::in_folder);
        let Some(first) = call_handles.first().cloned() else { return Err(EngineError::NoSystem) };
        let spool_max = settings.spool.as_ref().map(|spool| spool.max_bytes);
        let state = Arc::new(PersistenceState::new(spool_max));
        let persistence = {
            let (pool, state, log) = (settings.writing_pool, Arc::clone(&state), settings.log.clone());
            let spool = settings.spool.as_ref().map(|spool| spool.handle.clone());
            start_resilient(&writing.handle(), move |_| PersistenceActor::new(pool, spool, state, log))
        };
        let limits = BookLimits {
            concurrency: calls_settings.clone_concurrency.max(1),
            capacity: VOICES_IN_MEMORY,
            ttl: calls_settings.cache_ttl,
            consent: calls_settings.consent,
        };
        let jobs = first.clone();
        let voice_book = start_resilient(&first, move |_| VoiceBook::new(limits, jobs));
        let shared = Arc::new(Shared {
            persistence,
            persistence_state: state,
            voice_book,
            pool: settings.pool,
            pin_checks: PinChecks::default(),
            pbx,
            transfers: Mutex::default(),
            budgets: Mutex::new(Budgets::new(settings.budgets)),
            agent_seats: AgentSeats::new(settings.agent_concurrency),
            capacity: Capacity::default(),
            prompt_problems: Mutex::default(),
            board: Board::default(),
            metrics: Arc::new(Metrics::new()),
            provider: Arc::new(ProviderState::default()),
            disposals: Notify::new(),
            settings: calls_settings,
            faults: settings.faults,
            log: settings.log,
        });
        shared.voice_book.do_send(Bind(Arc::clone(&shared)));
        let loader = Loader {
            shared: Arc::clone(&shared),
            default_line: settings.default_line,
            region: settings.region,
            countries: settings.countries,
            own_numbers: settings.own_numbers,
            limits: settings.limits,
            pbx: settings.pbx.clone(),
            spool_root,
            keeping: settings.keeping,
        };
        let (default_lines, _) = Lines::new(loader.default_line.clone(), &[], loader.region);
        let guard = DialGuard::new(loader.rules(&default_lines));
        let admission = AdmissionSettings {
            max_live_calls: settings.max_live_calls,
            region: settings.region,
            trusted_trunks: settings.trusted_trunks.clone(),
        };
        let supervisor = {
            let (shared, handles) = (Arc::clone(&shared), call_handles.clone());
            start_resilient(&first, move |_| {
                CallSupervisor::new(shared, admission, default_lines, guard, handles)
            })
        };
        shared.voice_book.do_send(TellOfGoneVoices(supervisor.clone().recipient()));
        let (collected, supervisor_of_reports) = (Arc::clone(&shared), supervisor.clone());
        let wait = settings.report_wait;
        start_resilient(&first, move |_| {
            ReportCollector::new(collected, supervisor_of_reports, wait, REPORT_ROUND.min(wait))
        });
        let heartbeats =
            Heartbeats::start(&call_handles.iter().cloned().chain([writing.handle()]).collect::<Vec<_>>());
        let handle = EngineHandle {
            shared,
            supervisor,
            heartbeats,
            draining: Arc::new(AtomicBool::new(false)),
            region: settings.region,
            bounds: Bounds { live_calls: settings.max_live_calls, pbx_calls: settings.pbx_calls },
            recently_kept: Arc::default(),
        };
        let (loading, supervisor) = (loader.clone(), handle.supervisor.clone());
        first.spawn_fn(move || {
            actix::spawn(loading.load_then_look(desk, tokens, supervisor));
        });
        let arbiters = calls.into_iter().chain([writing]).collect();
        Ok(Self { handle, loader, home: first, arbiters })
    }

    /// What the edge holds.
    #[must_use]
    pub fn handle(&self) -> EngineHandle {
        self.handle.clone()
    }

    /// Reads the lines again (SIGHUP).
    pub async fn reload_lines(&self) {
        let (loader, supervisor) = (self.loader.clone(), self.handle.supervisor.clone());
        let (done, heard) = oneshot::channel();
        // The HTTP clients that prepare prompts live on a call arbiter.
        self.home.spawn_fn(move || {
            actix::spawn(async move {
                loader.reload(&supervisor).await;
                let _ = done.send(());
            });
        });
        let _ = heard.await;
    }

    /// Takes no new calls and waits until live ones are over and everything is durable, at most `within`.
    /// Returns how many calls were left; they are taken up again at the next start.
    pub async fn drain(&self, within: Duration) -> usize {
        self.handle.draining.store(true, Ordering::Relaxed);
        self.handle.supervisor.do_send(Drain);
        let deadline = tokio::time::Instant::now() + within;
        let mut said_at = None;
        loop {
            let live = self.handle.supervisor.send(CountLive).await.unwrap_or(0);
            let idle = self.handle.shared.persistence.send(IsIdle).await.unwrap_or(true);
            if (live == 0 && idle) || tokio::time::Instant::now() >= deadline {
                return live;
            }
            if said_at.is_none_or(|at: tokio::time::Instant| at.elapsed() >= SAY_EVERY) {
                self.say_who_is_waited_for();
                said_at = Some(tokio::time::Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn say_who_is_waited_for(&self) {
        let live = self.handle.shared.board.live();
        let some: Vec<String> = live.iter().take(SAID).map(|call| call.id.to_string()).collect();
        info!(self.handle.shared.log, "waiting for live calls to end"; "calls" => live.len(),
            "for_example" => some.join(" "));
    }

    /// Stops all audio and every arbiter of the engine.
    pub fn stop(self) {
        if let Some(pbx) = &self.handle.shared.pbx {
            pbx.media.stop();
        }
        for arbiter in self.arbiters {
            arbiter.stop();
            let _ = arbiter.join();
        }
    }
}
