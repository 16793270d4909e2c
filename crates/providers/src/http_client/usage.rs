//! How much a pool of connections is used: whether it should be let go.
//!
//! Pure: no clock, no I/O.

use std::cell::Cell;
use std::rc::Rc;

/// A pool that never had more connections may keep them until nobody uses it.
const FEW: usize = 8;
/// A pool is too large when less than this part of it was used since the last look.
const USED_PART: usize = 4;

/// Counts of one pool. A connection is opened when a request finds none idle: there are as many as were used at once.
#[derive(Debug, Default)]
pub(super) struct Usage(Rc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    now: Cell<usize>,
    since_look: Cell<usize>,
    ever: Cell<usize>,
}

impl Usage {
    /// A use begins. It lasts until the value is dropped.
    pub(super) fn begin(&self) -> InUse {
        let counts = &self.0;
        counts.now.set(counts.now.get().saturating_add(1));
        counts.since_look.set(counts.since_look.get().max(counts.now.get()));
        counts.ever.set(counts.ever.get().max(counts.now.get()));
        InUse(Rc::clone(counts))
    }

    /// A look: whether the pool was not used since the last one, or far less than its connections allow.
    pub(super) fn is_over(&self) -> bool {
        let counts = &self.0;
        let used = counts.since_look.replace(counts.now.get());
        let ever = counts.ever.get();
        used == 0 || (ever > FEW && used.saturating_mul(USED_PART) < ever)
    }
}

/// One use of a pool.
#[derive(Debug)]
pub(super) struct InUse(Rc<Counts>);

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.now.set(self.0.now.get().saturating_sub(1));
    }
}
