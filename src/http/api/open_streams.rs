//! Limits on open streams: in all, and of one API key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::error::{Code, Problem};

/// How many streams may be open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamLimits {
    /// With one API key. A client that opens streams without end does not shut out the others.
    pub(crate) of_key: usize,
    /// In all.
    pub(crate) in_all: usize,
}

/// Open streams by the name of their key.
#[derive(Debug)]
pub(crate) struct OpenStreams {
    limits: StreamLimits,
    open: Mutex<HashMap<String, usize>>,
}

/// One open stream. It is counted until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenStream {
    all: Arc<OpenStreams>,
    key: String,
}

impl OpenStreams {
    pub(crate) fn new(limits: StreamLimits) -> Arc<Self> {
        Arc::new(Self { limits, open: Mutex::default() })
    }

    /// Counts one more stream.
    ///
    /// # Errors
    /// `too_many_streams` of this key, or `too_many_at_once`.
    pub(super) fn open(self: &Arc<Self>, key: &str) -> Result<OpenStream, Problem> {
        let (mut open, StreamLimits { of_key, in_all }) = (self.counts(), self.limits);
        if open.get(key).is_some_and(|count| *count >= of_key) {
            let detail = format!("this API key has {of_key} open event streams: close one");
            return Err(Problem::new(Code::TooManyStreams, detail));
        }
        if open.values().sum::<usize>() >= in_all {
            return Err(Problem::new(Code::TooManyAtOnce, "the limit of open event streams is reached"));
        }
        let count = open.entry(key.to_owned()).or_default();
        *count = count.saturating_add(1);
        Ok(OpenStream { all: Arc::clone(self), key: key.to_owned() })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
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
        let streams = OpenStreams::new(StreamLimits { of_key: 8, in_all: 32 });
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
