//! Keeps the schedule and the budget of the canary, makes its runs one after another, and writes how each ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::Addr;
use precall_base::clock;
use precall_call::{At, LineId, Route};
use precall_providers::threecx::address::Dn;
use precall_store::StoreError;
use precall_store::canary::{self, CanaryRun};
use slog::{info, warn};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::callback_run::{CallbackRun, look_up};
use super::live_run::LiveRun;
use super::progress::{Progress, RunEnd, crowded};
use super::schedule::{self, Streak};
use super::settings::CanarySettings;
use crate::admission::call_supervisor::{CallSupervisor, TakesCalls};
use crate::call::services::CallServices;
use crate::durability::leadership::EngineRole;

/// Time between two looks at the schedule.
const EVERY: Duration = Duration::from_secs(1);
/// Pause after the database did not answer.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// Time limit of a run on a live leg.
const LIVE_WITHIN: Duration = Duration::from_secs(180);
/// Time over which the budget counts.
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// How long runs are kept.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3_600);
/// Runs that are read to know how many failed in a row.
const READ_BACK: i64 = 50;
/// Time for the supervisor to say whether it takes calls.
const TOLD_WITHIN: Duration = Duration::from_secs(3);
/// Time for a requested run to begin.
const BEGUN_WITHIN: Duration = Duration::from_secs(15);

/// Why a run was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotRun {
    /// What must be configured first.
    NotConfigured(&'static str),
    /// A run is under way.
    Busy,
    /// Another precall acts for this database, or this one is stopping.
    NotActing,
    /// The database did not take the record of the run. There is no run without a record.
    NoRecord,
}

/// What the canary does now.
#[derive(Clone, Debug, Default)]
pub struct CanaryView {
    /// The run under way.
    pub running: Option<CanaryRun>,
    /// When the next run is due.
    pub next_at: Option<At>,
    /// Runs that failed in a row.
    pub failed_in_a_row: u32,
}

/// A request for a run now.
pub(crate) struct Asked {
    who: String,
    answer: oneshot::Sender<Result<CanaryRun, NotRun>>,
}

#[derive(Default)]
struct State {
    /// Whether the runs of earlier processes are known.
    is_loaded: bool,
    last_scheduled: Option<At>,
    /// Not before this time, after the database did not answer.
    not_before: Option<At>,
    running: Option<CanaryRun>,
    streak: Streak,
}

/// The settings that count for a run.
pub(crate) struct Current {
    /// The default line.
    pub(crate) line: LineId,
    pub(crate) agent_id: String,
    pub(crate) phone_number_id: String,
    /// `MAX_LIVE_CALLS`.
    pub(crate) max_live_calls: usize,
}

/// What the canary needs of the engine.
pub(crate) struct CanaryParts {
    pub(crate) settings: CanarySettings,
    pub(crate) route: Route,
    /// What a reload of the configuration may change.
    pub(crate) current: Box<dyn Fn() -> Current + Send + Sync>,
    /// precall's own route point; none without call control.
    pub(crate) route_point: Option<Dn>,
    pub(crate) services: Arc<CallServices>,
    pub(crate) supervisor: Addr<CallSupervisor>,
    pub(crate) draining: Arc<AtomicBool>,
}

/// The canary of this process.
pub(crate) struct Canary {
    parts: CanaryParts,
    state: Mutex<State>,
    asked: mpsc::Sender<Asked>,
}

impl Canary {
    /// The canary, and the requests that [`Self::run`] answers.
    pub(crate) fn new(parts: CanaryParts) -> (Arc<Self>, mpsc::Receiver<Asked>) {
        let (asked, requests) = mpsc::channel(1);
        let state = Mutex::default();
        (Arc::new(Self { parts, state, asked }), requests)
    }

    /// The settings.
    pub(crate) fn settings(&self) -> &CanarySettings {
        &self.parts.settings
    }

