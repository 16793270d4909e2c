//! The list of faults that `PUT /sim/faults` sets, and how faults are counted.

use std::time::Duration;

/// Most faults at once.
pub(crate) const MOST_FAULTS: usize = 1_000;
/// The longest delay of a fault; also the end of `hang`.
pub(crate) const LONGEST: Duration = Duration::from_secs(600);

/// A fault that lets some matches pass and ends after some.
pub(crate) trait Counted {
    /// `skip`, the matches that still pass, and `times`, the matches that are still hit (None: all).
    fn counters(&mut self) -> (&mut u32, &mut Option<u32>);

    /// Counts one match. False when it passes, or when the fault has ended.
    fn strikes(&mut self) -> bool {
        let (skip, times) = self.counters();
        if *times == Some(0) {
            return false;
        }
        if *skip > 0 {
            *skip = skip.saturating_sub(1);
            return false;
        }
        if let Some(times) = times {
            *times = times.saturating_sub(1);
        }
        true
    }
}

/// The faults, in the order of the request that set them.
#[derive(Debug)]
pub(crate) struct FaultList<F>(Vec<F>);

impl<F> Default for FaultList<F> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<F: Counted + Clone> FaultList<F> {
    /// Replaces the list. Keeps the first [`MOST_FAULTS`].
    pub fn set(&mut self, mut faults: Vec<F>) {
        faults.truncate(MOST_FAULTS);
        self.0 = faults;
    }

    /// Removes all faults.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The faults with what is left of their counters.
    pub fn list(&self) -> &[F] {
        &self.0
    }

    /// The first fault that matches and is not passed or ended. Counts it.
    pub(crate) fn take_where(&mut self, matches: impl Fn(&F) -> bool) -> Option<F> {
        self.0.iter_mut().find_map(|fault| (matches(fault) && fault.strikes()).then(|| fault.clone()))
    }

    /// The first fault that matches, whatever its counters say.
    pub(crate) fn find_mut(&mut self, matches: impl Fn(&F) -> bool) -> Option<&mut F> {
        self.0.iter_mut().find(|fault| matches(fault))
    }
}
