//! Errors of requests to ElevenLabs, and whether the provider may have carried out the request.

use std::fmt;
use std::time::Duration;

use precall_base::redact::redact;

use super::error_body::{ErrorText, redact_text};
use super::settings::ApiKey;
pub use crate::http_exchange::Execution;

/// Longest message; it is for logs.
const MESSAGE_CHARS_MAX: usize = 300;
const CODE_CHARS_MAX: usize = 64;
/// Longest `retry-after` that is used; a longer one is cut to this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Kind of an error. Closed list; the names are used in logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderErrorKind {
    /// The API key is wrong or missing.
    Unauthorised,
    /// The API key lacks a permission, or the account is blocked.
    Forbidden,
    /// Credits, quota or plan do not allow the request.
    Payment,
    /// No free voice slot in the account (`voice_limit_reached`).
    SlotsFull,
    /// No such voice, agent, number or conversation.
    NotFound,
    /// The recording cannot be cloned.
    SampleRefused,
    /// Another request that the provider rejects as invalid.
    Invalid,
    /// The name is taken, or the same operation is running.
    Conflict,
    /// `success: false`.
    Declined,
    /// Too many concurrent requests; possible again when one of ours ends.
    ConcurrencyLimited,
    /// Too many requests per time, or the provider is busy.
    RateLimited,
    /// A 5xx response.
    Server,
    /// A redirect, which precall never follows.
    Redirected,
    /// No connection: name resolution, network or TLS failed.
    Unreachable,
    /// The connection broke during the request or the response.
    Lost,
    /// The deadline passed.
    Timeout,
    /// A response that cannot be parsed, or is too large.
    Garbled,
}

impl ProviderErrorKind {
    /// The name in logs and metrics.
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

/// A failed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderError {
    /// Kind of the error.
    pub kind: ProviderErrorKind,
    /// Whether the provider may have carried out the request.
    pub execution: Execution,
    /// The HTTP status; none without a response head.
    pub status: Option<u16>,
    /// The provider's error code, or its older status word.
    pub code: Option<String>,
    /// For logs: at most 300 characters, without the API key and full telephone numbers.
    pub message: String,
    /// The provider's `retry-after`, at most one hour.
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
    /// Whether the request may be repeated without a look-up.
    #[must_use]
    pub fn may_be_sent_again(&self) -> bool {
        self.execution == Execution::SurelyNot
    }

    /// Whether waiting can help: limits and outages, not refusals.
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

    /// Whether the key lacks a permission, while the account is not blocked.
    #[must_use]
    pub fn lacks_permission(&self) -> bool {
        let code = self.code.as_deref();
        self.kind == ProviderErrorKind::Forbidden
            && matches!(code, Some("missing_permissions" | "insufficient_permissions"))
    }

    /// An error without an error response of the provider.
    pub(super) fn ours(kind: ProviderErrorKind, execution: Execution, message: impl Into<String>) -> Self {
        Self { kind, execution, status: None, code: None, message: message.into(), retry_after: None }
    }

    /// The error of a complete response that is not 2xx.
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

    /// A 2xx response with an unexpected body. `message` may repeat a value of it.
    pub(super) fn garbled(status: u16, message: impl Into<String>) -> Self {
        let message = redact(&message.into(), MESSAGE_CHARS_MAX, &[]);
        let error = Self::ours(ProviderErrorKind::Garbled, Execution::Maybe, message);
        Self { status: Some(status), ..error }
    }

    /// A 2xx response with `success: false`: the provider did nothing.
    pub(super) fn declined(status: u16, message: &str, key: &ApiKey) -> Self {
        let message = redact_text(message, MESSAGE_CHARS_MAX, key);
        let error = Self::ours(ProviderErrorKind::Declined, Execution::SurelyNot, message);
        Self { status: Some(status), ..error }
    }
}

/// A 4xx is a refusal, except 408: proxies send it also when the provider has the request and is slow.
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

/// The provider's code decides before the status: a wrong key can be 400, an exhausted quota 401 (ElevenLabs facts,
/// section 1).
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
