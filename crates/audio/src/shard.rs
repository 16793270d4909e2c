//! One thread with its legs: a tick for all of them.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use actix::Recipient;
use futures_util::FutureExt;
use precall_base::clock;
use precall_call::At;
use precall_providers::threecx::access_token::AccessTokens;
use precall_providers::threecx::address::LegAddress;
use precall_providers::tls_roots::TlsRoots;
use slog::Logger;
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::leg::Leg;
use crate::bridge::agent_socket;
use crate::leg_events::{LegAudioStats, LegNews, LegReport, StreamFailure};
use crate::leg_handle::Desk;
use crate::leg_streams::{Pbx, Streams};
use crate::net::connection::Route;
use crate::net::warm_connections::WarmWires;
use crate::pacer::Lead;
use crate::playlist::Scene;

/// How long after Connected the PBX may have no media for a leg.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// What a shard that ends gives its legs to end their requests.
const FAREWELL: Duration = Duration::from_millis(300);

/// What a shard is told.
#[derive(Clone)]
pub(super) struct ShardSettings {
    pub(super) route: Arc<Route>,
    /// Whom an agent's `wss` address is believed to be; none where the host has no authorities to trust.
    pub(super) provider: Option<TlsRoots>,
    pub(super) tokens: AccessTokens,
    pub(super) lead: Lead,
    pub(super) warm_connections: usize,
    pub(super) log: Logger,
}

/// Starts a shard's thread, which ends when its door is closed.
pub(super) fn start(number: usize, settings: ShardSettings, door: Arc<Door>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let thread = thread::Builder::new().name(format!("media-{number}"));
    thread.spawn(move || LocalSet::new().block_on(&runtime, run(settings, door)))?;
    Ok(())
}

async fn run(settings: ShardSettings, door: Arc<Door>) {
    let ShardSettings { route, provider, tokens, lead, warm_connections, log } = settings;
    let wires = WarmWires::new(Arc::clone(&route), warm_connections);
    let pbx = Rc::new(Pbx { route, wires, tokens });
    let warm = Rc::clone(&pbx);
    let keeper = spawn_local(async move { warm.wires.keep(&log).await });
    let mut shard = Shard { pbx, provider, lead, door, legs: Vec::new() };
    let mut ticks = interval(lead.tick);
    // A tick that was missed is over: the clock of each leg knows what is due.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while !shard.door.is_closed() {
        tokio::select! {
            () = shard.door.bell.notified() => shard.heed(),
            _ = ticks.tick(), if !shard.legs.is_empty() => shard.tick(),
        }
    }
    keeper.abort();
    shard.close();
    sleep(FAREWELL).await;
}

struct Shard {
    pbx: Rc<Pbx>,
    provider: Option<TlsRoots>,
    lead: Lead,
    door: Arc<Door>,
    legs: Vec<Served>,
}

