//! The findings of `precall check`: one line each, with what to change.

use std::fmt;

use precall_providers::elevenlabs::{ProviderError, ProviderErrorKind};
use serde::Serialize;

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It works.
    Ok,
    /// Calls work, but less well than configured; or the check could not look.
    Warning,
    /// Calls fail, or do less than configured, until it is changed.
    Wrong,
}

/// Result of one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It works.
    Good(String),
    /// It works, but.
    Note(String),
    /// It does not work until it is changed.
    Wrong(String),
}

/// One line of the check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub subject: &'static str,
    /// How it stands.
    pub level: Level,
    /// What was found, and what to change.
    pub text: String,
}

impl Judgement {
    pub(super) fn of(self, subject: &'static str) -> Finding {
        let (level, text) = match self {
            Self::Good(text) => (Level::Ok, text),
            Self::Note(text) => (Level::Warning, text),
            Self::Wrong(text) => (Level::Wrong, text),
        };
        Finding { subject, level, text }
    }

    /// For a request that ElevenLabs did not answer with success. `what` is what the request asks for, `missing` what
    /// to do when that does not exist.
    pub(super) fn refused(error: &ProviderError, what: &str, missing: &str) -> Self {
        match error.kind {
            _ if error.lacks_permission() => Self::Note(format!(
                "not looked at: the API key lacks a permission ({error}). Calls may work; give the key this \
                 permission, or check with another one"
            )),
            ProviderErrorKind::Unauthorised => {
                Self::Wrong(format!("ElevenLabs refuses the key ({error}): correct ELEVENLABS_API_KEY"))
            }
            ProviderErrorKind::NotFound => Self::Wrong(format!("{what} does not exist ({error}): {missing}")),
            ProviderErrorKind::Timeout
            | ProviderErrorKind::Unreachable
            | ProviderErrorKind::Lost
            | ProviderErrorKind::Garbled
            | ProviderErrorKind::Redirected => Self::Wrong(format!(
                "no valid answer from ElevenLabs ({error}): check ELEVENLABS_API_BASE, DNS, firewall and proxy"
            )),
            ProviderErrorKind::Forbidden
            | ProviderErrorKind::Payment
            | ProviderErrorKind::SlotsFull
            | ProviderErrorKind::SampleRefused
            | ProviderErrorKind::Invalid
            | ProviderErrorKind::Conflict
            | ProviderErrorKind::Declined
            | ProviderErrorKind::ConcurrencyLimited
            | ProviderErrorKind::RateLimited
            | ProviderErrorKind::Server => Self::Wrong(format!("ElevenLabs does not show {what} ({error})")),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.level {
            Level::Ok => "ok     ",
            Level::Warning => "warning ",
            Level::Wrong => "WRONG  ",
        };
        write!(f, "{word}{}: {}", self.subject, self.text)
    }
}
