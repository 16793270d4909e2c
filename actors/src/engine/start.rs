//! Bringing the engine up: arbiters, actors, and then what was before, as soon as PostgreSQL can be reached.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use actix::{Addr, Arbiter};
use deadpool_postgres::Pool;
use precall_call::{At, ConversationId};
use slog::{Logger, info, warn};

use super::EngineHandle;
use crate::board::Board;
use crate::clock;
use crate::dial_guard::{Countries, DialGuard, DialLimits, DialRules};
use crate::faults::Faults;
use crate::heartbeat::Heartbeats;
use crate::line::{Line, Lines};
use crate::media::{Media, MediaError, MediaSettings};
use crate::metrics::Metrics;
use crate::pbx_state::PbxState;
use crate::persistence::{IsIdle, PersistenceActor, PersistenceState};
use crate::phone_number::{CallerNumber, Region};
use crate::provider_state::ProviderState;
use crate::providers::elevenlabs::Settings as ProviderSettings;
use crate::providers::threecx::access_token::TokenDesk;
use crate::providers::threecx::settings::Settings as PbxSettings;
use crate::registry::{REMEMBERED, Registry, Sighting};
use crate::report_collector::ReportCollector;
use crate::resilient::start_resilient;
use crate::shared::{CallSettings, PbxClient, PbxSide, Shared, install_clients};
use crate::store::error::StoreError;
use crate::store::{
    call_context, engine_generation, lines, migrate, recent_calls, schema, unmatched_reports, voices,
};
use crate::supervisor::{AdmissionSettings, CallSupervisor, CountLive, Drain, Loaded, UseLines};
use crate::voice_book::{Bind, BookLimits, FindOut, VoiceBook, Warm};

const DAY: Duration = Duration::from_secs(24 * 3600);
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Between two looks whether PostgreSQL is there, while nothing is written.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const LOOK_WITHIN: Duration = Duration::from_secs(2);
const VOICES_IN_MEMORY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);
const UNMATCHED_LOADED: i64 = 10_000;
const REPORT_ROUND: Duration = Duration::from_secs(15);

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
    /// `CALLBACK_COUNTRIES`.
    pub countries: Countries,
    /// `OWN_NUMBERS`.
    pub own_numbers: HashSet<CallerNumber>,
    /// `CALLBACK_LIMIT_*`.
    pub limits: DialLimits,
    /// `MAX_LIVE_CALLS`.
    pub max_live_calls: usize,
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
    /// Panics on demand.
    pub faults: Faults,
    /// Where lines go.
    pub log: Logger,
}

