//! Decides how each batch becomes durable: directly in the database, or through the spool while the database is away.
//!
//! A batch with an unknown outcome in the database goes to the spool unchanged, and all later ones queue behind it.
//! When the spool is empty, batches go directly to the database again: the database receives them in order of
//! arrival.
//!
//! Pure: no clock, no I/O, no actor.

use std::sync::Arc;

use precall_store::events::rows::Batch;

use crate::durability::batcher::{Batcher, Unit};

/// The next step for a batch.
#[derive(Clone, Debug)]
pub enum WriteStep {
    /// Write it into the database.
    Write(Arc<Batch>),
    /// Append it to the spool.
    Spool(Arc<Batch>),
}

impl WriteStep {
    fn batch(&self) -> &Arc<Batch> {
        match self {
            Self::Write(batch) | Self::Spool(batch) => batch,
        }
    }
}

/// The queue of units and the way that its batches take.
#[derive(Debug)]
pub struct WritePath<A> {
    batcher: Batcher<A>,
    /// The running step, stored so that it can be repeated after a restart in place.
    in_hand: Option<WriteStep>,
    /// Whether batches may be in the spool.
    is_spooling: bool,
    /// Number of batches spooled since the start.
    spooled: u64,
}

/// Marks the start of a drain: batches spooled later may still be in the spool when the drain has found it empty.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct DrainMark {
    spooled: u64,
}

impl<A> Default for WritePath<A> {
    fn default() -> Self {
        Self { batcher: Batcher::default(), in_hand: None, is_spooling: false, spooled: 0 }
    }
}

impl<A> WritePath<A> {
    /// Queues a unit. Returns the next step, if none is running.
    pub fn append(&mut self, unit: Unit<A>) -> Option<WriteStep> {
        let batch = self.batcher.append(unit);
        self.begin(batch)
    }

    /// The running step is durable: returns its acknowledgements and the next step.
    pub fn done(&mut self) -> (Vec<A>, Option<WriteStep>) {
        if self.in_hand.take().is_some_and(|next| matches!(next, WriteStep::Spool(_))) {
            self.spooled = self.spooled.wrapping_add(1);
        }
        let (acks, batch) = self.batcher.flushed();
        let next = self.begin(batch);
        (acks, next)
    }

    /// The outcome of the running write is unknown: it goes to the spool, and so do later batches.
    pub fn outcome_unknown(&mut self) -> Option<WriteStep> {
        self.is_spooling = true;
        self.repeat()
    }

    /// The running batch could not be spooled while `waiting` frames are in the spool. Returns the step to try after a
    /// pause: the database if no frame waits.
    pub fn not_spooled(&mut self, waiting: usize) -> Option<WriteStep> {
        self.is_spooling = waiting > 0;
        self.repeat()
    }

    /// Takes a mark. Call it before the spool is read.
    pub fn begin_drain(&self) -> DrainMark {
        DrainMark { spooled: self.spooled }
    }

    /// The drain since this mark found the spool empty. Returns whether batches go directly to the database again: not
    /// if a batch was spooled since the mark, because it may have come after the drain looked, nor while one is being
    /// spooled.
    pub fn drained(&mut self, since: DrainMark) -> bool {
        if self.spooled == since.spooled && !matches!(self.in_hand, Some(WriteStep::Spool(_))) {
            self.is_spooling = false;
        }
        !self.is_spooling
    }

    /// The running step, to be repeated: its progress is unknown.
    #[must_use]
    pub fn in_hand(&self) -> Option<WriteStep> {
        self.in_hand.clone()
    }

    /// Whether batches go to the spool.
    #[must_use]
    pub fn is_spooling(&self) -> bool {
        self.is_spooling
    }

    /// Waiting entries.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.batcher.queued()
    }

    /// Whether everything appended is durable.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.batcher.is_idle()
    }

    fn begin(&mut self, batch: Option<Batch>) -> Option<WriteStep> {
        let next = self.step_for(Arc::new(batch?));
        self.in_hand = Some(next.clone());
        Some(next)
    }

    fn repeat(&mut self) -> Option<WriteStep> {
        let batch = Arc::clone(self.in_hand.as_ref()?.batch());
        let next = self.step_for(batch);
        self.in_hand = Some(next.clone());
        Some(next)
    }

    fn step_for(&self, batch: Arc<Batch>) -> WriteStep {
        if self.is_spooling { WriteStep::Spool(batch) } else { WriteStep::Write(batch) }
    }
}

#[cfg(test)]
mod tests;
