//! One request and its answer under one deadline, and the one question that matters when it fails: can it have been carried
//! out?
//!
//! awc says `Connect(Disconnected)` when a connection closes *after* the request was sent, so its error alone does not tell.
//! The body does: awc pulls it only once it holds a connection, and a request whose last byte was not pulled was never whole.

use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use awc::body::{BodySize, MessageBody};
use awc::error::{ConnectError, SendRequestError};
use awc::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};
use awc::http::{Method, Version};
use awc::{Client, ClientRequest, Connector};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use url::Url;

use super::body::Multipart;
use super::error::{Execution, ProviderError, ProviderErrorKind};
use super::settings::Settings;

/// Name, network and TLS each have to be there within this, whatever the whole deadline is.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Connections of one client, in use or waiting in the pool; further requests queue within their deadline.
const CONNECTIONS_MAX: usize = 100;
/// An idle connection is kept so long: a cold TLS connect costs more than all the rest of a request.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(600);
/// An error body larger than this explains nothing.
const ERROR_BYTES_MAX: usize = 64 * 1024;
/// What is handed to the connection at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// The client. Not `Send`: each arbiter builds its own, where it will live, and those that must not wait for each other
/// (greetings and uploads) have one each.
#[derive(Clone)]
pub struct ElevenLabs {
    client: Client,
    settings: Arc<Settings>,
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
        let connector = Connector::new()
            // One request a connection: what is tested is what runs, and awc's HTTP/2 sends a stray request when it drops one.
            .max_http_version(Version::HTTP_11)
            .timeout(CONNECT_MAX)
            .handshake_timeout(CONNECT_MAX)
            .limit(CONNECTIONS_MAX)
            .conn_keep_alive(KEEP_ALIVE)
            .conn_lifetime(CONNECTION_AGE_MAX);
        let client = Client::builder()
            .connector(connector)
            // awc's timeout ends with the head; ours covers the whole exchange.
            .disable_timeout()
            .disable_redirects()
            .no_default_headers()
            .add_default_header((USER_AGENT, concat!("precall/", env!("CARGO_PKG_VERSION"))))
            .add_default_header((ACCEPT, "application/json"))
            .finish();
        Self { client, settings }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sends and waits for a complete success. Dropping the future closes the connection.
    pub(super) async fn exchange(&self, ask: Ask) -> Result<Answer, ProviderError> {
        let request = self
            .client
            .request(ask.method, ask.url.as_str())
            .insert_header(("xi-api-key", self.settings.key_header()));
        let (request, body) = match ask.outgoing {
            Outgoing::Nothing => (request, None),
            Outgoing::Json(json) => {
                (request.insert_header((CONTENT_TYPE, "application/json")), Some(VecDeque::from([json])))
            }
            Outgoing::JsonForSound(json) => {
                let json_in = request.insert_header((CONTENT_TYPE, "application/json"));
                (json_in.insert_header((ACCEPT, "*/*")), Some(VecDeque::from([json])))
            }
            Outgoing::Form(form) => {
                (request.insert_header((CONTENT_TYPE, form.content_type())), Some(form.into_parts()))
            }
        };
        let progress = Progress { sent: Cell::new(Sent::of(body.is_some())), status: Cell::new(None) };
        let progress = Rc::new(progress);
        let whole = self.run(request, body, ask.answer_bytes_max, Rc::clone(&progress));
        match tokio::time::timeout(ask.within, whole).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let message = format!("no complete answer within {} ms", ask.within.as_millis());
                let error = ProviderError::ours(ProviderErrorKind::Timeout, progress.execution(), message);
                Err(ProviderError { status: progress.status.get(), ..error })
            }
        }
    }

    async fn run(
        &self,
        request: ClientRequest,
        body: Option<VecDeque<Bytes>>,
        answer_bytes_max: usize,
        progress: Rc<Progress>,
    ) -> Result<Answer, ProviderError> {
        let sending = match body {
            Some(parts) => request.send_body(TrackedBody::new(parts, Rc::clone(&progress))),
            None => request.send(),
        };
        let mut response = sending.await.map_err(|error| send_error(&error, &progress))?;
        let status = response.status().as_u16();
        progress.status.set(Some(status));
        let good = response.status().is_success();
        let limit = if good { answer_bytes_max } else { ERROR_BYTES_MAX };
        let promised = content_length(response.headers());
        let retry_after = retry_after(response.headers());
        let content_type = content_type(response.headers());

        let mut received = BytesMut::new();
        while let Some(chunk) = response.next().await {
            let lost =
                |_| at_status(status, ProviderErrorKind::Lost, "the connection broke inside the answer");
            let chunk = chunk.map_err(lost)?;
            if received.len().saturating_add(chunk.len()) > limit {
                let message = format!("the answer is larger than {limit} bytes");
                return Err(at_status(status, ProviderErrorKind::Garbled, message));
            }
            received.extend_from_slice(&chunk);
        }
        // awc ends the body quietly when the connection closes early.
        if promised.is_some_and(|promised| promised != received.len()) {
            return Err(at_status(
                status,
                ProviderErrorKind::Lost,
                "the connection closed inside the answer",
            ));
        }
        let body = received.freeze();
        if good {
            return Ok(Answer { status, content_type, body });
        }
        Err(ProviderError::refused(status, &body, retry_after, self.settings.key()))
    }
}

