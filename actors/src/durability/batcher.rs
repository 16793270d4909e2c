//! Greedy group commit: all units that queued during the last flush form the next batch.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::VecDeque;

use precall_store::events::rows::Batch;

/// Most entries of one flush; more wait for the next one.
const BATCH_MAX: usize = 1_000;
/// Most waiting entries before admission refuses calls. Live calls may exceed it: they have their own limits.
pub const QUEUE_MAX: usize = 20_000;

/// Entries and rows that are acknowledged together.
#[derive(Debug)]
pub struct Unit<A> {
    /// Goes into one database batch as a whole.
    pub batch: Batch,
    /// Returned by [`Batcher::flushed`].
    pub ack: A,
}

/// Queue of units for PostgreSQL, in order of arrival.
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
    /// Queues a unit. Returns the batch to flush now, if no flush is running.
    pub fn append(&mut self, unit: Unit<A>) -> Option<Batch> {
        self.queued = self.queued.saturating_add(unit.batch.len());
        self.waiting.push_back(unit);
        self.next_batch()
    }

    /// The running flush is durable: returns its acknowledgements and the next batch.
    pub fn flushed(&mut self) -> (Vec<A>, Option<Batch>) {
        self.flushing = false;
        let acks = std::mem::take(&mut self.in_flight);
        (acks, self.next_batch())
    }

    /// Number of waiting entries.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Whether no unit waits and no flush is running.
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
