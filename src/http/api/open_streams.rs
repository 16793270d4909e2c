//! Limits on open event streams: in all, and of one API key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::error::{Code, Problem};

/// Event streams that may be open at once. Each reads the database up to ten times a second.
const STREAMS: usize = 32;
/// Of them, with one API key. A client that opens streams without end does not shut out the others.
const STREAMS_OF_KEY: usize = 8;

/// Open event streams by the name of their key.
#[derive(Debug, Default)]
pub(crate) struct OpenStreams(Mutex<HashMap<String, usize>>);

/// One open stream. It is counted until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenStream {
    all: Arc<OpenStreams>,
    key: String,
}

impl OpenStreams {
    /// Counts one more stream.
    ///
    /// # Errors
    /// `too_many_streams` of this key, or `too_many_at_once`.
    pub(super) fn open(self: &Arc<Self>, key: &str) -> Result<OpenStream, Problem> {
        let mut open = self.counts();
        if open.get(key).is_some_and(|count| *count >= STREAMS_OF_KEY) {
            let detail = format!("this API key has {STREAMS_OF_KEY} open event streams: close one");
            return Err(Problem::new(Code::TooManyStreams, detail));
        }
        if open.values().sum::<usize>() >= STREAMS {
            return Err(Problem::new(Code::TooManyAtOnce, "the limit of open event streams is reached"));
        }
        let count = open.entry(key.to_owned()).or_default();
        *count = count.saturating_add(1);
        Ok(OpenStream { all: Arc::clone(self), key: key.to_owned() })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.all.counts();
        if let Some(count) = open.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_does_not_take_the_streams_of_the_others() {
        let streams = Arc::new(OpenStreams::default());
        let refusal = |key: &str| streams.open(key).err().map(|problem| problem.code);
        let mut open: Vec<_> = (0..8).filter_map(|_| streams.open("a").ok()).collect();
        assert_eq!((open.len(), refusal("a"), refusal("b")), (8, Some(Code::TooManyStreams), None));
        open.pop();
        assert_eq!(refusal("a"), None, "it was closed, and so was this one");
        for key in ["b", "c", "d"] {
            open.extend((0..8).filter_map(|_| streams.open(key).ok()));
        }
        assert_eq!((open.len(), refusal("e")), (31, None));
        open.extend(streams.open("a").ok());
        assert_eq!(refusal("e"), Some(Code::TooManyAtOnce));
        open.clear();
        assert!(streams.counts().is_empty());
    }
}
