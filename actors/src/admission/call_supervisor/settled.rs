//! The end of a call's actor: it has nothing left to do, or it died.

use actix::{Context, Handler};
use precall_base::clock;
use precall_call::{CallId, CallPart, Event};
use precall_providers::threecx::address::LegAddress;
use slog::{info, warn};

use super::{AWAITING_LOG_MAX, CallSupervisor, Delivery};
use crate::call::messages::{CallDown, CallSettled, Stop};
use crate::call::projection::Payload;
use crate::pbx::leg_commands;

impl Handler<CallSettled> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, settled: CallSettled, _: &mut Context<Self>) {
        let quiet = self.live.get(&settled.call).is_some_and(|live| live.sent == settled.handled);
        if !quiet {
            return;
        }
        if let Some(mut live) = self.live.remove(&settled.call) {
            if std::mem::take(&mut live.trace_due) {
                self.services.traces.call_over(settled.call);
            }
            if self.services.persistence_state.spool().is_in_use()
                && self.awaiting_log.len() < AWAITING_LOG_MAX
            {
                self.awaiting_log.insert(settled.call, live);
            } else {
                live.address.do_send(Stop);
            }
        }
        self.count_out(settled.call);
        for leg in settled.late_legs {
            if self.legs.let_start_a_call(&leg) {
                self.show_again(settled.call, &leg);
            }
        }
    }
}

impl CallSupervisor {
    /// Lets a leg that its call has not used start a call of its own.
    pub(super) fn show_again(&self, call: CallId, leg: &LegAddress) {
        let Some(side) = &self.services.pbx else { return };
        info!(self.services.log, "a leg appeared when its call was ending, and becomes a call of its own";
            "call" => %call, "leg" => %leg.participant);
        leg_commands::show_again(side, leg);
    }
}

impl Handler<CallDown> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, CallDown { call }: CallDown, ctx: &mut Context<Self>) {
        self.services.board.remove(call);
        self.awaiting_log.remove(&call);
        if self.live.remove(&call).is_none() {
            return;
        }
        // It died before it settled. Its log shows how far it came; the panic event ends it.
        warn!(self.services.log, "the actor of a call died"; "call" => %call);
        self.count_out(call);
        let event = Event::Panicked { part: CallPart::Call, ordinal: 0 };
        self.deliver(call, Delivery::internal(event, Payload::None, clock::now()), ctx);
    }
}
