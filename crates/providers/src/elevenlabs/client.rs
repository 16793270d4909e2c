//! The ElevenLabs client: sends one request with the API key and returns a complete 2xx response, or the error.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use awc::http::Method;
use awc::http::header::{ACCEPT, DATE, HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use jiff::fmt::rfc2822::DateTimeParser;
use precall_call::At;
use url::Url;

use super::error::{ProviderError, ProviderErrorKind};
use super::request_body::Multipart;
use super::settings::Settings;
use crate::http_client::HttpClient;
use crate::http_exchange::{
    Body, Failure, FailureKind, Permit, Progress, Request, exchange, http_client, within,
};
use crate::request_watch::Endpoint;
use crate::trace_context::{TRACEPARENT, TraceParent};

/// Client of ElevenLabs. Not `Send`: each arbiter builds its own. Greetings and uploads have separate clients, so that
/// they do not wait for each other's connections.
#[derive(Clone)]
pub struct ElevenLabs {
    client: HttpClient,
    settings: Arc<Settings>,
    /// From the last response that had the header.
    concurrency_limit: Rc<Cell<Option<usize>>>,
    /// The `Date` of the last response.
    server_time: Rc<Cell<Option<At>>>,
    /// For requests that must be carried out at most once.
    permit: Option<Permit>,
}

/// Body of a request.
pub(super) enum RequestBody {
    Empty,
    Json(Bytes),
    /// JSON, with audio as the response.
    JsonForAudio(Bytes),
    Form(Multipart),
}

/// One request to the API.
pub(super) struct ApiRequest {
    pub endpoint: Endpoint,
    pub method: Method,
    pub url: Url,
    pub body: RequestBody,
    /// Longest body of a successful response; a longer one is an error.
    pub answer_bytes_max: usize,
    /// Deadline: waiting for a connection, sending, head and body together.
    pub within: Duration,
}

/// A complete 2xx response.
pub(super) struct ApiResponse {
    pub status: u16,
    /// In lower case; empty if the response has none.
    pub content_type: String,
    pub body: Bytes,
}

impl ApiResponse {
    /// The body as JSON of the expected shape.
    pub(super) fn json<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, ProviderError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // serde's text quotes the body, which may be personal.
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
    /// A client with its own connection pool. Call it on the arbiter that will use the client.
    #[must_use]
    pub fn new(settings: Arc<Settings>) -> Self {
        Self {
            client: http_client().watched(settings.watch()),
            settings,
            concurrency_limit: Rc::default(),
            server_time: Rc::default(),
            permit: None,
        }
    }

    /// Asks the permit before each dial and each new voice leaves.
    #[must_use]
    pub fn with_permit(self, permit: Permit) -> Self {
        Self { permit: Some(permit), ..self }
    }

    /// Concurrent requests that the provider allows this account; none until a response has told (header
    /// `maximum-concurrent-requests`, ElevenLabs facts, section 7).
    #[must_use]
    pub fn concurrency_limit(&self) -> Option<usize> {
        self.concurrency_limit.get()
    }

    /// The provider's clock at its last response, to the second; none until a response had a readable `Date`.
    #[must_use]
    pub fn server_time(&self) -> Option<At> {
        self.server_time.get()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sends a request and waits for a complete 2xx response. Dropping the future closes the connection.
    pub(super) async fn send(&self, request: ApiRequest) -> Result<ApiResponse, ProviderError> {
        self.send_traced(request, None).await
    }

    /// The same, for a request that belongs to the trace of a call.
    pub(super) async fn send_traced(
        &self,
        request: ApiRequest,
        trace: Option<TraceParent>,
    ) -> Result<ApiResponse, ProviderError> {
        self.send_as(request, trace, &Progress::new()).await
    }

    /// The same, for a request that must be carried out at most once.
    pub(super) async fn send_once(
        &self,
        request: ApiRequest,
        trace: Option<TraceParent>,
    ) -> Result<ApiResponse, ProviderError> {
        self.send_as(request, trace, &Progress::with(self.permit.clone())).await
    }

    async fn send_as(
        &self,
        request: ApiRequest,
        trace: Option<TraceParent>,
        progress: &Rc<Progress>,
    ) -> Result<ApiResponse, ProviderError> {
        let mut headers = vec![(HeaderName::from_static("xi-api-key"), self.settings.key_header())];
        let trace = trace.and_then(|trace| HeaderValue::try_from(trace.to_string()).ok());
        headers.extend(trace.map(|trace| (HeaderName::from_static(TRACEPARENT), trace)));
        if matches!(request.body, RequestBody::JsonForAudio(_)) {
            headers.push((ACCEPT, HeaderValue::from_static("*/*")));
        }
        let limit = request.within;
        let body = match request.body {
            RequestBody::Empty => None,
            RequestBody::Json(json) | RequestBody::JsonForAudio(json) => Some(Body::json(json)),
            RequestBody::Form(form) => {
                Some(Body { content_type: form.content_type(), parts: form.into_parts() })
            }
        };
        let http_request = Request {
            endpoint: Some(request.endpoint),
            method: request.method,
            url: request.url,
            headers,
            body,
            answer_bytes_max: request.answer_bytes_max,
        };
        let answered = exchange(&self.client, http_request, progress);
        let response = within(&self.client, limit, progress, answered).await?;
        if let Some(limit) = concurrency_limit(&response.headers) {
            self.concurrency_limit.set(Some(limit));
        }
        if let Some(time) = http_date(&response.headers) {
            self.server_time.set(Some(time));
        }
        if response.is_success() {
            return Ok(ApiResponse {
                status: response.status,
                content_type: response.content_type,
                body: response.body,
            });
        }
        let key = self.settings.key();
        Err(ProviderError::refused(response.status, &response.body, response.retry_after, &key))
    }
}

fn concurrency_limit(headers: &HeaderMap) -> Option<usize> {
    headers.get("maximum-concurrent-requests")?.to_str().ok()?.trim().parse().ok()
}

/// The header `Date`.
fn http_date(headers: &HeaderMap) -> Option<At> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let date = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(At(date.as_microsecond()))
}

impl From<Failure> for ProviderError {
    fn from(failure: Failure) -> Self {
        let kind = match failure.kind {
            FailureKind::Unreachable => ProviderErrorKind::Unreachable,
            FailureKind::Unwritable => ProviderErrorKind::Invalid,
            FailureKind::Lost => ProviderErrorKind::Lost,
            FailureKind::Timeout => ProviderErrorKind::Timeout,
            FailureKind::Garbled => ProviderErrorKind::Garbled,
        };
        let error = Self::ours(kind, failure.execution, failure.message);
        Self { status: failure.status, ..error }
    }
}

#[cfg(test)]
mod tests;
