//! Two queues to the writing threads: one for the lines of requests and libraries, one for all others. A flood of
//! requests fills its own queue, and the lines of calls stay.

use std::sync::{Arc, Mutex, PoisonError};

use slog::{Drain, Never, OwnedKVList, Record};

/// The code that answers requests. Its lines have their own queue, so that no call site has to choose one.
const REQUESTS: &str = concat!(env!("CARGO_CRATE_NAME"), "::http");

/// Chooses the queue of a record by the module that wrote it.
pub(super) struct Queues<D> {
    pub(super) calls: D,
    pub(super) requests: D,
}

impl<D: Drain<Ok = (), Err = Never>> Drain for Queues<D> {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        // Records of libraries have their target as tag.
        let is_of_requests = record.module().starts_with(REQUESTS) || !record.tag().is_empty();
        if is_of_requests { self.requests.log(record, values) } else { self.calls.log(record, values) }
    }
}

/// One writer for both queues: a line is written whole.
pub(super) struct SharedWriter<D>(Arc<Mutex<D>>);

impl<D> Clone for SharedWriter<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D> SharedWriter<D> {
    pub(super) fn new(writer: D) -> Self {
        Self(Arc::new(Mutex::new(writer)))
    }
}

impl<D: Drain<Ok = (), Err = Never>> Drain for SharedWriter<D> {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).log(record, values)
    }
}
