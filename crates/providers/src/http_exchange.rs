//! One HTTP request and its response, for the clients of all providers. On failure it tells whether the provider may
//! have carried out the request.
//!
//! awc reports `Connect(Disconnected)` also when a connection closes *after* the request was sent, so its error alone
//! does not tell. The body does: awc pulls it only once it holds a connection, and a request whose last byte was not
//! pulled was never complete at the provider.

use std::cell::Cell;
use std::collections::VecDeque;
use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use awc::body::{BodySize, MessageBody};
use awc::error::{ConnectError, SendRequestError};
use awc::http::header::{
    ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use awc::http::{Method, Version};
use awc::{Client, Connector};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use url::Url;

use crate::body_progress::BodyProgress;
use crate::http_client::HttpClient;
use crate::request_watch::{Endpoint, RequestEnd};
use crate::tls_roots::TlsRoots;
use crate::wire_record::{OpenRequest, Way, WireLine};

/// Limit of each step of connecting (name resolution, TCP, TLS), whatever the whole deadline is.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Connections of one client, in use or idle; further requests wait within their deadline.
const CONNECTIONS_MAX: usize = 100;
/// How long an idle connection is kept: a new TLS connection costs more than the rest of a request.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(600);
/// Longest error body that is read.
const ERROR_BYTES_MAX: usize = 64 * 1024;
/// Bytes handed to the connection at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// Whether the provider may have carried out a request. A voice is added or a call dialled again only after
/// `SurelyNot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Execution {
    /// The request never reached the provider whole, or the provider refused it.
    SurelyNot,
    /// The request was sent and the outcome is unknown: look it up.
    Maybe,
}

impl Execution {
    /// The name in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SurelyNot => "surely_not",
            Self::Maybe => "maybe",
        }
    }
}

/// One request.
pub(super) struct Request {
    /// Its name in metrics and in the record of a call; none for a peer that has neither.
    pub endpoint: Option<Endpoint>,
    pub method: Method,
    pub url: Url,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Option<Body>,
    /// Longest body of a successful response; a longer one is an error.
    pub answer_bytes_max: usize,
}

/// Body of a request.
pub(super) struct Body {
    pub content_type: String,
    pub parts: VecDeque<Bytes>,
}

impl Body {
    pub(super) fn json(json: impl Into<Bytes>) -> Self {
        Self { content_type: "application/json".to_owned(), parts: VecDeque::from([json.into()]) }
    }
}

/// A complete response of any status.
pub(super) struct Response {
    pub status: u16,
    /// In lower case; empty if the response has none.
    pub content_type: String,
    pub body: Bytes,
    pub retry_after: Option<Duration>,
    pub headers: HeaderMap,
}

impl Response {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header's value; none if it is missing or not text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// There was no complete response.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub kind: FailureKind,
    pub execution: Execution,
    /// Set if the head arrived and the body did not.
    pub status: Option<u16>,
    /// For logs; contains nothing of the request.
    pub message: String,
}

/// Why there was no complete response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// No connection: name resolution, network or TLS failed.
    Unreachable,
    /// The request is not valid HTTP.
    Unwritable,
    /// The connection broke during the request or the response.
    Lost,
    /// The deadline passed.
    Timeout,
    /// The response is not HTTP, or too large.
    Garbled,
}

/// An HTTP client with its own pool and Mozilla's root certificates. Call it on the arbiter that will use the client.
pub(super) fn http_client() -> HttpClient {
    HttpClient::new(|| build_client(None))
}

/// The same with these root certificates.
pub(super) fn http_client_with(roots: &TlsRoots) -> HttpClient {
    let roots = roots.clone();
    HttpClient::new(move || build_client(Some(&roots)))
}

fn build_client(roots: Option<&TlsRoots>) -> Client {
    let connector = Connector::new()
        // HTTP/1.1: awc's HTTP/2 sends a stray request when it drops one, and a WebSocket does not open over it.
        .max_http_version(Version::HTTP_11)
        .timeout(CONNECT_MAX)
        .handshake_timeout(CONNECT_MAX)
        .limit(CONNECTIONS_MAX)
        .conn_keep_alive(KEEP_ALIVE)
        .conn_lifetime(CONNECTION_AGE_MAX);
    // After the version: setting the version replaces the TLS configuration.
    let connector = match roots {
        Some(roots) => connector.rustls_0_23(roots.config()),
        None => connector,
    };
    Client::builder()
        .connector(connector)
        // awc's timeout covers the head only; `within` covers the whole exchange.
        .disable_timeout()
        .disable_redirects()
        .no_default_headers()
        .add_default_header((USER_AGENT, concat!("precall/", env!("CARGO_PKG_VERSION"))))
        .add_default_header((ACCEPT, "application/json"))
        .finish()
}