    /// Makes a run now. Returns it when it has begun.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn ask(&self, who: String) -> Result<CanaryRun, NotRun> {
        self.is_configured()?;
        if self.state().running.is_some() {
            return Err(NotRun::Busy);
        }
        let (answer, begun) = oneshot::channel();
        self.asked.try_send(Asked { who, answer }).map_err(|_| NotRun::Busy)?;
        let begun = tokio::time::timeout(BEGUN_WITHIN, begun).await;
        begun.ok().and_then(Result::ok).unwrap_or(Err(NotRun::NoRecord))
    }

    /// What it does now.
    pub(crate) fn view(&self) -> CanaryView {
        let state = self.state();
        let is_on = self.is_configured().is_ok() && state.is_loaded;
        let next = schedule::next(self.parts.settings.every, state.last_scheduled, clock::wall());
        CanaryView {
            running: state.running.clone(),
            next_at: next.filter(|_| is_on),
            failed_in_a_row: state.streak.failed(),
        }
    }

    /// What needs a person, and since when.
    pub(crate) fn problem(&self) -> Option<(At, String)> {
        self.state().streak.problem()
    }

    fn is_configured(&self) -> Result<(), NotRun> {
        match self.parts.route {
            Route::Bridge | Route::Transfer if self.parts.settings.pbx.is_none() => {
                Err(NotRun::NotConfigured(
                    "set CANARY_CLIENT_ID and CANARY_CLIENT_SECRET: the canary calls from a route point of its own",
                ))
            }
            Route::Bridge | Route::Transfer | Route::Callback => Ok(()),
        }
    }

    /// Whether this process acts for the database, and goes on to.
    fn is_acting(&self) -> bool {
        let leadership = self.parts.services.persistence_state.leadership();
        matches!(leadership.now(), EngineRole::Acting(_)) && !self.parts.draining.load(Ordering::Relaxed)
    }

    /// Makes what is due and what is asked for, for ever.
    pub(crate) async fn run(self: Arc<Self>, mut requests: mpsc::Receiver<Asked>) {
        let is_on = self.is_configured().is_ok();
        loop {
            let asked = tokio::select! {
                asked = requests.recv() => match asked {
                    Some(asked) => Some(asked),
                    None => return,
                },
                () = tokio::time::sleep(EVERY), if is_on => None,
            };
            self.look(asked).await;
        }
    }

    async fn look(&self, asked: Option<Asked>) {
        if !self.is_acting() {
            // Another process may make runs meanwhile.
            self.state().is_loaded = false;
            if let Some(asked) = asked {
                let _ = asked.answer.send(Err(NotRun::NotActing));
            }
            return;
        }
        if let Err(error) = self.load().await {
            self.state().not_before = Some(clock::wall().plus(AGAIN_AFTER));
            if let Some(asked) = asked {
                warn!(self.parts.services.log, "the canary does not run, the database does not answer";
                    "error" => %error);
                let _ = asked.answer.send(Err(NotRun::NoRecord));
            }
            return;
        }
        // A run that is due waits until precall takes calls; one that was asked for says that it does not.
        if asked.is_some() || self.is_due() && self.takes_calls().await {
            self.begin(asked).await;
        }
    }

    async fn takes_calls(&self) -> bool {
        let asked = self.parts.supervisor.send(TakesCalls);
        matches!(tokio::time::timeout(TOLD_WITHIN, asked).await, Ok(Ok(true)))
    }

    fn is_due(&self) -> bool {
        let (state, now) = (self.state(), clock::wall());
        let next = schedule::next(self.parts.settings.every, state.last_scheduled, now);
        next.is_some_and(|due| due <= now && state.not_before.is_none_or(|until| until <= now))
    }

    /// Reads the runs of earlier processes, once for each time that this process begins to act.
    async fn load(&self) -> Result<(), StoreError> {
        if self.state().is_loaded {
            return Ok(());
        }
        if self.state().not_before.is_some_and(|until| until > clock::wall()) {
            return Err(StoreError::Unavailable("it did not answer a moment ago".to_owned()));
        }
        let pool = &self.parts.services.pool;
        let left_behind = canary::close_left_behind(pool, clock::wall()).await?;
        if left_behind > 0 {
            info!(self.parts.services.log, "a run of the canary was stopped with its process");
        }
        let recent = canary::recent(pool, READ_BACK).await?;
        let last_scheduled = canary::last_scheduled(pool).await?;
        let last_passed = canary::last_passed(pool).await?;
        let streak = Streak::of(&recent);
        let metrics = &self.parts.services.metrics.canary;
        metrics.failed_in_a_row(self.parts.route, streak.failed());
        if let Some(passed) = last_passed {
            metrics.passed(self.parts.route, passed);
        }
        let mut state = self.state();
        state.is_loaded = true;
        state.last_scheduled = last_scheduled;
        state.streak = streak;
        Ok(())
    }

    /// Writes that a run begins, makes it, and writes how it ended.
    async fn begin(&self, asked: Option<Asked>) {
        let (who, answer) = asked.map(|asked| (asked.who, asked.answer)).unzip();
        let now = clock::wall();
        let mut run = CanaryRun {
            id: Uuid::now_v7(),
            started_at: now,
            ended_at: None,
            asked_by: who,
            route: self.parts.route.name().to_owned(),
            outcome: None,
            step: None,
            words: None,
            steps: Vec::new(),
            call: None,
            agent_ms: None,
        };
        let (services, pool) = (&self.parts.services, &self.parts.services.pool);
        let kept = At(now.0.saturating_sub(micros(KEPT)));
        if let Err(error) = canary::begin(pool, &run, kept).await {
            warn!(services.log, "the canary does not run, its run cannot be recorded"; "error" => %error);
            self.state().not_before = Some(now.plus(AGAIN_AFTER));
            if let Some(answer) = answer {
                let _ = answer.send(Err(NotRun::NoRecord));
            }
            return;
        }
        {
            let mut state = self.state();
            if run.asked_by.is_none() {
                state.last_scheduled = Some(now);
            }
            state.running = Some(run.clone());
        }
        if let Some(answer) = answer {
            let _ = answer.send(Ok(run.clone()));
        }
        match self.skipped(now).await {
            Some(why) => {
                run.outcome = Some("skipped".to_owned());
                run.words = Some(why);
            }
            None => self.make(&mut run).await,
        }
        run.ended_at = Some(clock::wall());
        self.ended(&run);
        if let Err(error) = canary::finish(pool, &run).await {
            warn!(services.log, "the end of a run of the canary could not be recorded"; "error" => %error);
        }
        let mut state = self.state();
        state.streak.take(&run);
        services.metrics.canary.failed_in_a_row(self.parts.route, state.streak.failed());
        state.running = None;
    }

    /// Why there is no run now; none if there is one.
    async fn skipped(&self, now: At) -> Option<String> {
        let parts = &self.parts;
        let current = (parts.current)();
        if parts.services.bypass.covers(&current.line) {
            return Some("the bypass is on".to_owned());
        }
        if !self.takes_calls().await {
            return Some("precall takes no calls: it starts, or their events could not be kept".to_owned());
        }
        if let Some(why) = crowded(&parts.services, current.max_live_calls) {
            return Some(why);
        }
        let since = At(now.0.saturating_sub(micros(DAY)));
        let used = match canary::used(&parts.services.pool, since).await {
            Ok(used) => used,
            Err(error) => return Some(format!("the budget of the canary cannot be read: {error}")),
        };
        // This run is written already.
        let max = parts.settings.calls_per_day;
        (used.calls > i64::from(max))
            .then(|| format!("its {max} calls a day are used (CANARY_CALLS_PER_DAY)"))
    }

    async fn make(&self, run: &mut CanaryRun) {
        let parts = &self.parts;
        let current = (parts.current)();
        let news = parts.services.canary.begin();
        let mut progress = Progress::new();
        let ended = match (parts.route, &parts.settings.pbx, &parts.route_point) {
            (Route::Bridge | Route::Transfer, Some(client), Some(route_point)) => {
                let live = LiveRun {
                    services: &parts.services,
                    client: Arc::clone(client),
                    route_point: route_point.clone(),
                    route: parts.route,
                    max_live_calls: current.max_live_calls,
                    news,
                    progress: &mut progress,
                };
                live.go(LIVE_WITHIN).await
            }
            (Route::Bridge | Route::Transfer, _, _) => {
                Err(RunEnd::Interrupted("precall has no route point at the PBX".to_owned()))
            }
            (Route::Callback, _, _) => match parts.settings.number.clone() {
                Some(number) => {
                    let call = CallbackRun {
                        services: &parts.services,
                        supervisor: &parts.supervisor,
                        max_live_calls: current.max_live_calls,
                        news,
                        progress: &mut progress,
                    };
                    call.go(number).await
                }
                None => {
                    run.words = Some("nobody was rung: CANARY_NUMBER is not set".to_owned());
                    look_up(&parts.services, &current.agent_id, &current.phone_number_id, &mut progress).await
                }
            },
        };
        parts.services.canary.end();
        run.agent_ms = progress.agent_ms();
        run.call = progress.call;
        run.steps = progress.done.iter().map(|(step, ms)| (step.name().to_owned(), *ms)).collect();
        let outcome = match ended {
            Ok(()) => "passed",
            Err(RunEnd::Failed(step, words)) => {
                run.step = Some(step.name().to_owned());
                run.words = Some(words);
                "failed"
            }
            Err(RunEnd::Interrupted(words)) => {
                run.words = Some(words);
                "interrupted"
            }
        };
        run.outcome = Some(outcome.to_owned());
        for (step, ms) in &progress.done {
            parts.services.metrics.canary.step(*step, *ms);
        }
    }

    /// Logs and counts the end of a run.
    fn ended(&self, run: &CanaryRun) {
        let (services, route) = (&self.parts.services, self.parts.route);
        let call = run.call.map(|call| call.to_string()).unwrap_or_default();
        let words = run.words.clone().unwrap_or_default();
        match run.outcome.as_deref() {
            Some("passed") => {
                services.metrics.canary.ended(route, "passed");
                services.metrics.canary.passed(route, run.started_at);
                info!(services.log, "the canary passed"; "call" => call, "words" => words);
            }
            Some("failed") => {
                services.metrics.canary.ended(route, "failed");
                warn!(services.log, "the canary failed"; "step" => run.step.clone().unwrap_or_default(),
                    "call" => call, "error" => words);
            }
            Some("interrupted") => {
                services.metrics.canary.ended(route, "interrupted");
                info!(services.log, "the canary gave way"; "call" => call, "reason" => words);
            }
            Some(_) | None => {
                services.metrics.canary.ended(route, "skipped");
                info!(services.log, "the canary was skipped"; "reason" => words);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
