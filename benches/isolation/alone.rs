//! Panics of actors without a service around them: an actor that does nothing else, and the persistence actor.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix::{Actor, Arbiter, Context, Handler, Message, Supervised};
use deadpool_postgres::{Hook, Manager, Pool};
use precall_actors::durability::persistence::PersistenceActor;
use precall_actors::runtime::restart_in_place::reserve;
use precall_store::leader::engine_lock;
use precall_test_support::harness::actors::Writer;
use precall_test_support::harness::numbers::{micros, percentile};
use precall_test_support::harness::table::Table;
use precall_test_support::harness::{Mode, Outcome};
use precall_test_support::{connect_to, database, spooled_calls};
use slog::{Discard, Logger, o};
use tokio::sync::mpsc;
use tokio_postgres::NoTls;
use uuid::Uuid;

use crate::GOAL_US;
use crate::panics::{self, INJECTED};

/// After so many panics an actor is not restarted again.
const RESTARTS: usize = 3;
const WITHIN: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(60);
/// An actor that panics when it is asked to.
struct Plain {
    handled_at: Option<Instant>,
    /// Microseconds since the message before this one, and whether that one has panicked.
    told: mpsc::UnboundedSender<(Before, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Handled,
    Panicked,
}

#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
enum Work {
    Handle,
    Panic,
}

impl Actor for Plain {
    type Context = Context<Self>;
}

impl Supervised for Plain {}

impl Handler<Work> for Plain {
    type Result = ();

    fn handle(&mut self, work: Work, _: &mut Context<Self>) {
        match work {
            Work::Panic => panic!("{INJECTED}Plain"),
            Work::Handle => {
                let now = Instant::now();
                let since = match panics::heard_of(|point| point == "Plain") {
                    Some(panicked) => Some((Before::Panicked, micros(now.duration_since(panicked)))),
                    None => self.handled_at.map(|at| (Before::Handled, micros(now.duration_since(at)))),
                };
                let _ = since.map(|since| self.told.send(since));
                self.handled_at = Some(Instant::now());
            }
        }
    }
}

/// Measures the time from a panic to the next message.
pub(crate) async fn plain_actors(mode: Mode) -> Outcome<()> {
    let actors = mode.pick(2_000, 200);
    let script = [Work::Handle, Work::Handle].into_iter();
    let script: Vec<Work> = script.chain([Work::Panic, Work::Handle].repeat(RESTARTS)).collect();
    let (told, mut times) = mpsc::unbounded_channel();
    let arbiter = Arbiter::new();
    let (mut handled, mut restarted) = (Vec::new(), Vec::new());
    for _ in 0..actors {
        let (address, reserved) = reserve::<Plain>();
        let told = told.clone();
        // Sent before the start, so that the actor never waits for a message.
        script.iter().for_each(|work| address.do_send(*work));
        reserved.start(&arbiter.handle(), move |_| Plain { handled_at: None, told });
        // One message is the first, and each of the others says how long it came after the one before.
        for _ in 0..=RESTARTS {
            match tokio::time::timeout(WITHIN, times.recv()).await? {
                Some((Before::Handled, took)) => handled.push(took),
                Some((Before::Panicked, took)) => restarted.push(took),
                None => return Err("the actors are gone".into()),
            }
        }
    }
    arbiter.stop();
    if (handled.len(), restarted.len()) != (actors, actors * RESTARTS) {
        return Err(format!("{} panics were heard of, not {}", restarted.len(), actors * RESTARTS).into());
    }
    let mut table = Table::new(&["", "messages", "p50 us", "p99 us", "goal"]);
    let mut row = |name: &str, times: &[f64], goal: String| {
        let [p50, p99] = [0.5, 0.99].map(|part| format!("{:.1}", percentile(times, part)));
        table.row(vec![name.to_owned(), times.len().to_string(), p50, p99, goal]);
    };
    row("baseline: after a message", &handled, String::new());
    let is_met = if percentile(&restarted, 0.5) < GOAL_US { "met" } else { "MISSED" };
    row("after a panic and a restart", &restarted, format!("p50 under {GOAL_US}: {is_met}"));
    table.print("an actor that does nothing else: time until it handles the next message");
    Ok(())
}

/// Whether the next connection that is taken from the pool panics.
static POOL_PANICS: AtomicBool = AtomicBool::new(false);

/// Makes the persistence actor panic while it writes, and checks that each event is acknowledged and stored.
pub(crate) async fn persistence_actors(mode: Mode) -> Outcome<()> {
    let (actors, events_each) = (mode.pick(30, 4), 12);
    let database = database();
    let client = connect_to(database.url()).await;
    engine_lock::claim(&client, 1, LEASE, Uuid::now_v7()).await?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..actors {
        let panics = Hook::sync_fn(|_, _| {
            assert!(!POOL_PANICS.swap(false, Ordering::AcqRel), "{INJECTED}PersistenceActor");
            Ok(())
        });
        let manager = Manager::new(database.url().parse()?, NoTls);
        let pool = Pool::builder(manager).max_size(2).pre_recycle(panics).build()?;
        let log = Logger::root(Discard, o!());
        let writer = Writer::start(1, None, move |state| PersistenceActor::new(pool, None, state, log));
        for n in 0..events_each {
            // The first write opens the connection.
            let panics = n % 4 == 3;
            POOL_PANICS.store(panics, Ordering::Release);
            let took = writer.append(spooled_calls::opening().entries, None).await?;
            if panics {
                with.extend(took)
            } else if n > 0 {
                without.extend(took)
            }
        }
    }
    let stored: i64 = client.query_one("select count(*) from call_events", &[]).await?.get(0);
    let (wanted, panicked) =
        (actors * events_each, panics::all().remove("PersistenceActor").unwrap_or_default().0);
    if usize::try_from(stored)? != wanted || panicked != with.len() {
        return Err(format!("{stored} of {wanted} events are stored, {panicked} panics").into());
    }
    let mut table = Table::new(&["", "events", "p50 ms", "p99 ms", "lost"]);
    for (name, times) in
        [("baseline: without a panic", &without), ("a panic in the middle of the write", &with)]
    {
        let [p50, p99] = [0.5, 0.99].map(|part| format!("{:.2}", percentile(times, part)));
        table.row(vec![name.to_owned(), times.len().to_string(), p50, p99, "0".to_owned()]);
    }
    table.print("the persistence actor: from the append to the acknowledgement");
    Ok(())
}