/// Applies one deadline to an exchange: waiting for a connection, sending, head and body together. After it the kept
/// connections of the client are let go: one of them may be dead, and so may be the others.
pub(super) async fn within<T, E: From<Failure>>(
    client: &HttpClient,
    limit: Duration,
    progress: &Progress,
    exchange: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match tokio::time::timeout(limit, exchange).await {
        Ok(outcome) => outcome,
        Err(_) => {
            client.renew();
            let message = format!("no complete answer within {} ms", limit.as_millis());
            let (kind, execution) = (FailureKind::Timeout, progress.execution());
            Err(Failure { kind, execution, status: progress.status.get(), message }.into())
        }
    }
}

/// Sends a request and waits for the complete response. Dropping the future closes the connection.
pub(super) async fn exchange(
    client: &HttpClient,
    request: Request,
    progress: &Rc<Progress>,
) -> Result<Response, Failure> {
    let open =
        request.endpoint.and_then(|endpoint| OpenRequest::begin(|| wire_line(endpoint.peer(), &request)));
    let watched = client.watch().zip(request.endpoint).map(|(watch, endpoint)| watch.begin(endpoint));
    let answered = send_and_read(client, request, progress).await;
    if let Some(watched) = watched {
        watched.ended(end_of(&answered));
    }
    if let Some(open) = open {
        match &answered {
            Ok(response) => open.answered(response.status, response.header("request-id"), &response.body),
            Err(failure) => open.failed(failure.status, &failure.message),
        }
    }
    answered
}

/// The request as the record of a call shows it.
fn wire_line(peer: &'static str, request: &Request) -> WireLine {
    let what = format!("{} {}", request.method, request.url.path());
    let Some(body) = &request.body else { return WireLine::new(peer, Way::Sent, &what) };
    match (body.content_type.starts_with("application/json"), body.parts.front()) {
        (true, Some(json)) if body.parts.len() == 1 => WireLine::sent(peer, &what, json),
        _ => {
            let bytes: usize = body.parts.iter().map(Bytes::len).sum();
            WireLine { sent: Some(format!("({bytes} bytes)")), ..WireLine::new(peer, Way::Sent, &what) }
        }
    }
}

fn end_of(answered: &Result<Response, Failure>) -> RequestEnd {
    match answered {
        Ok(response) => RequestEnd::Status(response.status),
        Err(failure) => match failure.kind {
            FailureKind::Unreachable => RequestEnd::Unreachable,
            FailureKind::Timeout => RequestEnd::Unanswered,
            FailureKind::Lost | FailureKind::Unwritable | FailureKind::Garbled => RequestEnd::Lost,
        },
    }
}

async fn send_and_read(
    client: &HttpClient,
    request: Request,
    progress: &Rc<Progress>,
) -> Result<Response, Failure> {
    let client = client.lease();
    progress.begin(request.body.is_some());
    let has_answer_body = request.method != Method::HEAD;
    let mut builder = client.request(request.method, request.url.as_str());
    for header in request.headers {
        builder = builder.insert_header(header);
    }
    let sending = match request.body {
        Some(body) => builder
            .insert_header((CONTENT_TYPE, body.content_type))
            .send_body(TrackedBody::new(body.parts, Rc::clone(progress))),
        None => builder.send(),
    };
    let mut response = sending.await.map_err(|error| send_error(&error, progress))?;
    let status = response.status().as_u16();
    progress.status.set(Some(status));
    let limit = if response.status().is_success() { request.answer_bytes_max } else { ERROR_BYTES_MAX };
    // The response to a HEAD announces the length that a GET would have.
    let announced = content_length(response.headers()).filter(|_| has_answer_body);
    let retry_after = retry_after(response.headers());
    let content_type = content_type(response.headers());
    let headers = response.headers().clone();

    let mut received = BytesMut::new();
    let mut body = BodyProgress::new(Instant::now());
    loop {
        let Ok(chunk) = tokio::time::timeout_at(body.deadline().into(), response.next()).await else {
            return Err(at_status(status, FailureKind::Timeout, "the answer stopped before its end"));
        };
        let Some(chunk) = chunk else { break };
        let lost = |_| at_status(status, FailureKind::Lost, "the connection broke inside the answer");
        let chunk = chunk.map_err(lost)?;
        if received.len().saturating_add(chunk.len()) > limit {
            let message = format!("the answer is larger than {limit} bytes");
            return Err(at_status(status, FailureKind::Garbled, message));
        }
        received.extend_from_slice(&chunk);
        body.received(chunk.len(), Instant::now());
    }
    // awc reports no error when the connection closes before the announced end.
    if announced.is_some_and(|announced| announced != received.len()) {
        return Err(at_status(status, FailureKind::Lost, "the connection closed inside the answer"));
    }
    Ok(Response { status, content_type, body: received.freeze(), retry_after, headers })
}

