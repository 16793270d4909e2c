//! Metrics of stored data: size, and the days left until the limit at the present growth.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use precall_call::At;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// Shortest observation that allows an estimate in days.
const DATABASE_SEEN_SECONDS: f64 = 3600.0;
const DAY_SECONDS: f64 = 24.0 * 3600.0;

/// Days left; absent while unknown.
type Days = Family<[(&'static str, &'static str); 0], Gauge<f64, AtomicU64>>;

/// Metrics of stored data.
#[derive(Default)]
pub(crate) struct Growth {
    database: Gauge,
    database_left: Days,
    spool_left: Days,
    spool_free: Family<[(&'static str, &'static str); 0], Gauge>,
    /// Size and time of the first measurement.
    first: Mutex<Option<(i64, At)>>,
    /// Since when events wait in the spool.
    spooling: Mutex<Option<At>>,
}

impl Growth {
    pub(crate) fn register(&self, all: &mut Registry) {
        let days = || Unit::Other("days".to_owned());
        all.register_with_unit("database", "Size of the database", Unit::Bytes, self.database.clone());
        all.register_with_unit(
            "database_left",
            "Days until DATABASE_MAX_GB is reached at the growth since the start; absent while unknown",
            days(),
            self.database_left.clone(),
        );
        all.register_with_unit(
            "spool_left",
            "Days until the spool is full at its present growth; absent while it is empty",
            days(),
            self.spool_left.clone(),
        );
        all.register_with_unit(
            "spool_free",
            "Free bytes on the disk of the spool; absent while unknown",
            Unit::Bytes,
            self.spool_free.clone(),
        );
    }

    /// Records the size of the database.
    pub(crate) fn database(&self, bytes: i64, max: Option<u64>, now: At) {
        self.database.set(bytes);
        let (first, since) =
            *self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert((bytes, now));
        let seen = now.since(since).as_secs_f64();
        let max = max.filter(|_| seen >= DATABASE_SEEN_SECONDS);
        let left = max.and_then(|max| left(max, real(bytes), real(bytes.saturating_sub(first)) / seen));
        show(&self.database_left, left);
    }

    /// Records the size of the spool.
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

    /// Records the room on the disk of the spool.
    pub(crate) fn spool_free(&self, bytes: Option<u64>) {
        match bytes {
            Some(bytes) => {
                self.spool_free.get_or_create(&[]).set(i64::try_from(bytes).unwrap_or(i64::MAX));
            }
            None => {
                self.spool_free.remove(&[]);
            }
        }
    }
}

/// Days until `max` bytes are reached; none without growth.
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

/// Bytes as a float: above some petabytes rounded to a kilobyte.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn real(bytes: i64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests;
