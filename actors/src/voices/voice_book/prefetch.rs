//! Clones for the next call of those who call often, so that they are not waited for. They take only what is free: nobody's voice is deleted
//! for one.

use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message};
use precall_base::clock;
use precall_call::At;
use precall_store::StoreError;
use precall_store::voices;
use slog::info;
use tokio::sync::oneshot;

use super::VoiceBook;
use crate::caller_key::CallerKey;

/// Who has called within so long may call again.
const CALLED_WITHIN: Duration = Duration::from_secs(30 * 24 * 3600);
const READ_WITHIN: Duration = Duration::from_secs(5);

/// Clones the voices of frequent callers.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CloneAhead {
    /// At most so many.
    pub most: usize,
    /// Hears what was begun.
    pub reply: oneshot::Sender<Result<ClonedAhead, String>>,
}

/// What was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClonedAhead {
    /// Callers who may be heard, called lately and have no voice.
    pub wanting: usize,
    /// Clones that were begun for them.
    pub begun: usize,
    /// Free slots that were left for it; none where the account's limit is not known.
    pub free: Option<usize>,
}

/// Who called often.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Frequent {
    callers: Result<Vec<CallerKey>, StoreError>,
    order: CloneAhead,
}

impl Handler<CloneAhead> for VoiceBook {
    type Result = ();

    fn handle(&mut self, order: CloneAhead, ctx: &mut Context<Self>) {
        if !self.knows_existing {
            let _ = order.reply.send(Err("precall does not act on its database yet".to_owned()));
            return;
        }
        let (services, book) = (Arc::clone(&self.services), ctx.address());
        actix::spawn(async move {
            let now = clock::now();
            let ago = i64::try_from(CALLED_WITHIN.as_micros()).unwrap_or(i64::MAX);
            let since = At(now.0.saturating_sub(ago));
            let most = i64::try_from(order.most).unwrap_or(i64::MAX);
            let read = async {
                let client = services.pool.get().await?;
                voices::frequent(&**client, services.settings.consent, since, now, most).await
            };
            let callers = tokio::time::timeout(READ_WITHIN, read).await.unwrap_or(Err(StoreError::TooSlow));
            let key = |(account, caller)| CallerKey { account, caller };
            let callers = callers.map(|callers| callers.into_iter().map(key).collect());
            book.do_send(Frequent { callers, order });
        });
    }
}

impl Handler<Frequent> for VoiceBook {
    type Result = ();

    fn handle(&mut self, Frequent { callers, order }: Frequent, ctx: &mut Context<Self>) {
        let callers = match callers {
            Ok(callers) => callers,
            Err(error) => {
                let _ = order.reply.send(Err(error.to_string()));
                return;
            }
        };
        let free = self.slots.free();
        let (wanting, mut begun) = (callers.len(), 0_usize);
        for key in callers.into_iter().take(free.unwrap_or(usize::MAX)) {
            let orders = self.book.clone_ahead(key, clock::new_job());
            begun = begun.saturating_add(usize::from(!orders.is_empty()));
            self.perform(orders, ctx);
        }
        info!(self.services.log, "voices are cloned ahead"; "wanting" => wanting, "begun" => begun);
        let _ = order.reply.send(Ok(ClonedAhead { wanting, begun, free }));
    }
}
