//! Prefetch: clones the voices of frequent callers before their next call. Uses free slots only and deletes no voice.

use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message};
use precall_base::clock;
use precall_call::At;
use precall_store::{StoreError, voices};
use slog::info;
use tokio::sync::oneshot;

use super::VoiceBook;
use crate::caller_key::CallerKey;

/// Callers of this period are candidates.
const CALLED_WITHIN: Duration = Duration::from_secs(30 * 24 * 3600);
const READ_WITHIN: Duration = Duration::from_secs(5);

/// Requests a prefetch.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CloneAhead {
    /// Maximum of clones.
    pub most: usize,
    /// Receives the result.
    pub reply: oneshot::Sender<Result<ClonedAhead, String>>,
}

/// Result of a prefetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClonedAhead {
    /// Recent callers who may have a voice and have none.
    pub wanting: usize,
    /// Clones started.
    pub begun: usize,
    /// Free slots before the prefetch; `None` if the account's limit is not known.
    pub free: Option<usize>,
}

/// Somebody wants a refused sample of this caller tried again.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ForgetRefusal(pub CallerKey);

/// Requests a clone for one caller, also from a sample that was refused.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CloneFor {
    /// The caller.
    pub key: CallerKey,
    /// Receives whether a clone was started: not while one is under way.
    pub reply: oneshot::Sender<Result<bool, String>>,
}

/// Frequent callers without a voice.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct FrequentCallers {
    callers: Result<Vec<CallerKey>, StoreError>,
    order: CloneAhead,
}

const NOT_LOADED: &str = "precall is not ready: the voices are not loaded yet";

impl Handler<ForgetRefusal> for VoiceBook {
    type Result = ();

    fn handle(&mut self, ForgetRefusal(key): ForgetRefusal, _: &mut Context<Self>) {
        self.rules.forget_refusal(&key);
    }
}

impl Handler<CloneFor> for VoiceBook {
    type Result = ();

    fn handle(&mut self, CloneFor { key, reply }: CloneFor, ctx: &mut Context<Self>) {
        if !self.is_loaded {
            let _ = reply.send(Err(NOT_LOADED.to_owned()));
            return;
        }
        self.rules.forget_refusal(&key);
        let orders = self.rules.clone_ahead(key, clock::new_job());
        let _ = reply.send(Ok(!orders.is_empty()));
        self.perform(orders, ctx);
    }
}

impl Handler<CloneAhead> for VoiceBook {
    type Result = ();

    fn handle(&mut self, order: CloneAhead, ctx: &mut Context<Self>) {
        if !self.is_loaded {
            let _ = order.reply.send(Err(NOT_LOADED.to_owned()));
            return;
        }
        let (services, book) = (Arc::clone(&self.services), ctx.address());
        actix::spawn(async move {
            let now = clock::wall();
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
            book.do_send(FrequentCallers { callers, order });
        });
    }
}

impl Handler<FrequentCallers> for VoiceBook {
    type Result = ();

    fn handle(&mut self, FrequentCallers { callers, order }: FrequentCallers, ctx: &mut Context<Self>) {
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
            let orders = self.rules.clone_ahead(key, clock::new_job());
            begun = begun.saturating_add(usize::from(!orders.is_empty()));
            self.perform(orders, ctx);
        }
        info!(self.services.log, "voices are cloned ahead"; "wanting" => wanting, "begun" => begun);
        let _ = order.reply.send(Ok(ClonedAhead { wanting, begun, free }));
    }
}
