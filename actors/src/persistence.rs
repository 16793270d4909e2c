//! The persistence actor: writes all event tables, on an arbiter of its own.
//!
//! While PostgreSQL is away the batch in flight is written again and again, unchanged, and later ones queue behind it.
//! What was not acknowledged was not promised: admission asks [`PersistenceState::can_keep`] before it takes anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, Supervised, WrapFuture,
};
use deadpool_postgres::Pool;
use slog::{Logger, error, info, warn};
use tokio::sync::watch;
use uuid::Uuid;

use crate::batcher::{Batcher, QUEUE_MAX, Unit};
use crate::standing::{Stand, Standing};
use crate::store::error::StoreError;
use crate::store::rows::Entry;
use crate::store::write::{write, write_apart};

/// One attempt at a flush; then its outcome is not known and it is made again.
const FLUSH_WITHIN: Duration = Duration::from_secs(10);
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Entries of one call or job, to be written together.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Append {
    /// In order of `seq`.
    pub entries: Vec<Entry>,
    /// Hears when they are durable.
    pub reply: Recipient<Durable>,
}

/// Everything of this owner up to `seq` is durable.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Durable {
    /// The call or the job.
    pub owner: Uuid,
    /// The last entry of the [`Append`].
    pub seq: i64,
}

/// How persistence is, for admission and health. Shared, because both must answer without a mailbox.
#[derive(Debug)]
pub struct PersistenceState {
    reached: AtomicBool,
    /// The last flush failed, or is failing.
    flush_failing: AtomicBool,
    /// The last look found nobody.
    look_failing: AtomicBool,
    queued: AtomicUsize,
    position: watch::Sender<i64>,
    quarantined: AtomicI64,
    stand: Stand,
}

impl Default for PersistenceState {
    fn default() -> Self {
        Self {
            reached: AtomicBool::new(false),
            flush_failing: AtomicBool::new(false),
            look_failing: AtomicBool::new(false),
            queued: AtomicUsize::new(0),
            position: watch::Sender::new(0),
            quarantined: AtomicI64::new(0),
            stand: Stand::default(),
        }
    }
}

impl PersistenceState {
    /// Whether what is taken now can be expected to be durable soon.
    #[must_use]
    pub fn can_keep(&self) -> bool {
        let acts = matches!(self.stand.now(), Standing::Acting(_));
        acts && self.reached.load(Ordering::Relaxed) && !self.failing() && self.queued() < QUEUE_MAX
    }

    /// What this process is on its database.
    #[must_use]
    pub fn stand(&self) -> &Stand {
        &self.stand
    }

    /// Whether PostgreSQL was reached since the start.
    #[must_use]
    pub fn reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }

    /// Whether the last contact with PostgreSQL failed.
    #[must_use]
    pub fn failing(&self) -> bool {
        self.flush_failing.load(Ordering::Relaxed) || self.look_failing.load(Ordering::Relaxed)
    }

    /// Entries that wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Entries that PostgreSQL refused, and that are in `quarantined_events`.
    #[must_use]
    pub fn quarantined(&self) -> i64 {
        self.quarantined.load(Ordering::Relaxed)
    }

    /// The last durable position, as it moves.
    #[must_use]
    pub fn positions(&self) -> watch::Receiver<i64> {
        self.position.subscribe()
    }

    /// The first contact, once migrations are done; `position` is where the logs stand.
    pub fn set_reached(&self, position: i64) {
        self.moved(Some(position));
        self.look_failing.store(false, Ordering::Relaxed);
        self.reached.store(true, Ordering::Relaxed);
    }

    /// What a look outside any flush found. Returns whether that is news.
    pub fn set_looked(&self, is_there: bool) -> bool {
        self.look_failing.swap(!is_there, Ordering::Relaxed) == is_there
    }

    fn moved(&self, position: Option<i64>) {
        if let Some(position) = position {
            self.position.send_if_modified(|last| {
                let moved = position > *last;
                *last = position.max(*last);
                moved
            });
        }
    }
}

/// See the file.
pub struct PersistenceActor {
    pool: Pool,
    state: Arc<PersistenceState>,
    batcher: Batcher<Vec<(Recipient<Durable>, Durable)>>,
    /// The batch in flight, kept so that a restart in place can write it again.
    in_flight: Option<Arc<Vec<Entry>>>,
    log: Logger,
}

