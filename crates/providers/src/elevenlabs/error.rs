//! What can go wrong with a request, and whether the provider may have acted on it all the same.

use std::fmt;
use std::time::Duration;

use super::error_body::{ErrorText, redact_text};
use super::settings::ApiKey;
pub use crate::http_exchange::Execution;

/// A message is for a person at a log; more does not help.
const MESSAGE_CHARS_MAX: usize = 300;
const CODE_CHARS_MAX: usize = 64;
/// A provider that asks for more patience than this is treated as if it had asked for this much.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Why. Closed; the names are for logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderErrorKind {
    /// The key is wrong or missing.
    Unauthorised,
    /// The key is right and lacks a permission, or the account is blocked.
    Forbidden,
    /// Credits, quota or plan.
    Payment,
    /// No free voice slot in the account (`voice_limit_reached`).
    SlotsFull,
    /// No such voice, agent, number or conversation.
    NotFound,
    /// The recording cannot be cloned.
    SampleRefused,
    /// Another request that the provider cannot take.
    Invalid,
    /// The name is taken, or the same thing is being done already.
    Conflict,
    /// `success: false`.
    Declined,
    /// Too many requests at once; room comes when one of ours ends.
    ConcurrencyLimited,
    /// Too many requests a while, or the provider is busy.
    RateLimited,
    /// A 5xx answer.
    Server,
    /// The address answers with a redirect, which is never followed.
    Redirected,
    /// No connection: name, network, TLS.
    Unreachable,
    /// The connection broke while the request or the answer was under way.
    Lost,
    /// The deadline passed.
    Timeout,
    /// An answer that cannot be understood, or is larger than any should be.
    Garbled,
}

impl ProviderErrorKind {
    /// The one name used in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unauthorised => "unauthorised",
            Self::Forbidden => "forbidden",
            Self::Payment => "payment",
            Self::SlotsFull => "slots_full",
            Self::NotFound => "not_found",
            Self::SampleRefused => "sample_refused",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Declined => "declined",
            Self::ConcurrencyLimited => "concurrency_limited",
            Self::RateLimited => "rate_limited",
            Self::Server => "server",
            Self::Redirected => "redirected",
            Self::Unreachable => "unreachable",
            Self::Lost => "lost",
            Self::Timeout => "timeout",
            Self::Garbled => "garbled",
        }
    }
}

/// A request that did not bring what it was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderError {
    /// Why.
    pub kind: ProviderErrorKind,
    /// Whether it may have been carried out.
    pub execution: Execution,
    /// The HTTP status, if a head came back.
    pub status: Option<u16>,
    /// The provider's own code, else its older status word.
    pub code: Option<String>,
    /// For a person: at most 300 characters, without key and full numbers.
    pub message: String,
    /// How long the provider asks to be left alone, at most an hour.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(status) = self.status {
            write!(f, ", status {status}")?;
        }
        if let Some(code) = &self.code {
            write!(f, ", {code}")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ProviderError {}

impl ProviderError {
    /// Whether the same thing may be asked for again without a look-up.
    #[must_use]
    pub fn may_be_sent_again(&self) -> bool {
        self.execution == Execution::SurelyNot
    }

    /// Whether waiting alone can help: limits and outages, not refusals.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self.kind {
            ProviderErrorKind::ConcurrencyLimited
            | ProviderErrorKind::RateLimited
            | ProviderErrorKind::Server
            | ProviderErrorKind::Unreachable
            | ProviderErrorKind::Lost
            | ProviderErrorKind::Timeout => true,
            ProviderErrorKind::Unauthorised
            | ProviderErrorKind::Forbidden
            | ProviderErrorKind::Payment
            | ProviderErrorKind::SlotsFull
            | ProviderErrorKind::NotFound
            | ProviderErrorKind::SampleRefused
            | ProviderErrorKind::Invalid
            | ProviderErrorKind::Conflict
            | ProviderErrorKind::Declined
            | ProviderErrorKind::Redirected
            | ProviderErrorKind::Garbled => false,
        }
    }

    /// One that no answer of the provider explains.
    pub(super) fn ours(kind: ProviderErrorKind, execution: Execution, message: impl Into<String>) -> Self {
        Self { kind, execution, status: None, code: None, message: message.into(), retry_after: None }
    }

    /// A complete answer with a status that is no success.
    pub(super) fn refused(status: u16, body: &[u8], retry_after: Option<Duration>, key: &ApiKey) -> Self {
        let said = ErrorText::read(body);
        let by_word =
            [&said.code, &said.status, &said.kind].into_iter().flatten().find_map(|word| kind_of_word(word));
        let code =
            said.code.or(said.status).or(said.kind).map(|code| redact_text(&code, CODE_CHARS_MAX, key));
        Self {
            kind: by_word.unwrap_or_else(|| kind_of_status(status)),
            execution: execution_of_status(status),
            status: Some(status),
            code,
            message: redact_text(&said.message, MESSAGE_CHARS_MAX, key),
            retry_after: retry_after.map(|wait| wait.min(RETRY_AFTER_MAX)),
        }
    }

    /// A 2xx answer that does not say what it should.
    pub(super) fn garbled(status: u16, message: impl Into<String>) -> Self {
        let error = Self::ours(ProviderErrorKind::Garbled, Execution::Maybe, message);
        Self { status: Some(status), ..error }
    }

    /// `success: false`: the provider says itself that it did nothing.
    pub(super) fn declined(status: u16, message: &str, key: &ApiKey) -> Self {
        let message = redact_text(message, MESSAGE_CHARS_MAX, key);
        let error = Self::ours(ProviderErrorKind::Declined, Execution::SurelyNot, message);
        Self { status: Some(status), ..error }
    }
}

