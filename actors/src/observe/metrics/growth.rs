//! How much is kept, and for how long the room for it will last if things go on as they do.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use precall_call::At;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// Growth over less than that says nothing of a day.
const DATABASE_SEEN_SECONDS: f64 = 3600.0;
const DAY_SECONDS: f64 = 24.0 * 3600.0;

/// Absent while it is not known.
type Days = Family<[(&'static str, &'static str); 0], Gauge<f64, AtomicU64>>;

/// See the file.
#[derive(Default)]
pub(crate) struct Growth {
    database: Gauge,
    database_left: Days,
    spool_left: Days,
    /// The first look at the database.
    first: Mutex<Option<(i64, At)>>,
    /// Since when something waits in the spool.
    spooling: Mutex<Option<At>>,
}

impl Growth {
    pub(crate) fn register(&self, all: &mut Registry) {
        let days = || Unit::Other("days".to_owned());
        all.register_with_unit("database", "Size of the database", Unit::Bytes, self.database.clone());
        all.register_with_unit(
            "database_left",
            "Until DATABASE_MAX_GB is reached, growing as since the start; absent while that is not known",
            days(),
            self.database_left.clone(),
        );
        all.register_with_unit(
            "spool_left",
            "Until the spool is full, growing as since it began to; absent while nothing waits in it",
            days(),
            self.spool_left.clone(),
        );
    }

    /// A look at the database's size.
    pub(crate) fn database(&self, bytes: i64, max: Option<u64>, now: At) {
        self.database.set(bytes);
        let (first, since) =
            *self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert((bytes, now));
        let seen = now.since(since).as_secs_f64();
        let max = max.filter(|_| seen >= DATABASE_SEEN_SECONDS);
        let left = max.and_then(|max| left(max, real(bytes), real(bytes.saturating_sub(first)) / seen));
        show(&self.database_left, left);
    }

    /// A look at the spool.
    pub(crate) fn spool(&self, bytes: u64, max: Option<u64>, now: At) {
        let mut spooling = self.spooling.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes == 0 {
            *spooling = None;
        }
        let waiting = real(i64::try_from(bytes).unwrap_or(i64::MAX));
        let seen = now.since(*spooling.get_or_insert(now)).as_secs_f64();
        let left = max.filter(|_| bytes > 0 && seen > 0.0).and_then(|max| left(max, waiting, waiting / seen));
        show(&self.spool_left, left);
    }
}

/// Days until `max` bytes are reached.
fn left(max: u64, bytes: f64, per_second: f64) -> Option<f64> {
    let max = real(i64::try_from(max).unwrap_or(i64::MAX));
    (per_second > 0.0).then(|| ((max - bytes) / per_second / DAY_SECONDS).max(0.0))
}

fn show(days: &Days, left: Option<f64>) {
    match left {
        Some(left) => {
            days.get_or_create(&[]).set(left);
        }
        None => {
            days.remove(&[]);
        }
    }
}

/// Bytes as a number that can be divided: beyond some petabytes to the nearest kilobyte.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn real(bytes: i64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests;
