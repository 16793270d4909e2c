//! Reads calls back from their logs: for late reports, after a panic, after a restart.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message};
use precall_base::phone_number::{CallerNumber, Region};
use precall_call::{Call, CallId, Event, fold};
use precall_store::StoreError;
use precall_store::connect::within;
use precall_store::events::event_log::{self, CallLog};
use precall_store::recovery::call_context::{self, StoredContext};
use slog::{error, warn};
use tokio::sync::Semaphore;

use super::CallSupervisor;
use crate::call::call_actor::Origin;
use crate::call::call_context::CallContext;
use crate::call::line::Lines;
use crate::call::services::CallServices;

/// Time limit for reading one batch.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
const READ_RETRY_AFTER: Duration = Duration::from_secs(2);
/// Batches read at the same time: fewer than the pool has connections.
const READS_MAX: usize = 2;
/// Calls of a batch. After a restart all live calls are read back together, and one query reads many of them for little
/// more than what it costs for one.
const BATCH_MAX: usize = 100;

/// Calls that wait to be read back.
#[derive(Debug)]
pub(crate) struct ReadQueue {
    waiting: VecDeque<CallId>,
    /// How many calls a batch may have: one, after a batch that the database did not answer in time.
    batch: usize,
    slots: Arc<Semaphore>,
}

impl Default for ReadQueue {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), batch: BATCH_MAX, slots: Arc::new(Semaphore::new(READS_MAX)) }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ReadBack {
    found: Vec<(CallId, ReadResult)>,
    /// How many calls the next batch may have.
    batch: usize,
}

/// Result of reading a call back.
enum ReadResult {
    Call((Box<Call>, Arc<CallContext>)),
    /// The call does not exist or cannot be resumed.
    Missing,
    /// The database did not answer.
    Unavailable,
}

impl CallSupervisor {
    pub(crate) fn read_back(&mut self, call: CallId, ctx: &mut Context<Self>) {
        self.reads.waiting.push_back(call);
        self.read_next(ctx);
    }

    /// Reads calls that wait, as long as a slot is free.
    fn read_next(&mut self, ctx: &mut Context<Self>) {
        while !self.reads.waiting.is_empty()
            && let Ok(slot) = Arc::clone(&self.reads.slots).try_acquire_owned()
        {
            let count = self.reads.waiting.len().min(self.reads.batch);
            let reader = Reader {
                services: Arc::clone(&self.services),
                lines: self.lines.clone(),
                region: self.settings.region,
                calls: self.reads.waiting.drain(..count).collect(),
            };
            let supervisor = ctx.address();
            actix::spawn(async move {
                let found = reader.read().await;
                drop(slot);
                supervisor.do_send(found);
            });
        }
    }
}

/// Identity and log of a call.
type Stored = (StoredContext, CallLog);

/// Reads one batch.
struct Reader {
    services: Arc<CallServices>,
    lines: Lines,
    region: Region,
    calls: Vec<CallId>,
}

impl Reader {
    async fn read(&self) -> ReadBack {
        // The logs of these calls may be incomplete in the database.
        let spool = self.services.persistence_state.spool();
        let (spooled, mut calls): (Vec<CallId>, Vec<CallId>) =
            self.calls.iter().partition(|call| spool.is_in_use() || spool.awaits_import(**call));
        let mut found: Vec<_> = spooled.into_iter().map(|call| (call, ReadResult::Unavailable)).collect();
        if calls.len() > 1 {
            match within(READ_TIMEOUT, self.stored(&calls)).await {
                Ok(mut stored) => {
                    for call in std::mem::take(&mut calls) {
                        let read = stored.remove(&call).transpose();
                        found.push((call, self.result(call, read).await));
                    }
                }
                Err(error) => {
                    warn!(self.services.log, "could not read calls back together"; "calls" => calls.len(),
                        "error" => %error);
                    if error.is_passing() {
                        found.extend(calls.drain(..).map(|call| (call, ReadResult::Unavailable)));
                        return ReadBack { found, batch: 1 };
                    }
                }
            }
        }
        // One call, or several of which one may be the reason why they could not be read together.
        for call in calls {
            let one = within(READ_TIMEOUT, self.stored(&[call])).await;
            let read = one.and_then(|mut stored| stored.remove(&call).transpose());
            found.push((call, self.result(call, read).await));
        }
        let is_well = found.iter().any(|(_, result)| !matches!(result, ReadResult::Unavailable));
        ReadBack { found, batch: if is_well { BATCH_MAX } else { 1 } }
    }

