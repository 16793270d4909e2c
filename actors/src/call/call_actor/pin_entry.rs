//! Keys that the caller presses while a PIN is awaited. They reach only the PIN pad and the check: never an event, a
//! log line or a counter.

use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message};
use precall_base::clock;
use precall_call::{At, Event, ProvedBy};

use super::CallActor;
use crate::call::pin::Pin;
use crate::call::pin::check::PinResult;
use crate::call::pin::keypad::{ENTRY_PAUSE, PadEntry};
use crate::call::projection::Payload;
use crate::caller_key::CallerKey;

/// PINs that may wait while one is checked: as many as a call may try. More are dropped.
const WAITING_MAX: usize = 3;

#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct PinChecked(PinResult);

impl CallActor {
    /// Consumes a key press that may belong to a PIN; false if the event is none. An entry that has begun is consumed
    /// to its end even if no PIN is awaited any more, because the rest of a PIN must stay as hidden as its beginning.
    pub(crate) fn consume_pin_key(&mut self, event: &Event, at: At, ctx: &mut Context<Self>) -> bool {
        let Event::DtmfReceived { key } = event else { return false };
        if !self.call.awaits_pin() && self.pin_pad.is_empty() {
            return false;
        }
        let entries = self.pin_pad.press(*key, at);
        self.take_entries(entries, ctx);
        if !self.pin_pad.is_empty() {
            // 20 ms after the pause, so that it has certainly passed.
            ctx.run_later(ENTRY_PAUSE + Duration::from_millis(20), |actor, ctx| {
                let entry = actor.pin_pad.expire(clock::now());
                actor.take_entries(entry, ctx);
                actor.proceed(ctx);
            });
        }
        true
    }

    fn take_entries(&mut self, entries: impl IntoIterator<Item = PadEntry>, ctx: &mut Context<Self>) {
        for entry in entries {
            if !self.call.awaits_pin() {
                return;
            }
            match entry {
                PadEntry::Key(key) => self.apply(&Event::DtmfReceived { key }, &Payload::None, Vec::new()),
                PadEntry::Pin(pin) if self.queued_pins.len() < WAITING_MAX => self.queued_pins.push_back(pin),
                PadEntry::Pin(_) => {}
            }
        }
        self.start_next_check(ctx);
    }

    fn start_next_check(&mut self, ctx: &mut Context<Self>) {
        if !self.call.awaits_pin() {
            self.queued_pins.clear();
        }
        if self.pin_check_running {
            return;
        }
        let Some(pin) = self.queued_pins.pop_front() else { return };
        self.pin_check_running = true;
        self.spawn_check(pin, ctx);
    }

    fn spawn_check(&self, pin: Pin, ctx: &mut Context<Self>) {
        let (services, call) = (self.services.clone(), ctx.address());
        let caller = self.context.caller_id().unwrap_or_default().to_owned();
        let key = CallerKey { account: self.context.line.account.clone(), caller };
        actix::spawn(async move {
            let result = services.pin_checks.check(&key, pin, clock::now()).await;
            call.do_send(PinChecked(result));
        });
    }
}

impl Handler<PinChecked> for CallActor {
    type Result = ();

    fn handle(&mut self, PinChecked(result): PinChecked, ctx: &mut Context<Self>) {
        self.pin_check_running = false;
        let event = match result {
            PinResult::Right => Event::ProofGiven { by: ProvedBy::Pin },
            PinResult::Refused => Event::PinRefused { number: self.call.wrong_pins.saturating_add(1) },
        };
        self.apply(&event, &Payload::None, Vec::new());
        self.start_next_check(ctx);
        self.proceed(ctx);
    }
}
