//! Recovery at the start: waits for PostgreSQL and for leadership, then loads the previous state into the actors and
//! prepares the prompts. Afterwards watches the database and the leadership.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use precall_audio::prompts::PromptMaker;
use precall_base::clock;
use precall_base::phone_number::{CallerNumber, E164, Region};
use precall_call::{At, ConversationId, VoiceId};
use precall_providers::elevenlabs::ElevenLabs;
use precall_providers::threecx::access_token::{AccessTokens, TokenPublisher};
use precall_providers::threecx::settings::Settings as PbxSettings;
use precall_store::error::StoreError;
use precall_store::events::event_log;
use precall_store::growth::partitions;
use precall_store::leader::{generation, live_calls};
use precall_store::reads::log_end;
use precall_store::recovery::{call_context, recent_calls, unmatched_reports};
use precall_store::spool::handle::SpoolHandle;
use precall_store::voices::{CachedVoice, UnfinishedClone};
use precall_store::{lines, voices};
use slog::{error, info, warn};
use tokio::sync::mpsc;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::housekeeping::{Retention, run_maintenance};
use super::last_acted::LastActed;
use super::still_spooled::StillSpooled;
use crate::admission::call_registry::{CallLiveness, CallRegistry, REMEMBERED, Sighting};
use crate::admission::call_supervisor::{CallSupervisor, RecoveredState, Resumption, UseLines};
use crate::call::announcements::Announcements;
use crate::call::line::{Line, Lines};
use crate::call::services::CallServices;
use crate::durability::leadership::{EngineRole, Leave};
use crate::erasure::deletion_worker::run_deletion_worker;
use crate::erasure::services::ErasureServices;
use crate::lifecycle::restored_usage;
use crate::lifecycle::settings::{LiveCalls, PbxEngine};
use crate::limits::budgets::Budgets;
use crate::limits::dial_guard::{Countries, DialGuard, DialLimits, DialRules};
use crate::limits::provider_capacity::Capacity;
use crate::observe::prompt_problems::PromptProblems;
use crate::observe::start_refusal::StartRefusal;
use crate::pbx::pbx_feed::{FeedPace, PbxFeed};
use crate::pbx::pbx_health::PbxState;
use crate::runtime::restart_in_place::Reserved;
use crate::voices::reconcile_rules::DatabaseOrigin;
use crate::voices::services::VoiceServices;
use crate::voices::voice_book::{LoadCache, LoadExisting, ResolveUnfinished};

const DAY: Duration = Duration::from_secs(24 * 3600);
const VOICES_LOADED: i64 = 10_000;
const UNMATCHED_LOADED: i64 = 10_000;
/// Time limit for all prompts of all lines. Bundled audio replaces a prompt that is not ready by then.
const PREPARE_WITHIN: Duration = Duration::from_secs(20);
/// The same while callers of the last start wait.
const PREPARE_WITHIN_LIVE: Duration = Duration::from_secs(3);
/// First and longest pause between two attempts to prepare failed prompts.
const PREPARE_RETRY_FIRST: Duration = Duration::from_secs(1);
const PREPARE_RETRY_MAX: Duration = Duration::from_secs(60);
const AGENT_WITHIN: Duration = Duration::from_secs(5);

/// A PBX feed that has an address but has not started.
pub(crate) struct ReservedFeed {
    pub(crate) reserved: Reserved<PbxFeed>,
    pub(crate) settings: Arc<PbxSettings>,
    pub(crate) tokens: AccessTokens,
    pub(crate) desk: TokenPublisher,
    pub(crate) state: Arc<PbxState>,
    pub(crate) pace: FeedPace,
}

/// The PBX feed, which starts before the previous calls are known, but not before this process may use the PBX client.
pub(super) struct LateFeed {
    pub(super) feed: Option<ReservedFeed>,
    pub(super) supervisor: Addr<CallSupervisor>,
    /// An engine on this host acted a moment ago and is dead: this process goes on at the PBX.
    pub(super) is_successor: bool,
}

/// What is known of earlier starts, beside the live calls.
struct Previous {
    registry: CallRegistry,
    /// Numbers dialled within the last day.
    dialled: Vec<(E164, At)>,
    budgets: Budgets,
    /// Conversations of stored reports that matched no call.
    unmatched: HashSet<ConversationId>,
    existing: LoadExisting,
    cached: Vec<CachedVoice>,
    unfinished: Vec<UnfinishedClone>,
}