impl PersistenceActor {
    /// Writes through `pool`, tells `state`.
    #[must_use]
    pub fn new(pool: Pool, state: Arc<PersistenceState>, log: Logger) -> Self {
        Self { pool, state, batcher: Batcher::default(), in_flight: None, log }
    }

    fn flush(&mut self, batch: Arc<Vec<Entry>>, ctx: &mut Context<Self>) {
        self.in_flight = Some(Arc::clone(&batch));
        let (pool, state, log) = (self.pool.clone(), Arc::clone(&self.state), self.log.clone());
        let flushed = async move { flush_until_durable(&pool, &state, &batch, &log).await };
        ctx.spawn(flushed.into_actor(self).map(|(), actor, ctx| {
            let (acks, next) = actor.batcher.flushed();
            actor.in_flight = None;
            for (reply, durable) in acks.into_iter().flatten() {
                reply.do_send(durable);
            }
            actor.note_queue();
            if let Some(next) = next {
                actor.flush(Arc::new(next), ctx);
            }
        }));
    }

    fn note_queue(&self) {
        self.state.queued.store(self.batcher.queued(), Ordering::Relaxed);
    }
}

async fn flush_until_durable(pool: &Pool, state: &PersistenceState, batch: &[Entry], log: &Logger) {
    let mut backoff = BACKOFF_FIRST;
    loop {
        let generation = match state.stand.now() {
            Standing::Acting(generation) => generation,
            Standing::Superseded => return never_written(state, log).await,
            Standing::Unknown | Standing::Standby => {
                tokio::time::sleep(BACKOFF_FIRST).await;
                continue;
            }
        };
        let outcome = tokio::time::timeout(FLUSH_WITHIN, write(pool, batch, generation)).await;
        let failure = match outcome {
            Ok(Err(StoreError::Superseded)) => return never_written(state, log).await,
            Ok(Ok(position)) => {
                if state.flush_failing.swap(false, Ordering::Relaxed) {
                    info!(log, "the database is back"; "entries" => batch.len());
                }
                return state.moved(position);
            }
            Ok(Err(error)) if !error.is_passing() => {
                warn!(log, "the database refused a batch, its entries are written apart"; "error" => %error);
                match tokio::time::timeout(FLUSH_WITHIN, write_apart(pool, batch, generation)).await {
                    Ok(Ok((position, refused))) => {
                        let refused_now = i64::try_from(refused).unwrap_or(i64::MAX);
                        state.quarantined.fetch_add(refused_now, Ordering::Relaxed);
                        error!(log, "entries were quarantined"; "entries" => refused);
                        return state.moved(position);
                    }
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "no answer in time".to_owned(),
                }
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        // The next attempt is made on a connection of its own: this one may never answer.
        pool.retain(|_, _| false);
        if !state.flush_failing.swap(true, Ordering::Relaxed) {
            warn!(log, "the database is away, events wait"; "error" => failure, "entries" => batch.len());
        }
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

/// Somebody else acts. Nothing of this was acknowledged, and nobody may believe that it was kept.
async fn never_written(state: &PersistenceState, log: &Logger) {
    if state.stand.set(Standing::Superseded) {
        error!(log, "another precall has taken over this database");
    }
    std::future::pending().await
}

impl Actor for PersistenceActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        // After a restart in place: the outcome of what was in flight is not known, so it is written again.
        if let Some(batch) = self.in_flight.clone() {
            self.flush(batch, ctx);
        }
    }
}

impl Supervised for PersistenceActor {}

impl Handler<Append> for PersistenceActor {
    type Result = ();

    fn handle(&mut self, message: Append, ctx: &mut Context<Self>) {
        let ack = message
            .entries
            .last()
            .map(|entry| (message.reply, Durable { owner: entry.owner, seq: entry.seq }));
        let unit = Unit { entries: message.entries, ack: ack.into_iter().collect() };
        let batch = self.batcher.append(unit);
        self.note_queue();
        if let Some(batch) = batch {
            self.flush(Arc::new(batch), ctx);
        }
    }
}

/// Asks whether everything that was appended is durable.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct IsIdle;

impl Handler<IsIdle> for PersistenceActor {
    type Result = bool;

    fn handle(&mut self, _: IsIdle, _: &mut Context<Self>) -> bool {
        self.batcher.is_idle()
    }
}
