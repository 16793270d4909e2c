//! One leg as its shard and its two tasks see it. All of it happens on the shard's thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::Recipient;
use bytes::Bytes;
use tokio::sync::Notify;

use super::caller_audio::CallerAudio;
use super::leg_audio::Desk;
use super::leg_report::{LegNews, LegReport, StreamFailure};
use super::outlet::Outlet;
use super::pace::Lead;
use super::patience::Trouble;
use super::scene::Scene;
use super::speech::{Speech, StreamEnd};
use crate::clock;

/// A leg's audio, both ways, and its owner's wishes.
pub(super) struct Leg {
    desk: Arc<Desk>,
    speech: RefCell<Speech>,
    caller: RefCell<CallerAudio>,
    caller_bytes: Cell<u64>,
    closing: Notify,
}

impl Leg {
    pub(super) fn new(desk: Arc<Desk>, reports: Recipient<LegReport>, scene: Scene, lead: Lead) -> Self {
        Self {
            desk,
            speech: RefCell::new(Speech::new(reports, scene, lead)),
            caller: RefCell::new(CallerAudio::Discard),
            caller_bytes: Cell::new(0),
            closing: Notify::new(),
        }
    }

    /// Writes what is due and reports what was heard.
    pub(super) fn tick(&self, now: Instant) {
        let mut speech = self.speech.borrow_mut();
        #[cfg(test)]
        assert!(!self.desk.takes_panic(), "asked for by a test");
        speech.tick(now);
    }

    /// Does what the owner asked for since the last look.
    pub(super) fn heed(&self) {
        if let Some(scene) = self.desk.take_scene() {
            self.speech.borrow_mut().play(scene);
        }
        if self.desk.is_dropped() {
            self.close();
        }
    }

    /// A request for the caller's ear is about to be sent: its first piece goes with its head.
    pub(super) fn attach(&self, outlet: &Rc<Outlet>, now: Instant) {
        self.speech.borrow_mut().attach(outlet, now);
    }

    /// That request has ended. Says what its next one has to know.
    pub(super) fn detach(&self, end: StreamEnd, now: Instant) -> Trouble {
        self.speech.borrow_mut().detach(end, now)
    }

    /// Audio of the caller.
    pub(super) fn hear_caller(&self, chunk: &Bytes) {
        let bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.caller_bytes.set(self.caller_bytes.get().saturating_add(bytes));
        self.caller.borrow_mut().hear(chunk);
    }

    /// Tells the owner, who hears nothing after the end.
    pub(super) fn report(&self, what: LegNews) {
        self.speech.borrow().report(clock::now(), what);
    }

    /// The audio cannot go on.
    pub(super) fn fail(&self, failure: StreamFailure) {
        self.report(LegNews::Failed(failure));
        self.close();
    }

    /// Ends the audio now. The request that carries it is ended properly where that is possible.
    pub(super) fn close(&self) {
        self.speech.borrow_mut().close(Instant::now(), self.caller_bytes.get());
        self.closing.notify_one();
    }

    /// Waits for the end.
    pub(super) async fn closing(&self) {
        self.closing.notified().await;
    }

    /// Whether it has ended.
    pub(super) fn is_gone(&self) -> bool {
        self.speech.borrow().is_gone()
    }
}
