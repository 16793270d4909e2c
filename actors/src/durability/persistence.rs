//! The persistence actor: writes all event tables, on its own arbiter.
//!
//! An acknowledged event is on disk: in the database, or in the spool while the database is away ([`WritePath`]
//! decides). While neither accepts events, nothing is acknowledged, and admission refuses new calls
//! ([`PersistenceState::can_keep`]).

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, ResponseFuture, Supervised,
    WrapFuture,
};
use deadpool_postgres::Pool;
use precall_base::clock;
use precall_store::events::rows::{Batch, Entry, RowWrite};
use precall_store::spool::handle::SpoolHandle;
use slog::{Logger, info};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::durability::batcher::Unit;
use crate::durability::leadership::EngineRole;
use crate::durability::write_path::{WritePath, WriteStep};
use crate::durability::write_task::{StepResult, WriteTask};
use crate::runtime::mailbox_age::AreYouThere;

pub use crate::durability::persistence_state::PersistenceState;
pub use crate::durability::spool_state::{SpoolHealth, SpoolState};

/// How often precall looks at the disk of the spool, and whether a failing spool works again.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// How often precall writes beside the spool how far events are acknowledged.
const MARK_INTERVAL: Duration = Duration::from_secs(1);

/// Entries of one call or clone job, written together.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Append {
    /// The entries, in order of `seq`.
    pub entries: Vec<Entry>,
    /// The webhooks that brought them, as they came.
    pub webhooks: Vec<RowWrite>,
    /// Receives a message when they are durable.
    pub reply: Recipient<Durable>,
}

/// All entries of this owner up to `seq` are durable.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Durable {
    /// Id of the call or clone job.
    pub owner: Uuid,
    /// `seq` of the last entry of the [`Append`].
    pub seq: i64,
}

/// Writes a row that belongs to no event.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct WriteRow {
    /// The row. Writing it twice changes nothing.
    pub row: RowWrite,
    /// Receives a message when it is durable.
    pub done: oneshot::Sender<()>,
}

/// The receiver of the message that a unit is durable.
enum Acknowledgement {
    Owner(Recipient<Durable>, Durable),
    Sender(oneshot::Sender<()>),
}

/// Writes units to the database or the spool, in order.
pub struct PersistenceActor {
    pool: Pool,
    spool: Option<SpoolHandle>,
    state: Arc<PersistenceState>,
    write_path: WritePath<Option<Acknowledgement>>,
    /// Whether the spool is being emptied.
    is_draining: bool,
    /// What came after [`Close`]; none while this is open.
    held: Option<Vec<Unit<Option<Acknowledgement>>>>,
    /// Receives whether everything before [`Close`] is in the database.
    closed: Option<oneshot::Sender<bool>>,
    /// The last position whose mark is beside the spool.
    marked: i64,
    log: Logger,
}

impl PersistenceActor {
    /// Writes through `pool`, or into `spool` while the database is away. Updates `state`.
    #[must_use]
    pub fn new(pool: Pool, spool: Option<SpoolHandle>, state: Arc<PersistenceState>, log: Logger) -> Self {
        let write_path = WritePath::default();
        Self { pool, spool, state, write_path, is_draining: false, held: None, closed: None, marked: 0, log }
    }

    fn append(&mut self, batch: Batch, ack: Option<Acknowledgement>, ctx: &mut Context<Self>) {
        let unit = Unit { batch, ack };
        if let Some(held) = &mut self.held {
            return held.push(unit);
        }
        let next = self.write_path.append(unit);
        self.state.set_queued(self.write_path.queued());
        self.start_step(next, ctx);
    }

    /// Answers [`Close`] once that is known.
    fn answer_closed(&mut self) {
        let is_spooling = self.write_path.is_spooling();
        if (is_spooling || self.write_path.is_idle())
            && let Some(closed) = self.closed.take()
        {
            // Without a receiver the question was given up.
            let _ = closed.send(!is_spooling);
        }
    }

    fn write_task(&self) -> WriteTask {
        WriteTask {
            pool: self.pool.clone(),
            spool: self.spool.clone(),
            state: Arc::clone(&self.state),
            log: self.log.clone(),
        }
    }

    fn start_step(&mut self, step: Option<WriteStep>, ctx: &mut Context<Self>) {
        let Some(step) = step else { return };
        let task = self.write_task();
        let done = async move { task.attempt(step).await };
        ctx.spawn(done.into_actor(self).map(|result, actor, ctx| actor.step_done(&result, ctx)));
    }

    fn step_done(&mut self, result: &StepResult, ctx: &mut Context<Self>) {
        let next = match result {
            StepResult::Durable => {
                let (acks, next) = self.write_path.done();
                for ack in acks.into_iter().flatten() {
                    ack.send();
                }
                next
            }
            StepResult::Unknown if self.spool.is_none() => self.write_path.in_hand(),
            StepResult::Unknown => self.write_path.outcome_unknown(),
            StepResult::NotSpooled(waiting) => self.write_path.not_spooled(*waiting),
        };
        self.state.set_queued(self.write_path.queued());
        self.state.spool().set_in_use(self.write_path.is_spooling());
        self.start_step(next, ctx);
        self.answer_closed();
        self.drain(ctx);
    }

