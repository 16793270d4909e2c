//! The way into a shard from other threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix::Recipient;
use precall_base::clock;
use precall_call::At;
use precall_providers::threecx::address::LegAddress;
use tokio::sync::{Notify, oneshot};

use crate::hand_over::LegTurn;
use crate::leg_commands::CommandQueue;
use crate::leg_events::{LegAudioEvent, LegAudioStats, LegReport, StreamFailure};
use crate::playlist::Playlist;

/// A leg that a shard is to serve.
#[derive(Debug)]
pub(crate) struct NewLeg {
    pub(crate) address: LegAddress,
    pub(crate) connected_at: At,
    pub(crate) playlist: Playlist,
    pub(crate) reports: Recipient<LegReport>,
    pub(crate) commands: Arc<CommandQueue>,
}

/// Hands new legs to a shard, wakes it and ends it.
#[derive(Debug)]
pub(crate) struct ShardHandle {
    new_legs: Mutex<Vec<NewLeg>>,
    wake: Notify,
    /// Who asks whose turn it is on each leg.
    questions: Mutex<Vec<oneshot::Sender<Vec<LegTurn>>>>,
    /// Legs served and legs waiting in `new_legs`.
    legs: AtomicUsize,
    legs_max: usize,
    closed: AtomicBool,
}

impl ShardHandle {
    pub(crate) fn new(legs_max: usize) -> Self {
        Self {
            new_legs: Mutex::default(),
            wake: Notify::new(),
            questions: Mutex::default(),
            legs: AtomicUsize::new(0),
            legs_max,
            closed: AtomicBool::new(false),
        }
    }

    /// Adds a leg. A full shard reports `NoRoom` to the leg's owner instead.
    pub(crate) fn add(&self, leg: NewLeg) {
        if self.legs.fetch_add(1, Ordering::AcqRel) >= self.legs_max {
            self.leg_ended();
            // Nobody has sent a command yet.
            drop(leg.commands.close());
            let events = [
                LegAudioEvent::Failed(StreamFailure::NoRoom),
                LegAudioEvent::Closed(LegAudioStats::default()),
            ];
            for what in events {
                leg.reports.do_send(LegReport { at: clock::now(), what });
            }
            return;
        }
        self.new_legs.lock().unwrap_or_else(PoisonError::into_inner).push(leg);
        self.wake();
    }

    /// Takes the legs that were added since the last call.
    pub(crate) fn take_new_legs(&self) -> Vec<NewLeg> {
        std::mem::take(&mut *self.new_legs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks whose turn it is on each leg. A shard that has ended does not answer.
    pub(crate) fn ask_turns(&self) -> oneshot::Receiver<Vec<LegTurn>> {
        let (question, answer) = oneshot::channel();
        self.questions.lock().unwrap_or_else(PoisonError::into_inner).push(question);
        self.wake();
        answer
    }

    /// Takes the questions since the last call.
    pub(crate) fn take_questions(&self) -> Vec<oneshot::Sender<Vec<LegTurn>>> {
        std::mem::take(&mut *self.questions.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a leg out: its audio has ended.
    pub(crate) fn leg_ended(&self) {
        self.legs.fetch_sub(1, Ordering::AcqRel);
    }

    /// The number of legs, waiting ones included.
    pub(crate) fn legs(&self) -> usize {
        self.legs.load(Ordering::Acquire)
    }

    /// Wakes the shard: there is a new leg or a command.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until the shard is woken.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Ends the shard; its legs end first.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}
