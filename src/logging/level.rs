//! The lowest level that is written. A reload of the configuration changes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use slog::{Drain, Level, OwnedKVList, Record};

/// The lowest level. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct LogLevel(Arc<AtomicUsize>);

impl LogLevel {
    pub(super) fn new(level: Level) -> Self {
        Self(Arc::new(AtomicUsize::new(level.as_usize())))
    }

    /// Changes it for all lines from now on.
    pub(crate) fn set(&self, level: Level) {
        self.0.store(level.as_usize(), Ordering::Relaxed);
    }

    fn admits(&self, level: Level) -> bool {
        level.as_usize() <= self.0.load(Ordering::Relaxed)
    }
}

/// Passes on records from that level on.
pub(super) struct FromLevel<D> {
    inner: D,
    level: LogLevel,
}

impl<D> FromLevel<D> {
    pub(super) fn new(inner: D, level: LogLevel) -> Self {
        Self { inner, level }
    }
}

impl<D: Drain> Drain for FromLevel<D> {
    type Ok = Option<D::Ok>;
    type Err = Option<D::Err>;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<Self::Ok, Self::Err> {
        if self.level.admits(record.level()) {
            self.inner.log(record, values).map(Some).map_err(Some)
        } else {
            Ok(None)
        }
    }

    fn is_enabled(&self, level: Level) -> bool {
        self.level.admits(level) && self.inner.is_enabled(level)
    }
}
