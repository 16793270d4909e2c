//! What a failed upload means for the calls that wait for it, and for the next attempt.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::Duration;

use precall_base::backoff::Backoff;
use precall_call::NoVoice;
use precall_providers::elevenlabs::{ProviderError, ProviderErrorKind};

use crate::voices::terms::Failure;

/// The first pause before an upload is repeated, and the longest.
pub(super) const RETRY_PAUSE: Duration = Duration::from_secs(1);
pub(super) const RETRY_PAUSE_MAX: Duration = Duration::from_secs(10);

/// Why a job made no clone.
pub(super) struct CloneFailure {
    /// What its calls are told.
    pub(super) why: NoVoice,
    /// What it means for the next attempt.
    pub(super) failure: Failure,
    /// The provider's words, or ours.
    pub(super) message: String,
}

impl CloneFailure {
    /// A failure that the next attempt may not have.
    pub(super) fn transient(message: &str) -> Self {
        let (why, failure) = (NoVoice::CloneFailed, Failure::Transient);
        Self { why, failure, message: message.to_owned() }
    }
}

/// The account has no free slot.
pub(super) fn no_slot() -> CloneFailure {
    let message = "no free voice slot: all our voices are in use, or the plan allows no more";
    CloneFailure { why: NoVoice::NoSlot, ..CloneFailure::transient(message) }
}

/// No consent covers the sample.
pub(super) fn no_consent() -> CloneFailure {
    let message = "no consent covers this sample: it was replaced, or the speaker never consented to it";
    CloneFailure { why: NoVoice::NoConsent, ..CloneFailure::transient(message) }
}

/// Pause before the next attempt: what the provider asks for; else a growing pause, or a short one if only our own
/// requests are in the way.
pub(super) fn pause_after(error: &ProviderError, pauses: &mut Backoff) -> Duration {
    let is_own_limit = error.kind == ProviderErrorKind::ConcurrencyLimited;
    let own = if is_own_limit { RETRY_PAUSE } else { pauses.wait() };
    error.retry_after.unwrap_or(own).min(RETRY_PAUSE_MAX)
}

/// What the provider's refusal means.
pub(super) fn clone_failure(error: &ProviderError) -> CloneFailure {
    let (why, failure) = match error.kind {
        ProviderErrorKind::SlotsFull => (NoVoice::NoSlot, Failure::Transient),
        ProviderErrorKind::SampleRefused => (NoVoice::SampleRefused, Failure::Permanent),
        ProviderErrorKind::Timeout => (NoVoice::CloneTimeout, Failure::Provider),
        // An operator must change the key, the plan or the configuration first.
        ProviderErrorKind::Unauthorised
        | ProviderErrorKind::Forbidden
        | ProviderErrorKind::Payment
        | ProviderErrorKind::NotFound
        | ProviderErrorKind::Invalid
        | ProviderErrorKind::Declined => (NoVoice::CloneFailed, Failure::Permanent),
        ProviderErrorKind::Conflict | ProviderErrorKind::ConcurrencyLimited => {
            (NoVoice::CloneFailed, Failure::Transient)
        }
        ProviderErrorKind::RateLimited
        | ProviderErrorKind::Server
        | ProviderErrorKind::Redirected
        | ProviderErrorKind::Unreachable
        | ProviderErrorKind::Lost
        | ProviderErrorKind::Garbled => (NoVoice::CloneFailed, Failure::Provider),
    };
    CloneFailure { why, failure, message: error.to_string() }
}
