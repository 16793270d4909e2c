//! One audio thread and its legs: one tick for all of them.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use precall_base::clock;
use precall_providers::threecx::access_token::AccessTokens;
use precall_providers::threecx::address::LegAddress;
use precall_providers::tls_roots::TlsRoots;
use slog::Logger;
use tokio::runtime::Builder;
use tokio::task::coop::unconstrained;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::bridge::agent_socket;
use crate::hand_over::{HandOver, LegTurn};
use crate::leg::Leg;
use crate::leg_events::StreamFailure;
use crate::leg_streams::{LegStreams, PbxConnections};
use crate::net::connection::PbxEndpoint;
use crate::net::warm_connections::WarmConnections;
use crate::pacer::Lead;
use crate::shard_handle::{NewLeg, ShardHandle};

/// After Connected, the PBX may take so long until it has media for a leg.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// A shard that ends waits so long for its legs to end their requests.
const CLOSING_TIME: Duration = Duration::from_millis(300);

/// What a shard needs to start.
#[derive(Clone)]
pub(crate) struct ShardSettings {
    pub(crate) pbx: Arc<PbxEndpoint>,
    /// Trusted authorities for an agent's `wss` address; none where the host has no trusted authorities.
    pub(crate) agent_trust: Option<TlsRoots>,
    pub(crate) tokens: AccessTokens,
    pub(crate) hand_over: Arc<HandOver>,
    pub(crate) lead: Lead,
    pub(crate) warm_connections: usize,
    pub(crate) log: Logger,
}

/// Starts a shard's thread. It ends when its handle is closed.
pub(crate) fn start(number: usize, settings: ShardSettings, handle: Arc<ShardHandle>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let thread = thread::Builder::new().name(format!("media-{number}"));
    // One tick reads the sockets of all legs: that is more than one turn of a task may do in tokio's eyes.
    thread.spawn(move || LocalSet::new().block_on(&runtime, unconstrained(run(settings, handle))))?;
    Ok(())
}

async fn run(settings: ShardSettings, handle: Arc<ShardHandle>) {
    let ShardSettings { pbx: endpoint, agent_trust, tokens, hand_over, lead, warm_connections, log } =
        settings;
    let warm = WarmConnections::new(Arc::clone(&endpoint), warm_connections);
    let pbx = Rc::new(PbxConnections { endpoint, warm, tokens });
    let keeper = Rc::clone(&pbx);
    let keeper = spawn_local(async move { keeper.warm.keep(&log).await });
    let mut shard = Shard { pbx, agent_trust, hand_over, lead, handle, legs: Vec::new() };
    let mut ticks = interval(lead.tick);
    // Missed ticks are not made up for: each leg's pacer knows what is due.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while !shard.handle.is_closed() {
        tokio::select! {
            () = shard.handle.woken() => shard.run_commands(),
            _ = ticks.tick(), if !shard.legs.is_empty() => shard.tick(),
        }
    }
    keeper.abort();
    shard.close();
    sleep(CLOSING_TIME).await;
}

struct Shard {
    pbx: Rc<PbxConnections>,
    agent_trust: Option<TlsRoots>,
    hand_over: Arc<HandOver>,
    lead: Lead,
    handle: Arc<ShardHandle>,
    legs: Vec<ServedLeg>,
}

/// A leg and the task that receives its caller's audio, which is aborted with it. The task that sends audio ends the
/// request properly and then ends by itself.
struct ServedLeg {
    address: LegAddress,
    leg: Rc<Leg>,
    receiving: JoinHandle<()>,
}

impl Drop for ServedLeg {
    fn drop(&mut self) {
        self.receiving.abort();
    }
}

impl Shard {
    /// Takes new legs, then runs the commands of all legs.
    fn run_commands(&mut self) {
        for leg in self.handle.take_new_legs() {
            self.serve(leg);
        }
        for served in &self.legs {
            catch_panic(&served.leg, || {
                for attempt in served.leg.run_commands() {
                    self.open_session(&served.leg, attempt);
                }
            });
        }
        self.remove_closed_legs();
        for question in self.handle.take_questions() {
            let now = Instant::now();
            let turns = self.legs.iter().map(|served| LegTurn {
                address: served.address.clone(),
                is_open: served.leg.is_open(),
                is_in_turn: served.leg.is_in_turn(now),
            });
            // Who asked may wait no more.
            let _ = question.send(turns.collect());
        }
    }

    /// The task ends when the leg drops the session.
    fn open_session(&self, leg: &Rc<Leg>, attempt: u8) {
        let (leg, trust) = (Rc::clone(leg), self.agent_trust.clone());
        spawn_local(async move {
            let served = async {
                agent_socket::serve(&leg, attempt, trust.as_ref()).await;
                Ok(())
            };
            fail_leg_on_error(&leg, served).await;
        });
    }

    fn tick(&mut self) {
        let now = Instant::now();
        for served in &self.legs {
            catch_panic(&served.leg, || served.leg.tick(now));
        }
        self.remove_closed_legs();
    }

    fn serve(&mut self, new: NewLeg) {
        let NewLeg { address, connected_at, playlist, reports, commands } = new;
        let leg = Rc::new(Leg::new(commands, reports, playlist, self.lead));
        let waited = clock::now().since(connected_at);
        let ready_by = Instant::now() + READY_WITHIN.saturating_sub(waited);
        let Ok(path) = self.pbx.endpoint.stream_path(&address) else {
            leg.fail(StreamFailure::Unreachable);
            leg.refuse_commands();
            self.handle.leg_ended();
            return;
        };
        let waits = self.hand_over.is_elsewhere(&address);
        leg.set_elsewhere(waits);
        let hand_over = Arc::clone(&self.hand_over);
        let streams =
            LegStreams { pbx: Rc::clone(&self.pbx), hand_over, address: address.clone(), path, ready_by };
        let (sender, receiver) = (Rc::clone(&leg), Rc::clone(&leg));
        let (to_caller, from_caller) = (streams.clone(), streams);
        spawn_local(async move { fail_leg_on_error(&sender, to_caller.send(&sender)).await });
        let receiving =
            spawn_local(async move { fail_leg_on_error(&receiver, from_caller.receive(&receiver)).await });
        self.legs.push(ServedLeg { address, leg, receiving });
    }

    fn remove_closed_legs(&mut self) {
        let handle = &self.handle;
        self.legs.retain(|served| {
            let is_closed = served.leg.is_closed();
            if is_closed {
                served.leg.refuse_commands();
                handle.leg_ended();
            }
            !is_closed
        });
    }

    fn close(&mut self) {
        for served in &self.legs {
            catch_panic(&served.leg, || served.leg.close());
        }
        self.remove_closed_legs();
    }
}

/// Fails the leg that panicked, and no other.
fn catch_panic(leg: &Leg, work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        // If this panics too, the leg is silent and the other legs still play.
        let _ = catch_unwind(AssertUnwindSafe(|| leg.fail(StreamFailure::Panicked)));
    }
}

/// Runs a task of a leg; fails the leg when the task fails or panics.
async fn fail_leg_on_error(leg: &Leg, task: impl Future<Output = Result<(), StreamFailure>>) {
    match AssertUnwindSafe(task).catch_unwind().await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => catch_panic(leg, || leg.fail(failure)),
        Err(_) => catch_panic(leg, || leg.fail(StreamFailure::Panicked)),
    }
}
