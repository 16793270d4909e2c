//! Keys while a PIN is awaited: nobody sees them but the pad and the check. No event, no line, no counter has them.

use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message};
use precall_base::clock;
use precall_call::{At, Event, ProvedBy};

use super::CallActor;
use crate::call::pin::Pin;
use crate::call::pin::check::PinResult;
use crate::call::pin::keypad::{Entry, PAUSE};
use crate::call::projection::Payload;
use crate::caller_key::CallerKey;

/// PINs that wait while one is being checked: as many as a call may try. More are nothing.
const WAITING_MAX: usize = 3;

#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct PinChecked(PinResult);

impl CallActor {
    /// Whether the event is a key that may be a PIN's, and was taken as one. What was begun is typed to its end, though no PIN is
    /// awaited any more: the rest of it is as little to be seen as its beginning.
    pub(crate) fn is_for_the_pad(&mut self, event: &Event, at: At, ctx: &mut Context<Self>) -> bool {
        let Event::DtmfReceived { key } = event else { return false };
        if !self.call.awaits_pin() && self.pad.is_empty() {
            return false;
        }
        let entries = self.pad.pressed(*key, at);
        self.typed(entries, ctx);
        if !self.pad.is_empty() {
            // A little later than the pause, so that it has surely passed.
            ctx.run_later(PAUSE + Duration::from_millis(20), |actor, ctx| {
                let entry = actor.pad.waited(clock::now());
                actor.typed(entry, ctx);
                actor.proceed(ctx);
            });
        }
        true
    }

    fn typed(&mut self, entries: impl IntoIterator<Item = Entry>, ctx: &mut Context<Self>) {
        for entry in entries {
            if !self.call.awaits_pin() {
                return;
            }
            match entry {
                Entry::Key(key) => self.take(&Event::DtmfReceived { key }, &Payload::None, Vec::new()),
                Entry::Pin(pin) if self.pins.len() < WAITING_MAX => self.pins.push_back(pin),
                Entry::Pin(_) => {}
            }
        }
        self.check_next(ctx);
    }

    fn check_next(&mut self, ctx: &mut Context<Self>) {
        if !self.call.awaits_pin() {
            self.pins.clear();
        }
        if self.checking {
            return;
        }
        let Some(pin) = self.pins.pop_front() else { return };
        self.checking = true;
        self.check(pin, ctx);
    }

    fn check(&self, pin: Pin, ctx: &mut Context<Self>) {
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
        self.checking = false;
        let event = match result {
            PinResult::Right => Event::ProofGiven { by: ProvedBy::Pin },
            PinResult::Refused => Event::PinRefused { number: self.call.wrong_pins.saturating_add(1) },
        };
        self.take(&event, &Payload::None, Vec::new());
        self.check_next(ctx);
        self.proceed(ctx);
    }
}
