//! How far the logs may be read by position.
//!
//! A reader goes on behind the last position that it has seen. So it must not pass a position that a transaction still
//! holds. Live writes follow each other; the import of a left-behind spool runs beside them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_postgres::GenericClient;

use crate::error::StoreError;

const LAST_GIVEN: &str = "select last_value - (not is_called)::int from event_position";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[LAST_GIVEN];

/// The last position that readers may read, and the last one written.
#[derive(Debug)]
pub struct Positions {
    held: Mutex<Held>,
    readable: watch::Sender<i64>,
}

#[derive(Debug, Default)]
struct Held {
    written: i64,
    /// An import that has not ended gives its events positions behind this one.
    import_behind: Option<i64>,
}

impl Default for Positions {
    fn default() -> Self {
        Self { held: Mutex::default(), readable: watch::Sender::new(0) }
    }
}

impl Positions {
    /// The last position that may be read, as it changes. It never goes back.
    #[must_use]
    pub fn readable(&self) -> watch::Receiver<i64> {
        self.readable.subscribe()
    }

    /// The last position that was written.
    #[must_use]
    pub fn written(&self) -> i64 {
        self.lock().written
    }

    /// A transaction that gave this position is in the database.
    pub fn advance(&self, position: i64) {
        let mut held = self.lock();
        held.written = held.written.max(position);
        self.publish(&held);
    }

    /// A transaction begins beside the live writes, or the one before it has ended and another begins.
    ///
    /// # Errors
    /// When the query fails.
    pub(crate) async fn import_begins(&self, client: &impl GenericClient) -> Result<(), StoreError> {
        self.import_behind(client.query_one(LAST_GIVEN, &[]).await?.try_get(0)?);
        Ok(())
    }

    fn import_behind(&self, position: i64) {
        let mut held = self.lock();
        held.import_behind = Some(position);
        self.publish(&held);
    }

    /// No transaction of this process runs beside the live writes.
    pub fn import_ended(&self) {
        let mut held = self.lock();
        held.import_behind = None;
        self.publish(&held);
    }

    fn publish(&self, held: &Held) {
        let readable = held.import_behind.map_or(held.written, |behind| behind.min(held.written));
        self.readable.send_if_modified(|last| {
            let moves = readable > *last;
            *last = readable.max(*last);
            moves
        });
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
