//! How batches become durable: straight into the database, or through the spool while it is away. Pure: says what is to be done next,
//! and is told what came of it.
//!
//! A batch whose outcome in the database is not known goes to the spool unchanged, and all later ones queue behind it. The way is direct
//! again when the spool is empty: its order is the order in which batches came, and the database sees no other.
//!
//! Pure: no clock, no I/O, no actor.

use std::sync::Arc;

use precall_store::events::rows::Batch;

use crate::durability::batcher::{Batcher, Unit};

/// What is to be done with a batch.
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

/// See the file.
#[derive(Debug)]
pub struct WritePath<A> {
    batcher: Batcher<A>,
    /// Being done. Kept until it is, so that it can be done again after a restart in place.
    in_hand: Option<WriteStep>,
    /// Something may be in the spool.
    is_spooling: bool,
    /// Batches that went into the spool, ever.
    spooled: u64,
}

/// When the spool began to be emptied: whatever came into it later may still be there when it was seen empty.
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
    /// Takes a unit; what to do, if nothing is being done.
    pub fn append(&mut self, unit: Unit<A>) -> Option<WriteStep> {
        let batch = self.batcher.append(unit);
        self.begin(batch)
    }

    /// The batch in hand is durable, wherever: its acknowledgements, and what to do next.
    pub fn done(&mut self) -> (Vec<A>, Option<WriteStep>) {
        if self.in_hand.take().is_some_and(|next| matches!(next, WriteStep::Spool(_))) {
            self.spooled = self.spooled.wrapping_add(1);
        }
        let (acks, batch) = self.batcher.flushed();
        let next = self.begin(batch);
        (acks, next)
    }

    /// The batch in hand may or may not be in the database: through the spool from here on.
    pub fn outcome_unknown(&mut self) -> Option<WriteStep> {
        self.is_spooling = true;
        self.repeat()
    }

    /// The batch in hand could not be spooled, behind `waiting` frames. What to try after a pause: if none wait, the database as well.
    pub fn not_spooled(&mut self, waiting: usize) -> Option<WriteStep> {
        self.is_spooling = waiting > 0;
        self.repeat()
    }

    /// To be taken before the spool is looked into.
    pub fn begin_drain(&self) -> DrainMark {
        DrainMark { spooled: self.spooled }
    }

    /// The spool was seen empty after that mark. Returns whether the way is direct again: it is not when a batch went into the
    /// spool since the mark, because it may have come after that look, nor while one is on its way there.
    pub fn drained(&mut self, since: DrainMark) -> bool {
        if self.spooled == since.spooled && !matches!(self.in_hand, Some(WriteStep::Spool(_))) {
            self.is_spooling = false;
        }
        !self.is_spooling
    }

    /// What is being done, to be done again: nobody knows how far it went.
    #[must_use]
    pub fn in_hand(&self) -> Option<WriteStep> {
        self.in_hand.clone()
    }

    /// Whether batches go to the spool.
    #[must_use]
    pub fn is_spooling(&self) -> bool {
        self.is_spooling
    }

    /// Entries that wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.batcher.queued()
    }

    /// Whether everything that was appended is durable.
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
