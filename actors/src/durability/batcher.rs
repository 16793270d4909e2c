//! Greedy group commit: whatever queued while the last flush ran is the next batch. Pure: no clock, no database.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::VecDeque;

use precall_store::events::rows::Batch;

/// Entries of one flush at most; more wait for the next one.
const BATCH_MAX: usize = 1_000;
/// Entries that may wait before admission says no. Live calls may go beyond it: they are bounded themselves.
pub const QUEUE_MAX: usize = 20_000;

/// What is to be acknowledged when its entries are durable.
#[derive(Debug)]
pub struct Unit<A> {
    /// All of it goes into one batch.
    pub batch: Batch,
    /// Handed back by [`Batcher::flushed`].
    pub ack: A,
}

/// Entries on their way to PostgreSQL, in the order in which they came.
#[derive(Debug)]
pub struct Batcher<A> {
    waiting: VecDeque<Unit<A>>,
    in_flight: Vec<A>,
    flushing: bool,
    queued: usize,
}

impl<A> Default for Batcher<A> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), in_flight: Vec::new(), flushing: false, queued: 0 }
    }
}

impl<A> Batcher<A> {
    /// Takes a unit; returns the batch to flush now, if none is being flushed.
    pub fn append(&mut self, unit: Unit<A>) -> Option<Batch> {
        self.queued = self.queued.saturating_add(unit.batch.len());
        self.waiting.push_back(unit);
        self.next_batch()
    }

    /// The batch in flight is durable: its acknowledgements, and the next batch.
    pub fn flushed(&mut self) -> (Vec<A>, Option<Batch>) {
        self.flushing = false;
        let acks = std::mem::take(&mut self.in_flight);
        (acks, self.next_batch())
    }

    /// Entries that wait to be flushed.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Whether nothing waits and nothing is in flight.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.flushing && self.waiting.is_empty()
    }

    fn next_batch(&mut self) -> Option<Batch> {
        if self.flushing || self.waiting.is_empty() {
            return None;
        }
        let mut batch = Batch::default();
        while let Some(unit) = self.waiting.front() {
            let fits = batch.is_empty() || batch.len().saturating_add(unit.batch.len()) <= BATCH_MAX;
            if !fits {
                break;
            }
            if let Some(unit) = self.waiting.pop_front() {
                batch.extend(unit.batch);
                self.in_flight.push(unit.ack);
            }
        }
        self.queued = self.queued.saturating_sub(batch.len());
        self.flushing = true;
        Some(batch)
    }
}

#[cfg(test)]
mod tests;