    /// Starts to empty the spool, unless that is running.
    fn drain(&mut self, ctx: &mut Context<Self>) {
        let (true, false, Some(spool)) =
            (self.write_path.is_spooling(), self.is_draining, self.spool.clone())
        else {
            return;
        };
        self.is_draining = true;
        let (task, mark) = (self.write_task(), self.write_path.begin_drain());
        let drained = async move { task.drain(&spool).await };
        ctx.spawn(drained.into_actor(self).map(move |(), actor, ctx| {
            actor.is_draining = false;
            if actor.write_path.drained(mark) {
                actor.state.spool().set_in_use(false);
            } else if !matches!(actor.write_path.in_hand(), Some(WriteStep::Spool(_))) {
                actor.drain(ctx);
            }
        }));
    }

    /// Writes beside the spool how far events are acknowledged, if that has changed. Nothing waits for it.
    fn mark(&mut self) -> impl Future<Output = ()> + 'static {
        let (spool, now) = (self.spool.clone(), clock::now());
        let position = self.state.positions().written();
        let acting = match self.state.leadership().now() {
            EngineRole::Acting(generation) if position > self.marked => Some(generation),
            _ => None,
        };
        self.marked = self.marked.max(position);
        async move {
            if let (Some(spool), Some(generation)) = (spool, acting) {
                spool.mark(generation, position, now).await;
            }
        }
    }

    /// Looks at the disk of the spool, even if it is not needed: its room, and whether a failing one works again.
    fn look_at_disk(&self, ctx: &mut Context<Self>) {
        let Some(spool) = &self.spool else { return };
        let (spool, state, log) = (spool.clone(), Arc::clone(&self.state), self.log.clone());
        let looked = async move {
            state.spool().set_room(spool.room().await);
            if state.spool().health() != SpoolHealth::Failing {
                return;
            }
            match spool.probe().await {
                Ok(()) if state.spool().set_failing(false) => info!(log, "the spool works again"),
                Ok(()) => {}
                Err(error) => {
                    state.spool_failed(&spool.fault(error.into()).await);
                }
            }
        };
        ctx.spawn(looked.into_actor(self));
    }
}

impl Acknowledgement {
    /// A receiver that has gone meanwhile needs no answer.
    fn send(self) {
        match self {
            Self::Owner(owner, durable) => owner.do_send(durable),
            Self::Sender(sender) => {
                let _ = sender.send(());
            }
        }
    }
}

impl Actor for PersistenceActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        // After a restart in place the state of the current step is unknown, so it is repeated.
        self.is_draining = false;
        let in_hand = self.write_path.in_hand();
        self.start_step(in_hand, ctx);
        self.drain(ctx);
        self.look_at_disk(ctx);
        ctx.run_interval(PROBE_INTERVAL, |actor, ctx| actor.look_at_disk(ctx));
        ctx.run_interval(MARK_INTERVAL, |actor, ctx| {
            let marked = actor.mark();
            ctx.spawn(marked.into_actor(actor));
        });
    }
}

impl Supervised for PersistenceActor {}

impl Handler<AreYouThere> for PersistenceActor {
    type Result = ();

    fn handle(&mut self, _: AreYouThere, _: &mut Context<Self>) {}
}

impl Handler<Append> for PersistenceActor {
    type Result = ();

    fn handle(&mut self, message: Append, ctx: &mut Context<Self>) {
        let ack = message.entries.last().map(|entry| {
            Acknowledgement::Owner(message.reply, Durable { owner: entry.owner, seq: entry.seq })
        });
        self.append(Batch { entries: message.entries, rows: message.webhooks }, ack, ctx);
    }
}

impl Handler<WriteRow> for PersistenceActor {
    type Result = ();

    fn handle(&mut self, message: WriteRow, ctx: &mut Context<Self>) {
        let batch = Batch { entries: Vec::new(), rows: vec![message.row] };
        self.append(batch, Some(Acknowledgement::Sender(message.done)), ctx);
    }
}

/// Acknowledges nothing from now on, and asks whether everything before is in the database. What comes later is held
/// back until [`Open`].
#[derive(Message)]
#[rtype(result = "bool")]
pub(crate) struct Close;

impl Handler<Close> for PersistenceActor {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, _: Close, _: &mut Context<Self>) -> ResponseFuture<bool> {
        let (closed, answer) = oneshot::channel();
        self.held.get_or_insert_default();
        self.closed = Some(closed);
        self.answer_closed();
        Box::pin(async move { answer.await.unwrap_or(false) })
    }
}

/// Goes on after [`Close`].
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Open;

impl Handler<Open> for PersistenceActor {
    type Result = ();

    fn handle(&mut self, _: Open, ctx: &mut Context<Self>) {
        self.closed = None;
        for Unit { batch, ack } in self.held.take().unwrap_or_default() {
            self.append(batch, ack, ctx);
        }
    }
}

/// Asks whether everything appended is durable. If so, the mark beside the spool says so before the answer.
#[derive(Message)]
#[rtype(result = "bool")]
pub(crate) struct IsIdle;

impl Handler<IsIdle> for PersistenceActor {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, _: IsIdle, _: &mut Context<Self>) -> Self::Result {
        let (is_idle, marked) = (self.write_path.is_idle(), self.mark());
        Box::pin(async move {
            marked.await;
            is_idle
        })
    }
}