    async fn stored(
        &self,
        calls: &[CallId],
    ) -> Result<HashMap<CallId, Result<Stored, StoreError>>, StoreError> {
        let client = self.services.pool.get().await?;
        let mut contexts = call_context::read(&**client, calls).await?;
        let logs = event_log::read_calls(&**client, calls).await?;
        Ok(logs
            .into_iter()
            .filter_map(|(call, log)| {
                let context = contexts.remove(&call)?;
                Some((call, log.map(|log| (context, log))))
            })
            .collect())
    }

    async fn result(&self, call: CallId, read: Result<Option<Stored>, StoreError>) -> ReadResult {
        let folded = read.and_then(|stored| {
            let Some((context, log)) = stored else { return Ok(None) };
            let state = fold(log.iter().map(|(event, at)| (event, *at)))
                .map_err(|error| StoreError::Unreadable(error.to_string()))?;
            Ok(Some(self.resumable(call, state, context)))
        });
        match folded {
            Ok(Some(found)) => ReadResult::Call(found),
            Ok(None) => ReadResult::Missing,
            Err(error) => {
                error!(self.services.log, "could not read a call back"; "call" => %call, "error" => %error);
                if error.is_passing() { ReadResult::Unavailable } else { close(&self.services, call).await }
            }
        }
    }

    fn resumable(&self, call: CallId, state: Call, stored: StoredContext) -> (Box<Call>, Arc<CallContext>) {
        let context = CallContext {
            id: call,
            pbx: stored.pbx,
            threecx_call_id: stored.threecx_call_id,
            caller: stored
                .caller
                .map_or(CallerNumber::Withheld, |raw| CallerNumber::parse(&raw, self.region)),
            called: stored.called,
            line: Arc::clone(self.lines.of_call(&stored.line, state.policy.line_version)),
            canary: stored.canary,
        };
        (Box::new(state), Arc::new(context))
    }
}

/// Ends a call whose log cannot be read, so that other calls go on.
async fn close(services: &CallServices, call: CallId) -> ReadResult {
    let closed = within(READ_TIMEOUT, async {
        let client = services.pool.get().await?;
        call_context::close_unreadable(&**client, call).await
    });
    match closed.await {
        Ok(()) => ReadResult::Missing,
        Err(error) => {
            error!(services.log, "could not close an unreadable call"; "call" => %call, "error" => %error);
            ReadResult::Unavailable
        }
    }
}

impl Handler<ReadBack> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, ReadBack { found, batch }: ReadBack, ctx: &mut Context<Self>) {
        self.reads.batch = batch;
        self.read_next(ctx);
        for (call, found) in found {
            self.take_read(call, found, ctx);
        }
    }
}

impl CallSupervisor {
    fn take_read(&mut self, call: CallId, found: ReadResult, ctx: &mut Context<Self>) {
        let mut waiting = self.reading.remove(&call).unwrap_or_default();
        let (state, context) = match found {
            ReadResult::Call(found) => found,
            ReadResult::Missing => {
                // Dropping the deliveries tells their senders that nothing was stored.
                warn!(self.services.log, "dropped events for an unknown call"; "call" => %call,
                    "events" => waiting.len());
                return self.count_out(call);
            }
            ReadResult::Unavailable => {
                // Outside senders retry by themselves; internal events are retried here.
                waiting.retain(|delivery| delivery.done.is_none());
                if !waiting.is_empty() {
                    self.reading.insert(call, waiting);
                    ctx.run_later(READ_RETRY_AFTER, move |actor, ctx| actor.read_back(call, ctx));
                }
                return;
            }
        };
        let next_panic = state.panics.saturating_add(1);
        self.start_call(Origin::Log(state), context, None, ctx);
        for mut delivery in waiting {
            // The sender of the panic event could not know the number of the panic.
            if let Event::Panicked { ordinal, .. } = &mut delivery.event {
                *ordinal = next_panic;
            }
            self.deliver(call, delivery, ctx);
        }
    }
}
