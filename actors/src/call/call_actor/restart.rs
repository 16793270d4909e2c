//! What a call does after its actor has panicked: record what had happened, finish what was in hand, go on.

use actix::{Context, Supervised};
use precall_call::{CallPart, Event};
use slog::warn;

use super::{CallActor, Work};
use crate::call::projection::Payload;

impl CallActor {
    /// Timers and spawned futures are gone, everything else is as the panic left it.
    pub(crate) fn go_on_after_crash(&mut self, ctx: &mut Context<Self>) {
        self.record_what_happened(ctx);
        self.perform_durable(ctx);
        let ordinal = self.call.panics.saturating_add(1);
        self.take(&Event::Panicked { part: CallPart::Call, ordinal }, &Payload::None, Vec::new());
        self.give_up_what_is_not_held();
        if self.in_hand.is_some() {
            return self.deal_with_hand(ctx);
        }
        self.proceed(ctx);
    }

    /// After a crash, before anything that may crash again: what happened is on record whatever comes next.
    fn record_what_happened(&mut self, ctx: &mut Context<Self>) {
        for work in std::mem::take(&mut self.work) {
            match work {
                Work::Record(entry) => self.unsent.push(*entry),
                Work::Perform(effect) => self.work.push_back(Work::Perform(effect)),
            }
        }
        self.send_unsent(ctx);
    }
}

impl Supervised for CallActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.crashes = self.crashes.saturating_add(1);
        warn!(self.log, "the call's actor panicked and goes on"; "crashes" => self.crashes);
        // What was in hand when it crashed for the second time is what crashes it.
        if self.crashes > 1 {
            self.in_hand = None;
            self.work.retain(|work| matches!(work, Work::Record(_)));
            self.after_durable.clear();
        }
    }
}