/// What the live-leg routes need.
#[derive(Clone)]
pub struct PbxEngine {
    /// Address, client and secret.
    pub client: Arc<PbxSettings>,
    /// Audio into legs.
    pub media: MediaSettings,
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
                media: Media::start(pbx.media.clone(), tokens, settings.log.clone())?,
                state: Arc::new(PbxState::default()),
                look: OnceLock::new(),
            }),
            None => None,
        };
        let Some(first) = call_handles.first().cloned() else { return Err(EngineError::NoSystem) };
        let state = Arc::new(PersistenceState::default());
        let persistence = {
            let (pool, state, log) = (settings.writing_pool, Arc::clone(&state), settings.log.clone());
            start_resilient(&writing.handle(), move |_| PersistenceActor::new(pool, state, log))
        };
        let limits = BookLimits {
            concurrency: settings.calls.clone_concurrency.max(1),
            capacity: VOICES_IN_MEMORY,
            ttl: settings.calls.cache_ttl,
            consent: settings.calls.consent,
        };
        let jobs = first.clone();
        let voice_book = start_resilient(&first, move |_| VoiceBook::new(limits, jobs));
        let shared = Arc::new(Shared {
            persistence,
            persistence_state: state,
            voice_book,
            pool: settings.pool,
            pbx,
            transfers: Mutex::default(),
            board: Board::default(),
            metrics: Arc::new(Metrics::new()),
            provider: Arc::new(ProviderState::default()),
            settings: settings.calls,
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
        };
        let (default_lines, _) = Lines::new(loader.default_line.clone(), &[], loader.region);
        let guard = DialGuard::new(loader.rules(&default_lines));
        let admission =
            AdmissionSettings { max_live_calls: settings.max_live_calls, region: settings.region };
        let supervisor = {
            let (shared, handles) = (Arc::clone(&shared), call_handles.clone());
            start_resilient(&first, move |_| {
                CallSupervisor::new(shared, admission, default_lines, guard, handles)
            })
        };
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
        };
        let (loading, supervisor) = (loader.clone(), handle.supervisor.clone());
        first.spawn(async move { loading.load_then_look(supervisor).await });
        let arbiters = calls.into_iter().chain([writing]).collect();
        Ok(Self { handle, loader, arbiters })
    }

    /// What the edge holds.
    #[must_use]
    pub fn handle(&self) -> EngineHandle {
        self.handle.clone()
    }

    /// Reads the lines again (SIGHUP).
    pub async fn reload_lines(&self) {
        match self.loader.lines().await {
            Ok(lines) => self.loader.use_lines(lines, &self.handle.supervisor),
            Err(error) => {
                warn!(self.loader.shared.log, "lines could not be read, the old ones stay"; "error" => %error);
            }
        }
    }

    /// Takes no new calls and waits until live ones are over and everything is durable, at most `within`.
    /// Returns how many calls were left; they are taken up again at the next start.
    pub async fn drain(&self, within: Duration) -> usize {
        self.handle.draining.store(true, Ordering::Relaxed);
        self.handle.supervisor.do_send(Drain);
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let live = self.handle.supervisor.send(CountLive).await.unwrap_or(0);
            let idle = self.handle.shared.persistence.send(IsIdle).await.unwrap_or(true);
            if (live == 0 && idle) || tokio::time::Instant::now() >= deadline {
                return live;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Stops every arbiter of the engine.
    pub fn stop(self) {
        for arbiter in self.arbiters {
            arbiter.stop();
            let _ = arbiter.join();
        }
    }
}

/// Brings what was before into the actors.
#[derive(Clone)]
struct Loader {
    shared: Arc<Shared>,
    default_line: Line,
    region: Region,
    countries: Countries,
    own_numbers: HashSet<CallerNumber>,
    limits: DialLimits,
}

impl Loader {
    fn rules(&self, lines: &Lines) -> DialRules {
        DialRules {
            countries: self.countries.clone(),
            default_region: self.region,
            own: self.own_numbers.iter().chain(lines.numbers()).cloned().collect(),
            limits: self.limits,
        }
    }

    async fn load_then_look(self, supervisor: Addr<CallSupervisor>) {
        let (log, mut pause, mut said) = (self.shared.log.clone(), RETRY_FIRST, String::new());
        let state = &self.shared.persistence_state;
        let position = loop {
            let error = match self.load(&supervisor).await {
                Ok(position) => break position,
                Err(error) => error.to_string(),
            };
            state.set_looked(false);
            if said != error {
                warn!(log, "no calls are taken yet, the database is not ready"; "error" => &error);
                said = error;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_MAX);
        };
        state.set_reached(position);
        info!(log, "the engine is ready");
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let look = async {
                let client = self.shared.pool.get().await?;
                client.simple_query("select 1").await?;
                Ok::<(), StoreError>(())
            };
            let is_there = matches!(tokio::time::timeout(LOOK_WITHIN, look).await, Ok(Ok(())));
            match (state.set_looked(is_there), is_there) {
                (true, false) => warn!(log, "the database does not answer"),
                (true, true) => info!(log, "the database answers again"),
                (false, _) => {}
            }
        }
    }

    /// Returns where the logs stand.
    async fn load(&self, supervisor: &Addr<CallSupervisor>) -> Result<i64, StoreError> {
        // Not from the pool any more: it may hold the migrations' lock, and is dropped whatever comes of them.
        let mut client = deadpool_postgres::Object::take(self.shared.pool.get().await?);
        migrate::migrate(&mut client, &schema::runner(), migrate::Limits::default())
            .await
            .map_err(|error| StoreError::Schema(error.to_string()))?;
        drop(client);
        let lines = self.lines().await?;
        let client = self.shared.pool.get().await?;
        let now = clock::now();
        let ago =
            |span: Duration| At(now.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)));
        let mut registry = Registry::default();
        for key in recent_calls::keys(&**client, ago(REMEMBERED)).await? {
            let parse = |raw: &String| CallerNumber::parse(raw, self.region);
            let sighting = Sighting {
                pbx: key.pbx,
                threecx_call_id: key.threecx_call_id,
                caller: key.caller.as_ref().map_or(CallerNumber::Withheld, parse),
                called: key.called.as_ref().map(parse),
            };
            registry.insert(key.call, sighting, key.first_seen, key.live);
        }
        for (pbx, id, at) in recent_calls::early_ends(&**client, ago(REMEMBERED)).await? {
            registry.ended_early(&pbx, &id, at);
        }
        let mut guard = DialGuard::new(self.rules(&lines));
        for (number, at) in recent_calls::dialled(&**client, ago(DAY)).await? {
            if let Ok(number) = number.parse() {
                guard.seed(number, at);
            }
        }
        let cached = voices::cached(&**client, now, 10_000).await?;
        let unreleased = call_context::unreleased(&**client).await?;
        let unmatched = unmatched_reports::conversations(&**client, UNMATCHED_LOADED).await?;
        let generation = engine_generation::next(&**client).await?;
        info!(self.shared.log, "loaded what was before"; "cached_voices" => cached.len(),
            "unreleased_calls" => unreleased.len(), "generation" => generation);
        let unfinished = voices::unfinished(&**client, ago(DAY)).await?;
        self.shared.voice_book.do_send(Warm(cached));
        self.shared.voice_book.do_send(FindOut(unfinished));
        self.use_lines(lines, supervisor);
        let unmatched = unmatched.into_iter().map(ConversationId::new).collect();
        supervisor.do_send(Loaded { registry, guard, unreleased, unmatched, generation });
        engine_generation::last_position(&**client).await
    }

    async fn lines(&self) -> Result<Lines, StoreError> {
        let client = self.shared.pool.get().await?;
        let stored = lines::read(&**client).await?;
        let (lines, unreadable) = Lines::new(self.default_line.clone(), &stored, self.region);
        for number in unreadable {
            warn!(self.shared.log, "a line's number cannot be read, the line is left out"; "number" => number);
        }
        Ok(lines)
    }

    fn use_lines(&self, lines: Lines, supervisor: &Addr<CallSupervisor>) {
        let rules = self.rules(&lines);
        supervisor.do_send(UseLines { lines, rules });
    }
}
