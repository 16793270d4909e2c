//! Starts and stops the engine: arbiters, actors, and the recovery from the database.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix::Arbiter;
use arc_swap::ArcSwap;
use precall_audio::{Media, MediaError};
use precall_providers::request_watch::RequestObserver;
use precall_providers::threecx::access_token::TokenPublisher;
use precall_providers::threecx::client::ThreeCx;
use precall_providers::threecx::settings::Settings as PbxSettings;
use slog::Logger;
use tokio::sync::{Notify, mpsc};

use crate::admission::bypass_keeper::Keeper;
use crate::admission::call_supervisor::{CallSupervisor, UseLines};
use crate::api::{EngineHandle, ReloadAsked};
use crate::call::agent_settings::AgentSettings;
use crate::call::expected_transfers::SharedTransfers;
use crate::call::line::Lines;
use crate::call::live_board::Board;
use crate::call::pin::check::PinChecks;
use crate::call::services::CallServices;
use crate::call::supervision::Listeners;
use crate::canary::keeper::{Canary, CanaryParts, Current};
use crate::durability::leadership::{EngineRole, Leave};
use crate::durability::persistence::PersistenceActor;
use crate::durability::persistence_state::PersistenceState;
use crate::erasure::services::ErasureServices;
use crate::lifecycle::last_acted::LastActed;
use crate::lifecycle::recovery::{Recovery, ReservedFeed};
use crate::lifecycle::settings::{EngineSettings, PbxEngine, SecondStream};
use crate::limits::agent_seats::AgentSeats;
use crate::limits::budgets::SharedBudgets;
use crate::limits::bypass::Bypass;
use crate::limits::dial_guard::DialGuard;
use crate::limits::provider_capacity::Capacity;
use crate::observe::canary_calls::CanaryCalls;
use crate::observe::host_watch::HostWatch;
use crate::observe::metrics::Metrics;
use crate::observe::prompt_problems::PromptProblems;
use crate::observe::provider_health::ProviderState;
use crate::observe::provider_probe::ProviderProbe;
use crate::observe::replica_watch::ReplicaWatch;
use crate::observe::shared_outcomes::SharedOutcomes;
use crate::observe::start_refusal::StartRefusal;
use crate::observe::traces::Traces;
use crate::observe::traces::exporter::{Exporter, TraceSettings};
use crate::observe::wire_log::WireLog;
use crate::pbx::held_legs::HeldLegs;
use crate::pbx::leaving_legs::LeavingLegs;
use crate::pbx::pbx_health::PbxState;
use crate::pbx::pbx_side::PbxSide;
use crate::reports::report_collector::ReportCollector;
use crate::runtime::clients::elevenlabs_clients;
use crate::runtime::heartbeat::Heartbeats;
use crate::runtime::mailbox_age::MailboxAges;
use crate::runtime::per_arbiter::PerArbiter;
use crate::runtime::restart_in_place::{VitalActors, reserve};
use crate::voices::known_database::KnownDatabase;
use crate::voices::services::VoiceServices;
use crate::voices::voice_book::VoiceBook;

const REPORT_ROUND: Duration = Duration::from_secs(15);
/// Reloads that wait for the one that runs.
const RELOADS_WAITING: usize = 8;

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no actix system.
    #[error("the engine must be started inside an actix system")]
    NoSystem,
    /// The audio shards did not start.
    #[error(transparent)]
    Media(#[from] MediaError),
}

/// The running engine.
pub struct Engine {
    pub(super) handle: EngineHandle,
    recovery: Recovery,
    arbiters: Vec<Arbiter>,
    /// Asks the recovery to give the lease back.
    pub(super) leave: mpsc::Sender<Leave>,
}

