//! Recovery at the start: waits for PostgreSQL and for leadership, then loads the previous state into the actors and
//! prepares the prompts. Afterwards watches the database and the leadership.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use arc_swap::ArcSwap;
use precall_audio::prompts::PromptMaker;
use precall_base::clock;
use precall_base::phone_number::{CallerNumber, E164, Region};
use precall_call::{At, ConversationId, VoiceId};
use precall_providers::elevenlabs::ElevenLabs;
use precall_providers::threecx::access_token::{AccessTokens, TokenPublisher};
use precall_providers::threecx::settings::Settings as PbxSettings;
use precall_providers::threecx::token::GrantedToken;
use precall_store::error::StoreError;
use precall_store::events::event_log;
use precall_store::growth::partitions;
use precall_store::leader::{generation, live_calls};
use precall_store::lines::StoredLine;
use precall_store::reads::log_end;
use precall_store::recovery::{call_context, recent_calls, unmatched_reports};
use precall_store::spool::handle::SpoolHandle;
use precall_store::voices::{CachedVoice, UnfinishedClone};
use precall_store::{lines, voices};
use slog::{error, info, warn};
use tokio::sync::{Mutex, mpsc, watch};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::housekeeping::{Retention, run_maintenance};
use super::last_acted::LastActed;
use super::still_spooled::StillSpooled;
use crate::admission::call_registry::{CallLiveness, CallRegistry, REMEMBERED, Sighting};
use crate::admission::call_supervisor::{
    AdmissionSettings, CallSupervisor, RecoveredState, Resumption, UseLines,
};
use crate::api::{LiveLegSettings, ReloadableSettings};
use crate::call::announcements::Announcements;
use crate::call::line::Lines;
use crate::call::services::CallServices;
use crate::durability::leadership::{EngineRole, Leave};
use crate::erasure::deletion_worker::run_deletion_worker;
use crate::erasure::services::ErasureServices;
use crate::lifecycle::restored_usage;
use crate::lifecycle::settings::LiveCalls;
use crate::limits::budgets::{BudgetLimits, Budgets};
use crate::limits::dial_guard::{DialGuard, DialRules};
use crate::limits::provider_capacity::Capacity;
use crate::observe::host_watch::HostWatch;
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
    /// The token that the last leader has left.
    pub(crate) inherited: Option<GrantedToken>,
}

/// The PBX feed, which starts before the previous calls are known, but not before this process may use the PBX client.
pub(super) struct LateFeed {
    pub(super) feed: Option<ReservedFeed>,
    pub(super) supervisor: Addr<CallSupervisor>,
    /// An engine on this host acted a moment ago and is dead: this process goes on at the PBX.
    pub(super) is_successor: bool,
    /// Whether the calls of the last leader are read back.
    pub(super) has_calls: watch::Sender<bool>,
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
    /// The settings that count. A reload replaces them.
    pub(crate) current: Arc<ArcSwap<ReloadableSettings>>,
    /// Held while lines are read and given to the supervisor, so that older ones do not come behind newer ones.
    pub(crate) reading_lines: Arc<Mutex<()>>,
    /// The rows of the lines, as last read.
    pub(crate) stored_lines: Arc<ArcSwap<Vec<StoredLine>>>,
    pub(crate) host: Arc<HostWatch>,
    pub(crate) region: Region,
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
    /// The settings that count now.
    pub(super) fn settings(&self) -> Arc<ReloadableSettings> {
        self.current.load_full()
    }

