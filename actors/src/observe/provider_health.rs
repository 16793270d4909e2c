//! Whether the provider answers, for health.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use precall_providers::elevenlabs::{ProviderError, ProviderErrorKind};

const UNKNOWN: u8 = 0;
const ANSWERING: u8 = 1;
const FAILING: u8 = 2;

/// Set after every exchange with the provider, read by health.
#[derive(Debug, Default)]
pub struct ProviderState {
    answers: AtomicU8,
    breaker_is_open: AtomicBool,
}

impl ProviderState {
    /// Records the result of a request. A refused request is an answer; a refused API key or a missing answer is a
    /// failure.
    pub fn note<T>(&self, answer: &Result<T, ProviderError>) {
        let state = match answer {
            Ok(_) => ANSWERING,
            Err(error) => match error.kind {
                ProviderErrorKind::Unauthorised
                | ProviderErrorKind::Server
                | ProviderErrorKind::Unreachable
                | ProviderErrorKind::Lost
                | ProviderErrorKind::Timeout
                | ProviderErrorKind::Garbled
                | ProviderErrorKind::Redirected => FAILING,
                ProviderErrorKind::Forbidden
                | ProviderErrorKind::Payment
                | ProviderErrorKind::SlotsFull
                | ProviderErrorKind::NotFound
                | ProviderErrorKind::SampleRefused
                | ProviderErrorKind::Invalid
                | ProviderErrorKind::Conflict
                | ProviderErrorKind::Declined
                | ProviderErrorKind::ConcurrencyLimited
                | ProviderErrorKind::RateLimited => ANSWERING,
            },
        };
        self.answers.store(state, Ordering::Relaxed);
    }

    /// Says whether repeated failures stop new clones.
    pub(crate) fn set_breaker(&self, is_open: bool) {
        self.breaker_is_open.store(is_open, Ordering::Relaxed);
    }

    /// Whether repeated failures stop new clones for a while.
    pub(crate) fn breaker_is_open(&self) -> bool {
        self.breaker_is_open.load(Ordering::Relaxed)
    }

    /// Whether the provider answers; none before the first exchange.
    #[must_use]
    pub fn answering(&self) -> Option<bool> {
        match self.answers.load(Ordering::Relaxed) {
            UNKNOWN => None,
            state => Some(state == ANSWERING),
        }
    }
}