impl Engine {
    /// Starts all actors. Calls are admitted once the recovery is complete; until then the answer is busy.
    ///
    /// # Errors
    /// When there is no actix system to run in.
    pub fn start(settings: EngineSettings) -> Result<Self, EngineError> {
        if actix::System::try_current().is_none() {
            return Err(EngineError::NoSystem);
        }
        let metrics = Arc::new(Metrics::new());
        let settings = observed(settings, &metrics);
        let first = Arbiter::new();
        let home = first.handle();
        let others = (1..settings.arbiters).map(|_| Arbiter::new());
        let calls: Vec<Arbiter> = iter::once(first).chain(others).collect();
        let writing = Arbiter::new();
        let call_handles: Vec<_> = calls.iter().map(Arbiter::handle).collect();
        // Actors that send to each other get their addresses first.
        let (supervisor, reserved_supervisor) = reserve();
        let (voice_book, reserved_book) = reserve();
        let live_leg = settings.reloadable.live_leg.as_ref().map(|leg| Arc::clone(&leg.client));
        let (feed, pbx) = match settings.pbx.as_ref().zip(live_leg) {
            Some((pbx, client)) => {
                let (feed, side) = pbx_side(pbx, &client, &settings.log)?;
                (Some(feed), Some(Arc::new(side)))
            }
            None => (None, None),
        };
        let spool_max = settings.spool.as_ref().map(|spool| spool.max_bytes);
        let state = Arc::new(PersistenceState::new(spool_max, settings.outage_max));
        if settings.pbx.as_ref().is_some_and(|pbx| pbx.second_stream == SecondStream::Refused) {
            state.leadership().keep_legs();
        }
        if let Some(problem) = settings.spool.as_ref().and_then(|spool| spool.problem.as_ref()) {
            state.spool_failed(problem);
        }
        let spool = settings.spool.as_ref().map(|spool| spool.handle.clone());
        let vital = VitalActors::default();
        let persistence = {
            let (pool, state, log) = (settings.writing_pool, Arc::clone(&state), settings.log.clone());
            let spool = spool.clone();
            let (address, reserved) = reserve();
            let make = move |_: &mut _| PersistenceActor::new(pool, spool, state, log);
            reserved.start_vital(&writing.handle(), &vital, make);
            address
        };
        let spool_root = settings.spool.map(|spool| spool.root);
        let permitting = Arc::clone(&state);
        let reloadable = settings.reloadable;
        let current = Arc::new(ArcSwap::from_pointee(reloadable.clone()));
        let clients =
            elevenlabs_clients(Arc::clone(&reloadable.provider), Arc::new(move || permitting.may_go_on()));
        let provider = Arc::new(ProviderState::default());
        let budgets = Arc::new(SharedBudgets::new(reloadable.budgets));
        let bypass = Arc::new(Bypass::default());
        let bypass_keeper = Arc::new(Keeper::new(
            Arc::clone(&bypass),
            spool_root.as_deref(),
            settings.pool.clone(),
            Arc::clone(&state),
            settings.log.clone(),
        ));
        let capacity = Arc::new(Capacity::default());
        let outcomes = Arc::new(SharedOutcomes::default());
        let probe = ProviderProbe {
            clients: clients.clone(),
            provider: Arc::clone(&provider),
            outcomes: Arc::clone(&outcomes),
            metrics: Arc::clone(&metrics),
            agent_id: {
                let current = Arc::clone(&current);
                Box::new(move || current.load().default_line.agent_id.clone())
            },
            every: settings.probe_every,
            log: settings.log.clone(),
        };
        let (traces, tracing) = match settings.traces {
            Some(TraceSettings { collector, sampler }) => {
                let (pool, state) = (settings.pool.clone(), Arc::clone(&state));
                let (queue, exporter) =
                    Exporter::new(collector, pool, state, Arc::clone(&metrics), settings.log.clone());
                let arbiter = Arbiter::new();
                exporter.start(&arbiter.handle());
                (Traces::new(sampler, queue), Some(arbiter))
            }
            None => (Traces::default(), None),
        };
        let prompt_problems = Arc::new(PromptProblems::default());
        let refusal = Arc::new(StartRefusal::default());
        let samples = settings.voices.samples.clone();
        let wire = Arc::new(WireLog::default());
        let voices = Arc::new(VoiceServices {
            persistence: persistence.clone(),
            persistence_state: Arc::clone(&state),
            pool: settings.pool.clone(),
            clients: clients.clone(),
            provider: Arc::clone(&provider),
            outcomes: Arc::clone(&outcomes),
            traces: traces.clone(),
            budgets: Arc::clone(&budgets),
            capacity: Arc::clone(&capacity),
            wire: Arc::clone(&wire),
            settings: settings.voices,
            known_database: spool_root.as_deref().map(KnownDatabase::in_folder),
            faults: settings.faults.clone(),
            log: settings.log.clone(),
        });
        let erasure = Arc::new(ErasureServices {
            persistence_state: Arc::clone(&state),
            pool: settings.pool.clone(),
            voice_book: voice_book.clone(),
            clients: clients.clone(),
            provider: Arc::clone(&provider),
            ledger: settings.ledger,
            samples,
            recordings: settings.retention.recordings.clone(),
            spool_folder: spool_root.clone(),
            wake: Notify::new(),
            log: settings.log.clone(),
        });
        let canary_dn = settings.canary.pbx.as_ref().map(|client| client.own_dn().as_str().to_owned());
        let route_point = reloadable.live_leg.as_ref().map(|leg| leg.client.own_dn().clone());
        let services = Arc::new(CallServices {
            persistence,
            persistence_state: state,
            vital: vital.clone(),
            pin_checks: PinChecks::new(settings.pool.clone(), settings.log.clone()),
            pool: settings.pool,
            voice_book: voice_book.clone(),
            clients,
            provider,
            pbx,
            agent_settings: Arc::new(AgentSettings::new(settings.log.clone())),
            transfers: SharedTransfers::default(),
            budgets,
            canary: Arc::new(CanaryCalls::new(canary_dn)),
            bypass,
            agent_seats: AgentSeats::new(reloadable.agent_concurrency),
            board: Board::default(),
            listeners: Listeners::default(),
            metrics,
            outcomes,
            wire,
            traces,
            dial: settings.dial,
            faults: settings.faults,
            log: settings.log,
        });
        let host = Arc::new(HostWatch::new(reloadable.max_live_calls, services.log.clone()));
        let replica =
            settings.replica.map(|replica| Arc::new(ReplicaWatch::new(replica, services.log.clone())));
        let revoked_voices = supervisor.clone().recipient();
        let (book_services, job_arbiter) = (Arc::clone(&voices), home.clone());
        let make = move |_: &mut _| VoiceBook::new(book_services, revoked_voices, job_arbiter);
        reserved_book.start_vital(&home, &vital, make);
        let recovery = Recovery {
            services: Arc::clone(&services),
            voices,
            erasure: Arc::clone(&erasure),
            capacity: Arc::clone(&capacity),
            prompt_problems: Arc::clone(&prompt_problems),
            current: Arc::clone(&current),
            reading_lines: Arc::default(),
            stored_lines: Arc::default(),
            host: Arc::clone(&host),
            region: settings.region,
            live_calls: settings.live_calls,
            refusal: Arc::clone(&refusal),
            last_acted: spool_root.as_deref().map(LastActed::in_folder),
            spool_root,
            spool,
            retention: settings.retention,
        };
        let (default_lines, _) = Lines::new(reloadable.default_line.clone(), &[], recovery.region);
        let terms = recovery.terms(default_lines, &reloadable);
        let (of_supervisor, handles) = (Arc::clone(&services), call_handles.clone());
        reserved_supervisor.start_vital(&home, &vital, move |_| {
            let UseLines { lines, rules, admission } = terms;
            CallSupervisor::new(of_supervisor, admission, lines, DialGuard::new(rules), handles)
        });
        let (of_reports, supervisor_of_reports) = (Arc::clone(&services), supervisor.clone());
        let wait = settings.report_wait;
        reserve().1.start_vital(&home, &vital, move |_| {
            ReportCollector::new(of_reports, supervisor_of_reports, wait, REPORT_ROUND.min(wait))
        });
        let heartbeats =
            Heartbeats::start(&call_handles.iter().cloned().chain([writing.handle()]).collect::<Vec<_>>());
        let mut mailboxes = MailboxAges::default();
        mailboxes.watch(&writing.handle(), "supervisor", supervisor.clone());
        mailboxes.watch(&writing.handle(), "voice_book", voice_book);
        mailboxes.watch(&home, "persistence", services.persistence.clone());
        let draining = Arc::new(AtomicBool::new(false));
        let (canary, canary_asked) = Canary::new(CanaryParts {
            settings: settings.canary,
            route: reloadable.default_line.rules.route,
            current: {
                let current = Arc::clone(&current);
                Box::new(move || {
                    let now = current.load();
                    let line = &now.default_line;
                    Current {
                        line: line.id.clone(),
                        agent_id: line.agent_id.clone(),
                        phone_number_id: line.phone_number_id.clone(),
                        max_live_calls: now.max_live_calls,
                    }
                })
            },
            route_point,
            services: Arc::clone(&services),
            supervisor: supervisor.clone(),
            draining: Arc::clone(&draining),
        });
        let watch = Arc::clone(&host).run();
        let replica_watch = replica.clone().map(ReplicaWatch::run);
        let (reloads, mut reloads_asked) = mpsc::channel(RELOADS_WAITING);
        let handle = EngineHandle {
            services,
            erasure,
            capacity,
            prompt_problems,
            refusal,
            supervisor,
            heartbeats,
            mailboxes,
            host,
            replica,
            draining,
            region: settings.region,
            reloadable: current,
            config_reload: Arc::default(),
            recently_kept: Arc::default(),
            alerts: Arc::default(),
            bypass_keeper: Arc::clone(&bypass_keeper),
            canary: Arc::clone(&canary),
            reloads,
        };
        let (reloading, of_lines) = (recovery.clone(), handle.supervisor.clone());
        let (loading, supervisor) = (recovery.clone(), handle.supervisor.clone());
        let (leave, leaves) = mpsc::channel(1);
        home.spawn_fn(move || {
            actix::spawn(loading.run(feed, supervisor, leaves));
            actix::spawn(probe.run());
            actix::spawn(watch);
            replica_watch.map(actix::spawn);
            actix::spawn(bypass_keeper.run());
            actix::spawn(canary.run(canary_asked));
            // Here, because the HTTP clients for prompts belong to the arbiter of a call.
            actix::spawn(async move {
                while let Some(ReloadAsked { settings, done }) = reloads_asked.recv().await {
                    reloading.reload(settings, &of_lines).await;
                    let _ = done.send(());
                }
            });
        });
        let arbiters = calls.into_iter().chain([writing]).chain(tracing).collect();
        Ok(Self { handle, recovery, arbiters, leave })
    }

