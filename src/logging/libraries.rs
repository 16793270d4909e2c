//! Lines of libraries: one a second for each target, and the level that they have for precall. The HTTP server reports
//! each malformed request as an error, and a client can send thousands.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use slog::{BorrowedKV, Drain, KV, Key, Level, Never, OwnedKVList, Record, RecordStatic, Serializer};

/// Pause between two lines of one target.
const EVERY: Duration = Duration::from_secs(1);
/// Targets that are told apart. Their number is the number of modules in the libraries that log.
const TARGETS_MAX: usize = 256;
/// What this library calls an error is a mistake of a client.
const OF_CLIENTS: &str = "actix_http";

/// Passes on one record a second for each target, with the number of those that it dropped before.
pub(super) struct Libraries<D> {
    inner: D,
    seen: Mutex<HashMap<String, Seen>>,
}

struct Seen {
    at: Instant,
    dropped: u64,
}

impl<D> Libraries<D> {
    pub(super) fn new(inner: D) -> Self {
        Self { inner, seen: Mutex::default() }
    }

    /// How many records were dropped before this one. None: this one is dropped too.
    fn dropped_before(&self, target: &str, now: Instant) -> Option<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = seen.get_mut(target) {
            if now.duration_since(target.at) < EVERY {
                target.dropped = target.dropped.saturating_add(1);
                return None;
            }
            target.at = now;
            return Some(std::mem::take(&mut target.dropped));
        }
        if seen.len() >= TARGETS_MAX {
            seen.clear();
        }
        seen.insert(target.to_owned(), Seen { at: now, dropped: 0 });
        Some(0)
    }
}

impl<D: Drain<Ok = (), Err = Never>> Drain for Libraries<D> {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        let target = record.tag();
        if target.is_empty() {
            return self.inner.log(record, values);
        }
        let Some(dropped) = self.dropped_before(target, Instant::now()) else { return Ok(()) };
        let is_of_client = target.starts_with(OF_CLIENTS) && record.level().is_at_least(Level::Warning);
        let level = if is_of_client { Level::Info } else { record.level() };
        let about = RecordStatic { location: record.location(), tag: target, level };
        let fields = Fields { record, dropped };
        self.inner.log(&Record::new(&about, record.msg(), BorrowedKV(&fields)), values)
    }
}

/// The fields of a record, and the number of records that were dropped before it.
struct Fields<'a> {
    record: &'a Record<'a>,
    dropped: u64,
}

impl KV for Fields<'_> {
    fn serialize(&self, record: &Record<'_>, serializer: &mut dyn Serializer) -> slog::Result {
        self.record.kv().serialize(record, serializer)?;
        if self.dropped > 0 {
            serializer.emit_u64(Key::from("not_shown"), self.dropped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