/// Everything that the recovery needs.
#[derive(Clone)]
pub(crate) struct Recovery {
    pub(crate) services: Arc<CallServices>,
    pub(crate) voices: Arc<VoiceServices>,
    pub(crate) erasure: Arc<ErasureServices>,
    pub(crate) capacity: Arc<Capacity>,
    pub(crate) prompt_problems: Arc<PromptProblems>,
    pub(crate) default_line: Line,
    pub(crate) region: Region,
    pub(crate) countries: Countries,
    pub(crate) own_numbers: HashSet<CallerNumber>,
    pub(crate) limits: DialLimits,
    pub(crate) pbx: Option<PbxEngine>,
    /// `SPOOL_DIR`.
    pub(crate) spool_root: Option<PathBuf>,
    /// When an engine on this host last acted; none without a spool.
    pub(crate) last_acted: Option<LastActed>,
    pub(crate) live_calls: LiveCalls,
    pub(crate) refusal: Arc<StartRefusal>,
    /// The spool of this start.
    pub(crate) spool: Option<SpoolHandle>,
    /// How long data is kept.
    pub(crate) retention: Retention,
}

impl Recovery {
    pub(crate) fn rules(&self, lines: &Lines) -> DialRules {
        let own = self.own_numbers.iter().chain(lines.numbers()).cloned().collect();
        DialRules::new(&self.countries, self.region, own, self.limits)
    }

    pub(crate) async fn run(
        self,
        feed: Option<ReservedFeed>,
        supervisor: Addr<CallSupervisor>,
        mut leaves: mpsc::Receiver<Leave>,
    ) {
        let log = self.services.log.clone();
        let state = &self.services.persistence_state;
        let (mut lock, mark) = (None, self.mark());
        let mut feed = LateFeed { feed, supervisor: supervisor.clone(), is_successor: false };
        self.succeed_at_pbx(&mut feed).await;
        let position = self.until_leader(&mut lock, mark.as_ref(), &mut feed).await;
        state.set_reached(position);
        info!(log, "the engine is ready");
        // In its own task: it may take long, and a leader that does not check the database in time must stop acting.
        let (preparing, supervisor) = (self.clone(), supervisor);
        actix::spawn(async move { preparing.retry_prompts(&supervisor).await });
        actix::spawn(run_deletion_worker(Arc::clone(&self.erasure)));
        let agent = self.default_line.agent_id.clone();
        let (services, capacity) = (Arc::clone(&self.services), Arc::clone(&self.capacity));
        actix::spawn(run_maintenance(services, capacity, self.retention.clone(), agent));
        self.watch_leadership(lock, &mut leaves).await;
        // Its file says that this process has ended. It must not before the process ends.
        std::future::pending::<()>().await;
        drop(mark);
    }

    /// Prepares failed prompts again, for ever.
    async fn retry_prompts(&self, supervisor: &Addr<CallSupervisor>) {
        let mut pause = PREPARE_RETRY_FIRST;
        loop {
            tokio::time::sleep(pause).await;
            if !self.prompt_problems.all().is_empty() {
                self.reload(supervisor).await;
                pause = (pause * 2).min(PREPARE_RETRY_MAX);
            }
        }
    }

    /// Compares the database with what was acknowledged here. A restored backup lacks some of it.
    async fn look_for_missing(
        &self,
        spool: &SpoolHandle,
        client: &impl GenericClient,
    ) -> Result<(), StoreError> {
        let Some(end) = log_end::end(client).await? else { return Ok(()) };
        let log = &self.services.log;
        match spool.keep_missing(end).await {
            Ok(missing) => {
                let words: Vec<String> = missing.iter().map(ToString::to_string).collect();
                if self.services.persistence_state.spool().set_missing(&words) {
                    for words in words {
                        error!(log, "the database lacks acknowledged events"; "problem" => words);
                    }
                }
            }
            Err(error) => warn!(log, "could not read how far events were acknowledged"; "error" => %error),
        }
        Ok(())
    }

    pub(crate) async fn reload(&self, supervisor: &Addr<CallSupervisor>) {
        match self.lines(PREPARE_WITHIN).await {
            Ok(lines) => self.use_lines(lines, supervisor),
            Err(error) => {
                warn!(self.services.log, "could not read the lines, the old ones stay in use"; "error" => %error);
            }
        }
    }

