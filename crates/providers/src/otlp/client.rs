//! Sends spans to a collector. Which answers are worth a repetition is fixed by the OTLP specification ("OTLP/HTTP
//! Response").

use std::collections::VecDeque;
use std::time::Duration;

use awc::http::Method;
use precall_base::redact::redact;

use super::encode::{self, Rejected};
use super::settings::{CollectorSettings, Protocol};
use super::span::Span;
use crate::http_client::HttpClient;
use crate::http_exchange::{
    Body, Failure, FailureKind, Progress, Request, exchange, http_client, http_client_with, within,
};

const ANSWER_BYTES_MAX: usize = 64 * 1024;
const WORDS_MAX: usize = 200;

/// Client of one collector. Not `Send`: the thread that sends builds it.
pub struct Collector {
    client: HttpClient,
    settings: CollectorSettings,
}

/// The collector took the spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// How many of them it did not take after all (`partial_success`). They must not be sent again.
    pub rejected: i64,
    /// Its words about that.
    pub message: String,
}

/// The collector did not take the spans.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SendError {
    /// Why.
    pub kind: SendErrorKind,
    /// When to send again, by the collector's own words.
    pub retry_after: Option<Duration>,
    /// For people.
    pub message: String,
}

/// Why the collector did not take the spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendErrorKind {
    /// No connection, or it broke.
    Unreachable,
    /// No whole answer within the time limit.
    Timeout,
    /// The collector asks for a repetition: 429, 502, 503 or 504.
    Busy,
    /// It would refuse the same spans again, or the address is not that of a collector.
    Refused,
}

impl SendErrorKind {
    /// Name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Busy => "busy",
            Self::Refused => "refused",
        }
    }

    /// Whether the same spans may be sent again.
    #[must_use]
    pub fn is_passing(self) -> bool {
        match self {
            Self::Unreachable | Self::Timeout | Self::Busy => true,
            Self::Refused => false,
        }
    }
}

impl Collector {
    /// A client with its own connection pool.
    #[must_use]
    pub fn new(settings: CollectorSettings) -> Self {
        let client = match &settings.tls_roots {
            Some(roots) => http_client_with(roots),
            None => http_client(),
        };
        Self { client, settings }
    }

    /// Sends these spans, once. Without spans it asks whether a collector is there.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(&self, spans: &[Span]) -> Result<Sent, SendError> {
        let settings = &self.settings;
        let body = encode::request(settings.protocol, &settings.resource, spans);
        let body = body.map_err(|message| error(SendErrorKind::Refused, message))?;
        let content_type = match settings.protocol {
            Protocol::Protobuf => "application/x-protobuf",
            Protocol::Json => "application/json",
        };
        let request = Request {
            endpoint: None,
            method: Method::POST,
            url: settings.url.clone(),
            headers: settings.headers.clone(),
            body: Some(Body { content_type: content_type.to_owned(), parts: VecDeque::from([body]) }),
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let progress = Progress::new();
        let exchanged = exchange(&self.client, request, &progress);
        let answer = within(&self.client, settings.within, &progress, exchanged).await?;
        if answer.is_success() {
            let Rejected { spans, message } = encode::rejected(&answer.content_type, &answer.body);
            return Ok(Sent { rejected: spans, message: redact(&message, WORDS_MAX, &[]) });
        }
        let kind = match answer.status {
            429 | 502 | 503 | 504 => SendErrorKind::Busy,
            _ => SendErrorKind::Refused,
        };
        let message = format!("the collector answered with status {}", answer.status);
        Err(SendError { retry_after: answer.retry_after, ..error(kind, message) })
    }
}

fn error(kind: SendErrorKind, message: String) -> SendError {
    SendError { kind, retry_after: None, message }
}

impl From<Failure> for SendError {
    fn from(failure: Failure) -> Self {
        let kind = match failure.kind {
            FailureKind::Timeout => SendErrorKind::Timeout,
            FailureKind::Unreachable | FailureKind::Lost => SendErrorKind::Unreachable,
            FailureKind::Unwritable | FailureKind::Garbled => SendErrorKind::Refused,
        };
        error(kind, failure.message)
    }
}