    /// The handle for the edge.
    #[must_use]
    pub fn handle(&self) -> EngineHandle {
        self.handle.clone()
    }

    /// Reads the lines again.
    pub async fn reload_lines(&self) {
        self.handle.reload_lines().await;
    }

    /// Another engine acts: the next start on this host is not the successor.
    pub(super) fn forget_acting(&self) {
        if let Some(acted) = &self.recovery.last_acted {
            acted.forget();
        }
    }

    /// Stops all audio and every arbiter of the engine.
    pub fn stop(self) {
        if let Some(pbx) = &self.handle.services.pbx {
            pbx.media.stop();
        }
        if self.handle.services.persistence_state.leadership().now() == EngineRole::Superseded {
            self.forget_acting();
        }
        for arbiter in self.arbiters {
            arbiter.stop();
            let _ = arbiter.join();
        }
    }
}

/// The same settings, with clients of ElevenLabs and 3CX whose requests are measured.
fn observed(settings: EngineSettings, metrics: &Arc<Metrics>) -> EngineSettings {
    let metrics = Arc::clone(metrics);
    let observer: RequestObserver =
        Arc::new(move |endpoint, end, took| metrics.process.request(endpoint, end, took));
    let mut reloadable = settings.reloadable;
    let provider = reloadable.provider.as_ref().clone();
    reloadable.provider = Arc::new(provider.observed_by(Arc::clone(&observer)));
    if let Some(leg) = &mut reloadable.live_leg {
        leg.client = Arc::new(leg.client.as_ref().clone().observed_by(observer));
    }
    EngineSettings { reloadable, ..settings }
}

/// The PBX services for calls, and the reserved feed, which starts after the recovery.
fn pbx_side(
    pbx: &PbxEngine,
    client: &Arc<PbxSettings>,
    log: &Logger,
) -> Result<(ReservedFeed, PbxSide), MediaError> {
    let (tokens, desk) = TokenPublisher::channel();
    let (address, reserved) = reserve();
    let (settings, of_clients) = (Arc::clone(client), tokens.clone());
    let state = Arc::new(PbxState::default());
    let media = Media::start(pbx.media.clone(), tokens.clone(), log.clone())?;
    let side = PbxSide {
        held: HeldLegs::new(media.clone(), log.clone()),
        media,
        leaving: LeavingLegs::default(),
        state: Arc::clone(&state),
        client: PerArbiter::new(move || ThreeCx::new(Arc::clone(&settings), of_clients.clone())),
        look: address.clone().recipient(),
        stop_feed: address.recipient(),
    };
    let (settings, pace) = (Arc::clone(client), pbx.pace.clone());
    Ok((ReservedFeed { reserved, settings, tokens, desk, state, pace, inherited: None }, side))
}
