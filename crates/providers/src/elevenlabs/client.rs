//! The client of ElevenLabs: one request and its complete success under one deadline.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use awc::Client;
use awc::http::Method;
use awc::http::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use url::Url;

use super::error::{ProviderError, ProviderErrorKind};
use super::request_body::Multipart;
use super::settings::Settings;
use crate::http_exchange::{Body, Failed, FailedKind, Progress, Request, client, exchange, within};

/// The client. Not `Send`: each arbiter builds its own, where it will live, and those that must not wait for each other
/// (greetings and uploads) have one each.
#[derive(Clone)]
pub struct ElevenLabs {
    client: Client,
    settings: Arc<Settings>,
    /// As the last answer that said so has it.
    at_once_max: Rc<Cell<Option<usize>>>,
}

/// What is sent.
pub(super) enum Outgoing {
    Nothing,
    Json(Bytes),
    /// JSON whose answer is sound.
    JsonForSound(Bytes),
    Form(Multipart),
}

/// One request.
pub(super) struct Ask {
    pub method: Method,
    pub url: Url,
    pub outgoing: Outgoing,
    /// A success whose body is larger is an error.
    pub answer_bytes_max: usize,
    /// Covers the wait for a connection, the request, the head and the body.
    pub within: Duration,
}

/// A complete 2xx answer.
pub(super) struct Answer {
    pub status: u16,
    /// As the provider wrote it, in lower case; empty when it did not.
    pub content_type: String,
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON of the expected shape.
    pub(super) fn json<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, ProviderError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // serde's own text quotes what it read, which may be anything.
            let place = format!(
                "the answer is not the expected JSON (line {}, column {})",
                error.line(),
                error.column()
            );
            ProviderError::garbled(self.status, place)
        })
    }
}

impl ElevenLabs {
    /// A client with a pool of its own. To be called on the arbiter that will use it.
    #[must_use]
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { client: client(), settings, at_once_max: Rc::default() }
    }

    /// How many requests the provider allows this account at once, as far as it has said (`maximum-concurrent-requests`, ElevenLabs facts,
    /// section 7).
    #[must_use]
    pub fn at_once_max(&self) -> Option<usize> {
        self.at_once_max.get()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sends and waits for a complete success. Dropping the future closes the connection.
    pub(super) async fn exchange(&self, ask: Ask) -> Result<Answer, ProviderError> {
        let mut headers = vec![(HeaderName::from_static("xi-api-key"), self.settings.key_header())];
        if matches!(ask.outgoing, Outgoing::JsonForSound(_)) {
            headers.push((ACCEPT, HeaderValue::from_static("*/*")));
        }
        let body = match ask.outgoing {
            Outgoing::Nothing => None,
            Outgoing::Json(json) | Outgoing::JsonForSound(json) => Some(Body::json(json)),
            Outgoing::Form(form) => {
                Some(Body { content_type: form.content_type(), parts: form.into_parts() })
            }
        };
        let request = Request {
            method: ask.method,
            url: ask.url,
            headers,
            body,
            answer_bytes_max: ask.answer_bytes_max,
        };
        let progress = Progress::new();
        let answered = within(ask.within, &progress, exchange(&self.client, request, &progress)).await?;
        if let Some(most) = at_once_max(&answered.headers) {
            self.at_once_max.set(Some(most));
        }
        if answered.is_success() {
            return Ok(Answer {
                status: answered.status,
                content_type: answered.content_type,
                body: answered.body,
            });
        }
        let key = self.settings.key();
        Err(ProviderError::refused(answered.status, &answered.body, answered.retry_after, key))
    }
}

fn at_once_max(headers: &HeaderMap) -> Option<usize> {
    headers.get("maximum-concurrent-requests")?.to_str().ok()?.trim().parse().ok()
}

impl From<Failed> for ProviderError {
    fn from(failed: Failed) -> Self {
        let kind = match failed.kind {
            FailedKind::Unreachable => ProviderErrorKind::Unreachable,
            FailedKind::Unwritable => ProviderErrorKind::Invalid,
            FailedKind::Lost => ProviderErrorKind::Lost,
            FailedKind::Timeout => ProviderErrorKind::Timeout,
            FailedKind::Garbled => ProviderErrorKind::Garbled,
        };
        let error = Self::ours(kind, failed.execution, failed.message);
        Self { status: failed.status, ..error }
    }
}

#[cfg(test)]
mod tests;