/// How far a request had come.
struct Progress {
    sent: Cell<Sent>,
    status: Cell<Option<u16>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// It has no body, so nobody watched it leave.
    Unwatched,
    /// Some of its body is still here.
    Incomplete,
    /// The connection has all of it.
    Complete,
}

impl Sent {
    fn of(has_body: bool) -> Self {
        if has_body { Self::Incomplete } else { Self::Unwatched }
    }
}

impl Progress {
    fn execution(&self) -> Execution {
        match self.sent.get() {
            Sent::Incomplete => Execution::SurelyNot,
            Sent::Unwatched | Sent::Complete => Execution::Maybe,
        }
    }
}

/// A body of known length that notes when its last byte was taken.
struct TrackedBody {
    parts: VecDeque<Bytes>,
    length: u64,
    progress: Rc<Progress>,
}

impl TrackedBody {
    fn new(mut parts: VecDeque<Bytes>, progress: Rc<Progress>) -> Self {
        parts.retain(|part| !part.is_empty());
        let length = parts
            .iter()
            .map(Bytes::len)
            .fold(0_u64, |sum, len| sum.saturating_add(u64::try_from(len).unwrap_or(u64::MAX)));
        Self { parts, length, progress }
    }
}

impl MessageBody for TrackedBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.length)
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = self.get_mut();
        let Some(front) = this.parts.front_mut() else { return Poll::Ready(None) };
        let chunk = front.split_to(front.len().min(CHUNK_BYTES));
        if front.is_empty() {
            this.parts.pop_front();
        }
        if this.parts.is_empty() {
            this.progress.sent.set(Sent::Complete);
        }
        Poll::Ready(Some(Ok(chunk)))
    }
}

fn send_error(error: &SendRequestError, progress: &Progress) -> ProviderError {
    use ProviderErrorKind as Kind;
    let (kind, message) = match error {
        SendRequestError::Connect(ConnectError::Disconnected) => {
            (Kind::Lost, "the connection closed before an answer")
        }
        SendRequestError::Connect(ConnectError::Timeout) => (Kind::Unreachable, "connecting took too long"),
        SendRequestError::Connect(ConnectError::Resolver(_) | ConnectError::NoRecords) => {
            (Kind::Unreachable, "the host name cannot be resolved")
        }
        SendRequestError::Connect(_) => (Kind::Unreachable, "no connection"),
        // A reset while waiting for the head comes as a parse error with the system's error inside.
        SendRequestError::Response(cause) if cause.source().is_some_and(|cause| cause.is::<io::Error>()) => {
            (Kind::Lost, "the connection broke before an answer")
        }
        SendRequestError::Response(_) => (Kind::Garbled, "the answer is not HTTP"),
        SendRequestError::Timeout => (Kind::Timeout, "no answer in time"),
        SendRequestError::Url(_) | SendRequestError::Http(_) => {
            (Kind::Invalid, "the request cannot be written")
        }
        SendRequestError::Send(_)
        | SendRequestError::H2(_)
        | SendRequestError::TunnelNotSupported
        | SendRequestError::Body(_)
        | SendRequestError::Custom(_, _) => (Kind::Lost, "the connection broke"),
        // awc may add to its list; the body tells what matters.
        _ => (Kind::Lost, "the request failed"),
    };
    let execution = match kind {
        // Nothing left this machine, whether or not anybody watched.
        Kind::Unreachable | Kind::Invalid => Execution::SurelyNot,
        _ => progress.execution(),
    };
    let detail = match error {
        // The operating system's word ("refused", "reset") holds nothing of ours.
        SendRequestError::Connect(ConnectError::Io(cause)) | SendRequestError::Send(cause) => {
            format!("{message}: {cause}")
        }
        _ => message.to_owned(),
    };
    ProviderError::ours(kind, execution, detail)
}

/// The head came, the body did not: what happened is not settled, whatever the status.
fn at_status(status: u16, kind: ProviderErrorKind, message: impl Into<String>) -> ProviderError {
    let error = ProviderError::ours(kind, Execution::Maybe, message);
    ProviderError { status: Some(status), ..error }
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

fn content_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    text.map(str::to_ascii_lowercase).unwrap_or_default()
}

/// Seconds only; the other form of this header is a date, which needs a clock that agrees with theirs.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