    /// What the supervisor uses with these lines.
    pub(crate) fn terms(&self, lines: Lines, settings: &ReloadableSettings) -> UseLines {
        let own = settings.own_numbers.iter().chain(lines.numbers()).cloned().collect();
        let rules = DialRules::new(&settings.countries, self.region, own, settings.limits);
        let admission = AdmissionSettings {
            max_live_calls: settings.max_live_calls,
            region: self.region,
            trusted_trunks: settings.trusted_trunks.clone(),
            start_patience: settings.start_patience,
        };
        UseLines { lines, rules, admission }
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
        let mut feed = LateFeed {
            feed,
            supervisor: supervisor.clone(),
            is_successor: false,
            has_calls: watch::Sender::default(),
        };
        self.succeed_at_pbx(&mut feed).await;
        let position = self.until_leader(&mut lock, mark.as_ref(), &mut feed).await;
        state.set_reached(position);
        info!(log, "the engine is ready");
        // In its own task: it may take long, and a leader that does not check the database in time must stop acting.
        let (preparing, supervisor) = (self.clone(), supervisor);
        actix::spawn(async move { preparing.retry_prompts(&supervisor).await });
        actix::spawn(run_deletion_worker(Arc::clone(&self.erasure)));
        let current = Arc::clone(&self.current);
        let agent = move || current.load().default_line.agent_id.clone();
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
                self.reload(None, supervisor).await;
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

    /// Reads the lines again and gives them to new calls, with new settings or with the old ones. It cannot fail: lines
    /// that cannot be read stay as they are, and a prompt that cannot be prepared is replaced and reported.
    pub(crate) async fn reload(
        &self,
        new: Option<Arc<ReloadableSettings>>,
        supervisor: &Addr<CallSupervisor>,
    ) {
        let _one_at_a_time = self.reading_lines.lock().await;
        let old = self.settings();
        let settings = match new {
            Some(new) => {
                // First: prompts are spoken with the new key.
                old.provider.use_key_of(&new.provider);
                if let (Some(old), Some(new)) = (&old.live_leg, &new.live_leg) {
                    old.client.use_secret_of(&new.client);
                }
                Arc::new(with_clients_of(&old, &new))
            }
            None => old,
        };
        let stored = self.read_lines().await.unwrap_or_else(|error| {
            warn!(self.services.log, "could not read the lines, the old ones stay in use"; "error" => %error);
            self.stored_lines.load_full()
        });
        let lines = self.lines(&stored, &settings, PREPARE_WITHIN).await;
        // From here on nothing waits: a new call finds all of the new settings, or none.
        self.services.agent_seats.set_max(settings.agent_concurrency);
        self.host.set_live_calls(settings.max_live_calls);
        let limits_before = self.services.budgets.lock().set_limits(settings.budgets);
        self.current.store(Arc::clone(&settings));
        supervisor.do_send(self.terms(lines, &settings));
        self.count_for_new_limits(settings.budgets, limits_before).await;
        self.prepare_hold_music().await;
    }

    /// A budget that had no limit was not counted: its use of the last hour and day is read now.
    async fn count_for_new_limits(&self, limits: BudgetLimits, before: BudgetLimits) {
        if !limits.count_more_than(before) {
            return;
        }
        let counted = async {
            let client = self.services.pool.get().await?;
            restored_usage::counted(limits, &**client, &StillSpooled::default(), clock::now()).await
        };
        match counted.await {
            Ok(counted) => self.services.budgets.lock().adopt(counted, before),
            Err(error) => {
                warn!(self.services.log, "could not read the use of a new budget, it counts from now";
                    "error" => %error);
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
        let pbx = self.settings().live_leg.as_ref().map(|leg| leg.client.place());
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
        let _one_at_a_time = self.reading_lines.lock().await;
        let settings = self.settings();
        let lines = async {
            let stored = self.read_lines().await?;
            Ok::<_, StoreError>(self.lines(&stored, &settings, within).await)
        };
        let (lines, previous) = tokio::join!(lines, self.previous(&**client, origin, spooled));
        let (lines, Previous { registry, dialled, budgets, unmatched, existing, cached, unfinished }) =
            (lines?, previous?);
        info!(self.services.log, "previous state loaded"; "cached_voices" => cached.len(),
            "unreleased_calls" => unreleased.len(), "generation" => generation);
        self.services.voice_book.do_send(existing);
        self.services.voice_book.do_send(LoadCache(cached));
        self.services.voice_book.do_send(ResolveUnfinished(unfinished));
        let terms = self.terms(lines, &settings);
        let mut guard = DialGuard::new(terms.rules.clone());
        for (number, at) in dialled {
            guard.seed(number, at);
        }
        supervisor.do_send(terms);
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

    async fn read_lines(&self) -> Result<Arc<Vec<StoredLine>>, StoreError> {
        let client = self.services.pool.get().await?;
        let stored = Arc::new(lines::read(&**client).await?);
        self.stored_lines.store(Arc::clone(&stored));
        Ok(stored)
    }

    async fn lines(&self, stored: &[StoredLine], settings: &ReloadableSettings, within: Duration) -> Lines {
        let (lines, unreadable) = Lines::new(settings.default_line.clone(), stored, self.region);
        for number in unreadable {
            warn!(self.services.log, "skipped a line with an invalid number"; "number" => number);
        }
        match &settings.live_leg {
            Some(leg) => self.prepare(leg, lines, within).await,
            None => lines,
        }
    }

    /// Prepares all prompts before the first call, so that nothing is synthesised during a call.
    async fn prepare(&self, leg: &LiveLegSettings, lines: Lines, within: Duration) -> Lines {
        let clients = self.services.clients.here();
        let mut agents = AgentVoices::default();
        let mut orders = Vec::new();
        for line in lines.all() {
            let mut order = (leg.prompt_order)(line);
            if order.lacks_voice() {
                order.speak_with(agents.of(&clients.bulk, &line.agent_id).await);
            }
            orders.push((line.prompts_id(), order));
        }
        let maker = PromptMaker::new(clients.bulk.clone(), leg.prompts.clone());
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
            .map(|(line, prompts)| (line, Announcements::new(prompts, leg.lead_silence)))
            .collect();
        lines.with_announcements(&announcements)
    }
}

/// The new settings with the running clients, whose key and secret were exchanged.
fn with_clients_of(old: &ReloadableSettings, new: &ReloadableSettings) -> ReloadableSettings {
    let live_leg = match (&old.live_leg, &new.live_leg) {
        (Some(old), Some(new)) => Some(LiveLegSettings { client: Arc::clone(&old.client), ..new.clone() }),
        // The route needs a restart.
        (old, _) => old.clone(),
    };
    ReloadableSettings { provider: Arc::clone(&old.provider), live_leg, ..new.clone() }
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
