//! Faults of the store.

use std::time::Duration;

/// What goes wrong with requests of one method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// GET, HEAD, PUT or DELETE; none is all of them.
    pub method: Option<&'static str>,
    /// The answer in place of executing the request; without it the request is executed after the delay.
    pub status: Option<u16>,
    /// Before the answer.
    pub delay: Duration,
    /// Requests that are hit; None: all.
    pub times: Option<u32>,
}

/// The faults that are set, the first that fits counts.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn set(&mut self, faults: Vec<Fault>) {
        self.0 = faults;
    }

    pub(super) fn take(&mut self, method: &str) -> Option<Fault> {
        let fits = |fault: &&mut Fault| {
            fault.times != Some(0) && fault.method.is_none_or(|expected| expected == method)
        };
        let fault = self.0.iter_mut().find(fits)?;
        fault.times = fault.times.map(|times| times.saturating_sub(1));
        Some(fault.clone())
    }
}