    /// Loads the previous state; returns the last log position. The prompts are prepared at the same time.
    pub(super) async fn load(
        &self,
        supervisor: &Addr<CallSupervisor>,
        process: Uuid,
        resumption: Resumption,
    ) -> Result<i64, StoreError> {
        // Before any write: a partition cannot be created once its rows are in the default partition.
        partitions::make_ahead(&self.services.pool, clock::now()).await?;
        // What this process imported as a standby is over.
        self.services.persistence_state.positions().import_ended();
        let mut left = self.left_spools().await?;
        let client = self.services.pool.get().await?;
        // Before any read: from now on the database refuses writes of an earlier start.
        let (database, generation) = self.claim(left.as_mut(), &**client, process).await?;
        // Before this process acts: the first frame is written after that.
        if let Some(spool) = &self.spool {
            spool.belong_to(database).await;
            self.look_for_missing(spool, &**client).await?;
        }
        self.services.persistence_state.leadership().set(EngineRole::Acting(generation));
        let pbx = self.pbx.as_ref().map(|pbx| pbx.client.place());
        live_calls::set_pbx(&**client, pbx.as_deref()).await?;
        let origin = self.database_origin(database, generation).await;
        let spooled = match &mut left {
            Some(left) => self.import_first(left, &**client).await?,
            None => {
                self.services.persistence_state.spool().import_ended();
                StillSpooled::default()
            }
        };
        let unreleased = call_context::unreleased(&**client).await?;
        // Callers are on the line: they must not wait long for a prompt.
        let within = if unreleased.is_empty() { PREPARE_WITHIN } else { PREPARE_WITHIN_LIVE };
        let (lines, previous) = tokio::join!(self.lines(within), self.previous(&**client, origin, spooled));
        let (lines, Previous { registry, dialled, budgets, unmatched, existing, cached, unfinished }) =
            (lines?, previous?);
        info!(self.services.log, "previous state loaded"; "cached_voices" => cached.len(),
            "unreleased_calls" => unreleased.len(), "generation" => generation);
        self.services.voice_book.do_send(existing);
        self.services.voice_book.do_send(LoadCache(cached));
        self.services.voice_book.do_send(ResolveUnfinished(unfinished));
        let mut guard = DialGuard::new(self.rules(&lines));
        for (number, at) in dialled {
            guard.seed(number, at);
        }
        self.use_lines(lines, supervisor);
        // The budgets are still empty: no call was taken until now.
        *self.services.budgets.lock() = budgets;
        let position = generation::last_position(&**client).await?;
        supervisor.do_send(RecoveredState { registry, guard, unreleased, unmatched, generation, resumption });
        if let Some(left) = left {
            actix::spawn(self.clone().import_behind_calls(left));
        }
        Ok(position)
    }

