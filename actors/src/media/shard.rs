//! One thread with its legs: a tick for all of them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix::Recipient;
use precall_call::At;
use tokio::sync::Notify;

use super::leg_audio::Desk;
use super::leg_report::{LegAudioStats, LegNews, LegReport, StreamFailure};
use super::scene::Scene;
use crate::clock;
use crate::providers::threecx::address::LegAddress;

/// A leg that is to be served.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) leg: LegAddress,
    pub(super) connected_at: At,
    pub(super) scene: Scene,
    pub(super) reports: Recipient<LegReport>,
    pub(super) desk: Arc<Desk>,
}

/// The way into a shard from other threads.
#[derive(Debug)]
pub(super) struct Door {
    newcomers: Mutex<Vec<Newcomer>>,
    bell: Notify,
    /// Legs inside and at the door.
    legs: AtomicUsize,
    legs_at_most: usize,
    closed: AtomicBool,
}

impl Door {
    pub(super) fn new(legs_at_most: usize) -> Self {
        Self {
            newcomers: Mutex::default(),
            bell: Notify::new(),
            legs: AtomicUsize::new(0),
            legs_at_most,
            closed: AtomicBool::new(false),
        }
    }

    /// Lets a leg in, or tells its owner that there is no room.
    pub(super) fn enter(&self, newcomer: Newcomer) {
        if self.legs.fetch_add(1, Ordering::AcqRel) >= self.legs_at_most {
            self.leave();
            let news = [LegNews::Failed(StreamFailure::NoRoom), LegNews::Closed(LegAudioStats::default())];
            for what in news {
                newcomer.reports.do_send(LegReport { at: clock::now(), what });
            }
            return;
        }
        self.newcomers.lock().unwrap_or_else(PoisonError::into_inner).push(newcomer);
        self.ring();
    }

    /// A leg is no longer there.
    pub(super) fn leave(&self) {
        self.legs.fetch_sub(1, Ordering::AcqRel);
    }

    /// Legs inside and at the door.
    pub(super) fn legs(&self) -> usize {
        self.legs.load(Ordering::Acquire)
    }

    /// Somebody's wish has changed.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Ends the shard, its legs first.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.ring();
    }
}