/// Whether a request that must be carried out at most once may still leave. Asked for each piece of its body, so that
/// no wait for a connection lies between the answer and the last byte.
pub type Permit = Arc<dyn Fn() -> bool + Send + Sync>;

/// How much of a request was sent; read when its deadline has passed.
pub(super) struct Progress {
    sent: Cell<Sent>,
    status: Cell<Option<u16>>,
    permit: Option<Permit>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// It has no body, so sending cannot be observed.
    Untracked,
    /// Part of the body was not yet handed to the connection.
    Incomplete,
    /// The connection has the whole body.
    Complete,
}

impl Progress {
    /// For a request that was not sent yet.
    pub(super) fn new() -> Rc<Self> {
        Self::with(None)
    }

    /// The same, with a permit.
    pub(super) fn with(permit: Option<Permit>) -> Rc<Self> {
        Rc::new(Self { sent: Cell::new(Sent::Incomplete), status: Cell::new(None), permit })
    }

    fn may_leave(&self) -> bool {
        self.permit.as_ref().is_none_or(|permit| permit())
    }

    fn begin(&self, has_body: bool) {
        self.sent.set(if has_body { Sent::Incomplete } else { Sent::Untracked });
        self.status.set(None);
    }

    /// The provider refused the request; a repetition starts from zero.
    pub(super) fn refused(&self) {
        self.begin(true);
    }

    fn execution(&self) -> Execution {
        match self.sent.get() {
            Sent::Incomplete => Execution::SurelyNot,
            Sent::Untracked | Sent::Complete => Execution::Maybe,
        }
    }
}

/// The permit of a request ended before its last byte.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not sent: another precall may be the leader")]
struct NotPermitted;

/// A body of known length that records when its last byte was taken.
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
    type Error = NotPermitted;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.length)
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, NotPermitted>>> {
        let this = self.get_mut();
        let Some(front) = this.parts.front_mut() else { return Poll::Ready(None) };
        if !this.progress.may_leave() {
            return Poll::Ready(Some(Err(NotPermitted)));
        }
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

/// Why a WebSocket upgrade got no response.
pub(super) fn connect_error(error: &SendRequestError) -> Failure {
    send_error(error, &Progress { sent: Cell::new(Sent::Untracked), status: Cell::new(None), permit: None })
}

fn send_error(error: &SendRequestError, progress: &Progress) -> Failure {
    use FailureKind as Kind;
    let (kind, message) = match error {
        SendRequestError::Connect(ConnectError::Disconnected) => {
            (Kind::Lost, "the connection closed before an answer")
        }
        SendRequestError::Connect(ConnectError::Timeout) => (Kind::Unreachable, "connecting took too long"),
        SendRequestError::Connect(ConnectError::Resolver(_) | ConnectError::NoRecords) => {
            (Kind::Unreachable, "the host name cannot be resolved")
        }
        SendRequestError::Connect(_) => (Kind::Unreachable, "no connection"),
        // awc reports a reset while it waits for the head as a parse error with the I/O error inside.
        SendRequestError::Response(cause) if cause.source().is_some_and(|cause| cause.is::<io::Error>()) => {
            (Kind::Lost, "the connection broke before an answer")
        }
        SendRequestError::Response(_) => (Kind::Garbled, "the answer is not HTTP"),
        SendRequestError::Timeout => (Kind::Timeout, "no answer in time"),
        SendRequestError::Url(_) | SendRequestError::Http(_) => {
            (Kind::Unwritable, "the request cannot be written")
        }
        SendRequestError::Body(_) => (Kind::Lost, "not sent: another precall may be the leader"),
        SendRequestError::Send(_)
        | SendRequestError::H2(_)
        | SendRequestError::TunnelNotSupported
        | SendRequestError::Custom(_, _) => (Kind::Lost, "the connection broke"),
        // awc may add variants; `progress` decides about `execution`.
        _ => (Kind::Lost, "the request failed"),
    };
    let execution = match kind {
        // Nothing was sent.
        Kind::Unreachable | Kind::Unwritable => Execution::SurelyNot,
        Kind::Lost | Kind::Timeout | Kind::Garbled => progress.execution(),
    };
    let message = match error {
        // The operating system's text ("refused", "reset") contains nothing of the request.
        SendRequestError::Connect(ConnectError::Io(cause)) | SendRequestError::Send(cause) => {
            format!("{message}: {cause}")
        }
        _ => message.to_owned(),
    };
    Failure { kind, execution, status: None, message }
}

/// The head arrived, the body did not: the outcome is unknown, whatever the status.
fn at_status(status: u16, kind: FailureKind, message: impl Into<String>) -> Failure {
    Failure { kind, execution: Execution::Maybe, status: Some(status), message: message.into() }
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

fn content_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    text.map(str::to_ascii_lowercase).unwrap_or_default()
}

/// Seconds only; the header's date form would need a clock in step with the provider's.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