    /// Reads what admission, budgets and voices have to know of earlier starts.
    async fn previous(
        &self,
        client: &impl GenericClient,
        origin: DatabaseOrigin,
        spooled: StillSpooled,
    ) -> Result<Previous, StoreError> {
        let now = clock::now();
        let ago =
            |span: Duration| At(now.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)));
        let mut registry = CallRegistry::default();
        let mut keys = recent_calls::keys(client, ago(REMEMBERED)).await?;
        keys.extend(spooled.keys(ago(REMEMBERED)));
        keys.sort_by_key(|key| key.first_seen);
        for key in keys {
            let parse = |raw: &String| CallerNumber::parse(raw, self.region);
            let sighting = Sighting {
                pbx: key.pbx,
                threecx_call_id: key.threecx_call_id,
                caller: key.caller.as_ref().map_or(CallerNumber::Withheld, parse),
                called: key.called.as_ref().map(parse),
            };
            let liveness = if key.live { CallLiveness::Live } else { CallLiveness::Over };
            registry.insert(key.call, sighting, key.first_seen, liveness);
        }
        for (pbx, id, at) in recent_calls::early_ends(client, ago(REMEMBERED)).await? {
            registry.ended_early(&pbx, &id, at);
        }
        let mut dialled = recent_calls::dialled(client, ago(DAY)).await?;
        dialled.extend(spooled.dialled(ago(DAY)));
        let dialled =
            dialled.into_iter().filter_map(|(number, at)| Some((number.parse().ok()?, at))).collect();
        let budgets = restored_usage::budgets(&self.services, client, &spooled, now).await?;
        self.services.persistence_state.set_quarantined(event_log::quarantined(client).await?);
        let unmatched = unmatched_reports::conversations(client, UNMATCHED_LOADED).await?;
        Ok(Previous {
            registry,
            dialled,
            budgets,
            unmatched: unmatched.into_iter().map(ConversationId::new).collect(),
            existing: LoadExisting {
                voices: voices::existing(client, VOICES_LOADED).await?,
                in_use: voices::in_use(client).await?,
                origin,
            },
            cached: voices::cached(client, now, VOICES_LOADED).await?,
            unfinished: voices::unfinished(client, ago(DAY)).await?,
        })
    }

    /// Whether this database acted here before. If that cannot be recorded, it counts as new.
    async fn database_origin(&self, database: Uuid, generation: u64) -> DatabaseOrigin {
        let Some(known) = self.voices.known_database.clone() else { return DatabaseOrigin::New };
        let recorded = tokio::task::spawn_blocking(move || known.record_start(database, generation)).await;
        match recorded.map_err(io::Error::other).and_then(|recorded| recorded) {
            Ok(origin) => origin,
            Err(error) => {
                warn!(self.services.log, "could not record which database this is"; "error" => %error);
                DatabaseOrigin::New
            }
        }
    }

    async fn lines(&self, within: Duration) -> Result<Lines, StoreError> {
        let client = self.services.pool.get().await?;
        let stored = lines::read(&**client).await?;
        let (lines, unreadable) = Lines::new(self.default_line.clone(), &stored, self.region);
        for number in unreadable {
            warn!(self.services.log, "skipped a line with an invalid number"; "number" => number);
        }
        Ok(match &self.pbx {
            Some(pbx) => self.prepare(pbx, lines, within).await,
            None => lines,
        })
    }

    /// Prepares all prompts before the first call, so that nothing is synthesised during a call.
    async fn prepare(&self, pbx: &PbxEngine, lines: Lines, within: Duration) -> Lines {
        let clients = self.services.clients.here();
        let mut agents = AgentVoices::default();
        let mut orders = Vec::new();
        for line in lines.all() {
            let mut order = (pbx.prompt_order)(line);
            if order.lacks_voice() {
                order.speak_with(agents.of(&clients.bulk, &line.agent_id).await);
            }
            orders.push((line.prompts_id(), order));
        }
        let maker = PromptMaker::new(clients.bulk.clone(), pbx.prompts.clone());
        let prepared = maker.prepare(&orders, within).await;
        let mut problems = agents.problems;
        problems.extend(prepared.problems);
        for (line, prompts) in &prepared.by_line {
            problems.extend(prompts.problems.iter().map(|problem| format!("line {line}: {problem}")));
        }
        problems.sort_unstable();
        // Retried every minute; logged only when they change.
        if self.prompt_problems.set(problems.clone()) {
            for problem in &problems {
                warn!(self.services.log, "a prompt differs from its configuration"; "problem" => problem);
            }
        }
        let announcements = prepared
            .by_line
            .into_iter()
            .map(|(line, prompts)| (line, Announcements::new(prompts, pbx.lead_silence)))
            .collect();
        lines.with_announcements(&announcements)
    }

    fn use_lines(&self, lines: Lines, supervisor: &Addr<CallSupervisor>) {
        let rules = self.rules(&lines);
        supervisor.do_send(UseLines { lines, rules });
    }
}

/// The agents' own voices, each read once. Prompts use them if no prompt voice is configured.
#[derive(Default)]
struct AgentVoices {
    known: HashMap<String, Option<VoiceId>>,
    /// Why an agent's voice could not be read, for display.
    problems: Vec<String>,
}

impl AgentVoices {
    async fn of(&mut self, provider: &ElevenLabs, agent_id: &str) -> Option<VoiceId> {
        if let Some(known) = self.known.get(agent_id) {
            return known.clone();
        }
        let voice = match provider.agent(agent_id, AGENT_WITHIN).await {
            Ok(agent) => agent.voice.map(VoiceId::new),
            Err(error) => {
                self.problems.push(format!("agent {agent_id}: could not read its voice: {error}"));
                None
            }
        };
        self.known.insert(agent_id.to_owned(), voice.clone());
        voice
    }
}
