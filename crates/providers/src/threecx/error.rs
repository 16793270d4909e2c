//! Errors of requests to the PBX, and whether the PBX may have carried out the request.

use std::fmt;

use super::access_token::NoToken;
use crate::http_exchange::{Execution, Failure, FailureKind};

/// Kind of an error. Closed list; the names are used in logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThreeCxErrorKind {
    /// No access token in time.
    NoToken,
    /// 401, also with a new token.
    Unauthorised,
    /// 403: the leg is not ours, or the API client lacks call control or the licence.
    Forbidden,
    /// 404: the DN, device or leg does not exist, or the address is not a v20 PBX.
    NotFound,
    /// 422: not possible now.
    NotApplicable,
    /// 424: no media yet.
    NotReady,
    /// 429.
    RateLimited,
    /// Another 4xx: an invalid request.
    Invalid,
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

impl ThreeCxErrorKind {
    /// The name in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::Unauthorised => "unauthorised",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::NotApplicable => "not_applicable",
            Self::NotReady => "not_ready",
            Self::RateLimited => "rate_limited",
            Self::Invalid => "invalid",
            Self::Server => "server",
            Self::Redirected => "redirected",
            Self::Unreachable => "unreachable",
            Self::Lost => "lost",
            Self::Timeout => "timeout",
            Self::Garbled => "garbled",
        }
    }

    pub(super) fn of_status(status: u16) -> Self {
        match status {
            300..=399 => Self::Redirected,
            401 => Self::Unauthorised,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            // Proxies in front of a PBX answer 408 when the PBX has the request and is slow.
            408 => Self::Timeout,
            422 => Self::NotApplicable,
            424 => Self::NotReady,
            429 => Self::RateLimited,
            400..=499 => Self::Invalid,
            500..=599 => Self::Server,
            _ => Self::Garbled,
        }
    }
}

/// A failed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreeCxError {
    /// Kind of the error.
    pub kind: ThreeCxErrorKind,
    /// Whether the PBX may have carried out the request.
    pub execution: Execution,
    /// The HTTP status; none without a response head.
    pub status: Option<u16>,
    /// For logs: at most 300 characters, without secrets and full telephone numbers.
    pub message: String,
}

impl ThreeCxError {
    /// Whether the leg is gone: 404, or 403, which the PBX answers for a leg that is not ours (any more).
    #[must_use]
    pub fn means_gone(&self) -> bool {
        matches!(self.kind, ThreeCxErrorKind::NotFound | ThreeCxErrorKind::Forbidden)
    }

    pub(super) fn of_status(status: u16, message: String) -> Self {
        let kind = ThreeCxErrorKind::of_status(status);
        let execution = match kind {
            ThreeCxErrorKind::Timeout => Execution::Maybe,
            _ if (400..500).contains(&status) => Execution::SurelyNot,
            _ => Execution::Maybe,
        };
        Self { kind, execution, status: Some(status), message }
    }

    pub(super) fn garbled(status: u16) -> Self {
        let message = "the answer is not the expected JSON".to_owned();
        let kind = ThreeCxErrorKind::Garbled;
        Self { kind, execution: Execution::Maybe, status: Some(status), message }
    }
}

impl From<Failure> for ThreeCxError {
    fn from(failed: Failure) -> Self {
        let kind = match failed.kind {
            FailureKind::Unreachable => ThreeCxErrorKind::Unreachable,
            FailureKind::Unwritable => ThreeCxErrorKind::Invalid,
            FailureKind::Lost => ThreeCxErrorKind::Lost,
            FailureKind::Timeout => ThreeCxErrorKind::Timeout,
            FailureKind::Garbled => ThreeCxErrorKind::Garbled,
        };
        Self { kind, execution: failed.execution, status: failed.status, message: failed.message }
    }
}

impl From<NoToken> for ThreeCxError {
    fn from(no: NoToken) -> Self {
        let (kind, execution) = (ThreeCxErrorKind::NoToken, Execution::SurelyNot);
        Self { kind, execution, status: None, message: no.to_string() }
    }
}

impl fmt::Display for ThreeCxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(status) = self.status {
            write!(f, ", status {status}")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ThreeCxError {}
