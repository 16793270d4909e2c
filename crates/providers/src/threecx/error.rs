//! What can go wrong with a request to the PBX, and whether it may have been carried out all the same.

use std::fmt;

use super::access_token::NoToken;
use crate::http_exchange::{Execution, Failure, FailureKind};

/// Why. Closed; the names are for logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThreeCxErrorKind {
    /// There was no access token in time.
    NoToken,
    /// 401, and again with a new token.
    Unauthorised,
    /// 403: not ours to see or to control, or the client lacks call control or its licence.
    Forbidden,
    /// 404: no such DN, device or leg, or no longer; or no v20 PBX there.
    NotFound,
    /// 422: the PBX cannot do that now.
    NotApplicable,
    /// 424: no media yet.
    NotReady,
    /// 429.
    RateLimited,
    /// Another 4xx: a request that the PBX cannot take.
    Invalid,
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

impl ThreeCxErrorKind {
    /// The one name used in logs and metrics.
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
            // Proxies in front of a PBX say so when the PBX has the request and is slow.
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

/// A request that did not bring what it was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreeCxError {
    /// Why.
    pub kind: ThreeCxErrorKind,
    /// Whether it may have been carried out.
    pub execution: Execution,
    /// The HTTP status, if a head came back.
    pub status: Option<u16>,
    /// For a person: at most 300 characters, without secrets and full numbers.
    pub message: String,
}

impl ThreeCxError {
    /// Whether the PBX says that the leg is not there: 404, or 403, which it answers for a leg that is not (or no longer) ours.
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
