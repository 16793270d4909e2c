//! Whether the provider answers, for health.

use std::sync::atomic::{AtomicU8, Ordering};

use precall_providers::elevenlabs::{ProviderError, ProviderErrorKind};

const UNKNOWN: u8 = 0;
const ANSWERING: u8 = 1;
const FAILING: u8 = 2;

/// Set after every exchange with the provider, read by health.
#[derive(Debug, Default)]
pub struct ProviderState(AtomicU8);

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
        self.0.store(state, Ordering::Relaxed);
    }

    /// Whether the provider answers; none before the first exchange.
    #[must_use]
    pub fn answering(&self) -> Option<bool> {
        match self.0.load(Ordering::Relaxed) {
            UNKNOWN => None,
            state => Some(state == ANSWERING),
        }
    }
}
