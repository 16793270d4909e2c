//! Reads calls back from their logs: for late reports, after a panic, after a restart.

use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message};
use precall_base::phone_number::{CallerNumber, Region};
use precall_call::{Call, CallId, Event, fold};
use precall_store::StoreError;
use precall_store::connect::within;
use precall_store::events::event_log;
use precall_store::recovery::call_context;
use slog::{error, warn};

use super::CallSupervisor;
use crate::call::call_actor::Origin;
use crate::call::call_context::CallContext;
use crate::call::line::Lines;
use crate::call::services::CallServices;

/// Time limit for reading one call's log.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
const READ_RETRY_AFTER: Duration = Duration::from_secs(2);
/// Calls read back at the same time: fewer than the pool has connections.
pub(crate) const READS_MAX: usize = 2;

#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ReadBack {
    call: CallId,
    found: ReadResult,
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
    pub(crate) fn read_back(&self, call: CallId, ctx: &mut Context<Self>) {
        let (services, lines, region) =
            (Arc::clone(&self.services), self.lines.clone(), self.settings.region);
        let (supervisor, reads) = (ctx.address(), Arc::clone(&self.reads));
        actix::spawn(async move {
            // Few at a time: after a restart all live calls are read back together.
            let _permit = reads.acquire().await;
            let read = tokio::time::timeout(READ_TIMEOUT, read_call(&services, &lines, region, call)).await;
            let found = match read.unwrap_or(Err(StoreError::TooSlow)) {
                Ok(Some(found)) => ReadResult::Call(found),
                Ok(None) => ReadResult::Missing,
                Err(error) => {
                    error!(services.log, "could not read a call back"; "call" => %call, "error" => %error);
                    if error.is_passing() { ReadResult::Unavailable } else { close(&services, call).await }
                }
            };
            supervisor.do_send(ReadBack { call, found });
        });
    }
}

async fn read_call(
    services: &CallServices,
    lines: &Lines,
    region: Region,
    call: CallId,
) -> Result<Option<(Box<Call>, Arc<CallContext>)>, StoreError> {
    // The log in the database may be incomplete.
    let spool = services.persistence_state.spool();
    if spool.is_in_use() || spool.awaits_import(call) {
        return Err(StoreError::Unavailable("events wait in the spool".to_owned()));
    }
    let client = services.pool.get().await?;
    let Some(stored) = call_context::read(&**client, call).await? else { return Ok(None) };
    let log = event_log::read_call(&**client, call).await?;
    if log.is_empty() {
        return Ok(None);
    }
    let state = fold(log.iter().map(|(event, at)| (event, *at)))
        .map_err(|error| StoreError::Unreadable(error.to_string()))?;
    let context = CallContext {
        id: call,
        pbx: stored.pbx,
        threecx_call_id: stored.threecx_call_id,
        caller: stored.caller.map_or(CallerNumber::Withheld, |raw| CallerNumber::parse(&raw, region)),
        called: stored.called,
        line: Arc::clone(lines.of_call(&stored.line, state.policy.line_version)),
        canary: stored.canary,
    };
    Ok(Some((Box::new(state), Arc::new(context))))
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

    fn handle(&mut self, ReadBack { call, found }: ReadBack, ctx: &mut Context<Self>) {
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