/// A leg, and the tasks that keep its streams open. The one that speaks ends by itself, politely.
struct Served {
    leg: Rc<Leg>,
    listening: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Shard {
    /// Somebody is at the door, or wants something else from a leg that is inside.
    fn heed(&mut self) {
        for newcomer in self.door.let_in() {
            self.serve(newcomer);
        }
        for served in &self.legs {
            contained(&served.leg, || {
                for attempt in served.leg.heed() {
                    self.open_session(&served.leg, attempt);
                }
            });
        }
        self.forget_gone();
    }

    /// A session ends by itself when its leg's talk lets go of it.
    fn open_session(&self, leg: &Rc<Leg>, attempt: u8) {
        let (leg, trust) = (Rc::clone(leg), self.provider.clone());
        spawn_local(async move {
            let served = async {
                agent_socket::serve(&leg, attempt, trust.as_ref()).await;
                Ok(())
            };
            watched(&leg, served).await;
        });
    }

    fn tick(&mut self) {
        let now = Instant::now();
        for served in &self.legs {
            contained(&served.leg, || served.leg.tick(now));
        }
        self.forget_gone();
    }

    fn serve(&mut self, newcomer: Newcomer) {
        let Newcomer { leg: address, connected_at, scene, reports, desk } = newcomer;
        let leg = Rc::new(Leg::new(desk, reports, scene, self.lead));
        let waited = clock::now().since(connected_at);
        let ready_by = Instant::now() + READY_WITHIN.saturating_sub(waited);
        let Ok(path) = self.pbx.route.stream_path(&address) else {
            leg.fail(StreamFailure::Unreachable);
            self.door.leave();
            return;
        };
        let streams = Streams { pbx: Rc::clone(&self.pbx), path, ready_by };
        let (speaking, listening) = (Rc::clone(&leg), Rc::clone(&leg));
        let (to_caller, from_caller) = (streams.clone(), streams);
        spawn_local(async move { watched(&speaking, to_caller.speak(&speaking)).await });
        let listening = spawn_local(async move { watched(&listening, from_caller.listen(&listening)).await });
        self.legs.push(Served { leg, listening });
    }

    fn forget_gone(&mut self) {
        let door = &self.door;
        self.legs.retain(|served| {
            let is_gone = served.leg.is_gone();
            if is_gone {
                door.leave();
            }
            !is_gone
        });
    }

    fn close(&mut self) {
        for served in &self.legs {
            contained(&served.leg, || served.leg.close());
        }
        self.forget_gone();
    }
}

/// A panic costs the leg that it happened to, and no other.
fn contained(leg: &Leg, part: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(part)).is_err() {
        // Should even that fail, the leg is silent, and its neighbours still are not.
        let _ = catch_unwind(AssertUnwindSafe(|| leg.fail(StreamFailure::Panicked)));
    }
}

/// The same for a task that serves a leg.
async fn watched(leg: &Leg, task: impl Future<Output = Result<(), StreamFailure>>) {
    match AssertUnwindSafe(task).catch_unwind().await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => contained(leg, || leg.fail(failure)),
        Err(_) => contained(leg, || leg.fail(StreamFailure::Panicked)),
    }
}

/// A leg that is to be served.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) leg: LegAddress,
    pub(super) connected_at: At,
    pub(super) scene: Scene,
    pub(super) reports: Recipient<LegReport>,
    pub(super) desk: Arc<Desk>,
}

/// The way into a shard from other threads.
#[derive(Debug)]
pub(super) struct Door {
    newcomers: Mutex<Vec<Newcomer>>,
    bell: Notify,
    /// Legs inside and at the door.
    legs: AtomicUsize,
    legs_at_most: usize,
    closed: AtomicBool,
}

impl Door {
    pub(super) fn new(legs_at_most: usize) -> Self {
        Self {
            newcomers: Mutex::default(),
            bell: Notify::new(),
            legs: AtomicUsize::new(0),
            legs_at_most,
            closed: AtomicBool::new(false),
        }
    }

    /// Lets a leg in, or tells its owner that there is no room.
    pub(super) fn enter(&self, newcomer: Newcomer) {
        if self.legs.fetch_add(1, Ordering::AcqRel) >= self.legs_at_most {
            self.leave();
            let news = [LegNews::Failed(StreamFailure::NoRoom), LegNews::Closed(LegAudioStats::default())];
            for what in news {
                newcomer.reports.do_send(LegReport { at: clock::now(), what });
            }
            return;
        }
        self.newcomers.lock().unwrap_or_else(PoisonError::into_inner).push(newcomer);
        self.ring();
    }

    fn let_in(&self) -> Vec<Newcomer> {
        std::mem::take(&mut *self.newcomers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// A leg is no longer there.
    fn leave(&self) {
        self.legs.fetch_sub(1, Ordering::AcqRel);
    }

    /// Legs inside and at the door.
    pub(super) fn legs(&self) -> usize {
        self.legs.load(Ordering::Acquire)
    }

    /// Somebody's wish has changed.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Ends the shard, its legs first.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.ring();
    }
}
