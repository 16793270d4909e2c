//! Restart after a panic: record pending events, handle the current message again, continue.

use actix::{Context, Supervised};
use precall_call::{CallPart, Event};
use precall_store::events::rows::RowWrite;
use slog::warn;

use super::{CallActor, Work};
use crate::call::projection::Payload;

impl CallActor {
    /// Continues after a panic. Timers and spawned futures are gone; all other fields are as the panic left them.
    pub(crate) fn resume_after_crash(&mut self, ctx: &mut Context<Self>) {
        self.record_pending(ctx);
        self.perform_durable(ctx);
        let ordinal = self.call.panics.saturating_add(1);
        self.apply(&Event::Panicked { part: CallPart::Call, ordinal }, &Payload::None, Vec::new());
        self.release_unheld();
        if self.current.is_some() {
            return self.handle_current(ctx);
        }
        self.proceed(ctx);
    }

    /// Sends pending events to the database first, so that a second panic cannot lose them.
    fn record_pending(&mut self, ctx: &mut Context<Self>) {
        for work in std::mem::take(&mut self.work) {
            match work {
                Work::Record(entry) => self.unsent.push(*entry),
                Work::Keep(webhook) => self.unsent_webhooks.push(RowWrite::WebhookKept(webhook)),
                Work::Perform(effect) => self.work.push_back(Work::Perform(effect)),
            }
        }
        self.send_unsent(ctx);
    }
}

impl Supervised for CallActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.crashes = self.crashes.saturating_add(1);
        warn!(self.log, "the call's actor panicked, restarting it"; "crashes" => self.crashes);
        // After a second panic the current message is taken for the cause and dropped.
        if self.crashes > 1 {
            self.current = None;
            self.work.retain(|work| matches!(work, Work::Record(_) | Work::Keep(_)));
            self.after_durable.clear();
        }
    }
}