/// A 4xx says no. Except 408, which proxies in front of a provider also send when the provider has the request and is slow.
fn execution_of_status(status: u16) -> Execution {
    match status {
        408 => Execution::Maybe,
        400..=499 => Execution::SurelyNot,
        _ => Execution::Maybe,
    }
}

fn kind_of_status(status: u16) -> ProviderErrorKind {
    match status {
        300..=399 => ProviderErrorKind::Redirected,
        401 => ProviderErrorKind::Unauthorised,
        402 => ProviderErrorKind::Payment,
        403 => ProviderErrorKind::Forbidden,
        404 => ProviderErrorKind::NotFound,
        408 => ProviderErrorKind::Timeout,
        409 => ProviderErrorKind::Conflict,
        429 => ProviderErrorKind::RateLimited,
        400..=499 => ProviderErrorKind::Invalid,
        500..=599 => ProviderErrorKind::Server,
        _ => ProviderErrorKind::Garbled,
    }
}

/// The status alone misleads: a wrong key can be 400, an exhausted quota 401 (ElevenLabs facts, section 1).
fn kind_of_word(word: &str) -> Option<ProviderErrorKind> {
    let kind = match word {
        "invalid_api_key" | "unauthorized" | "missing_api_key" => ProviderErrorKind::Unauthorised,
        "missing_permissions"
        | "insufficient_permissions"
        | "voice_access_denied"
        | "detected_unusual_activity" => ProviderErrorKind::Forbidden,
        "quota_exceeded"
        | "insufficient_credits"
        | "paid_plan_required"
        | "can_not_use_instant_voice_cloning"
        | "payment_required"
        | "subscription_required"
        | "feature_not_available"
        | "only_for_creator+" => ProviderErrorKind::Payment,
        "voice_limit_reached" => ProviderErrorKind::SlotsFull,
        "voice_not_found" | "agent_not_found" | "phone_number_not_found" | "conversation_not_found" => {
            ProviderErrorKind::NotFound
        }
        "invalid_content"
        | "duplicate_files"
        | "invalid_audio"
        | "invalid_audio_format"
        | "audio_too_short"
        | "audio_too_long"
        | "invalid_file_type"
        | "request_too_large" => ProviderErrorKind::SampleRefused,
        "voice_already_exists" | "already_running" | "concurrent_modification" => ProviderErrorKind::Conflict,
        "concurrent_limit_exceeded" | "too_many_concurrent_requests" => ProviderErrorKind::ConcurrencyLimited,
        "rate_limit_exceeded" | "system_busy" => ProviderErrorKind::RateLimited,
        "internal_error" | "service_unavailable" | "maintenance" => ProviderErrorKind::Server,
        _ => return None,
    };
    Some(kind)
}

#[cfg(test)]
mod tests;
