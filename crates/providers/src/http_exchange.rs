//! One request and its answer, and the one question that matters when it fails: can it have been carried out?
//!
//! awc says `Connect(Disconnected)` when a connection closes *after* the request was sent, so its error alone does not tell.
//! The body does: awc pulls it only once it holds a connection, and a request whose last byte was not pulled was never whole.

use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

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

use crate::tls_roots::Trust;

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

/// Whether what was asked for may have happened. Only after `SurelyNot` may a voice be added or a call dialled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Execution {
    /// The request was never complete at the provider, or the provider said no.
    SurelyNot,
    /// It was sent and the answer does not settle it: look it up.
    Maybe,
}

/// One request.
pub(super) struct Request {
    pub method: Method,
    pub url: Url,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Option<Body>,
    /// A success whose body is larger is an error.
    pub answer_bytes_max: usize,
}

/// What is sent with it.
pub(super) struct Body {
    pub content_type: String,
    pub parts: VecDeque<Bytes>,
}

impl Body {
    pub(super) fn json(json: impl Into<Bytes>) -> Self {
        Self { content_type: "application/json".to_owned(), parts: VecDeque::from([json.into()]) }
    }
}

/// A complete answer of whatever status.
pub(super) struct Answered {
    pub status: u16,
    /// In lower case; empty when the answer has none.
    pub content_type: String,
    pub body: Bytes,
    pub retry_after: Option<Duration>,
    pub headers: HeaderMap,
}

impl Answered {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header's text; none where it is missing, or no text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// There was no complete answer.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    pub kind: FailedKind,
    pub execution: Execution,
    /// The head came, the body did not.
    pub status: Option<u16>,
    /// Holds nothing of ours.
    pub message: String,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailedKind {
    /// No connection: name, network, TLS.
    Unreachable,
    /// The request cannot be written.
    Unwritable,
    /// The connection broke while the request or the answer was under way.
    Lost,
    /// The deadline passed.
    Timeout,
    /// Not HTTP, or larger than any answer should be.
    Garbled,
}

/// An HTTP client with a pool of its own that believes Mozilla's authorities. To be called on the arbiter that will use it.
pub(super) fn client() -> Client {
    client_of(None)
}

/// The same for those whom an administrator trusts.
pub(super) fn client_trusting(trust: &Trust) -> Client {
    client_of(Some(trust))
}

fn client_of(trust: Option<&Trust>) -> Client {
    let connector = Connector::new()
        // One request a connection: what is tested is what runs, and awc's HTTP/2 sends a stray request when it drops one.
        // Nor does a WebSocket open over HTTP/2.
        .max_http_version(Version::HTTP_11)
        .timeout(CONNECT_MAX)
        .handshake_timeout(CONNECT_MAX)
        .limit(CONNECTIONS_MAX)
        .conn_keep_alive(KEEP_ALIVE)
        .conn_lifetime(CONNECTION_AGE_MAX);
    // After the version: setting that one sets up TLS anew.
    let connector = match trust {
        Some(trust) => connector.rustls_0_23(trust.config()),
        None => connector,
    };
    Client::builder()
        .connector(connector)
        // awc's timeout ends with the head; ours covers the whole exchange.
        .disable_timeout()
        .disable_redirects()
        .no_default_headers()
        .add_default_header((USER_AGENT, concat!("precall/", env!("CARGO_PKG_VERSION"))))
        .add_default_header((ACCEPT, "application/json"))
        .finish()
}

/// Holds `exchange` to its deadline: the wait for a connection, the request, the head and the body, all of them together.
pub(super) async fn within<T, E: From<Failed>>(
    limit: Duration,
    progress: &Progress,
    exchange: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match tokio::time::timeout(limit, exchange).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let message = format!("no complete answer within {} ms", limit.as_millis());
            let (kind, execution) = (FailedKind::Timeout, progress.execution());
            Err(Failed { kind, execution, status: progress.status.get(), message }.into())
        }
    }
}

/// Sends and waits for a complete answer. Dropping the future closes the connection.
pub(super) async fn exchange(
    client: &Client,
    request: Request,
    progress: &Rc<Progress>,
) -> Result<Answered, Failed> {
    progress.begin(request.body.is_some());
    let has_answer_body = request.method != Method::HEAD;
    let mut asking = client.request(request.method, request.url.as_str());
    for header in request.headers {
        asking = asking.insert_header(header);
    }
    let sending = match request.body {
        Some(body) => asking
            .insert_header((CONTENT_TYPE, body.content_type))
            .send_body(TrackedBody::new(body.parts, Rc::clone(progress))),
        None => asking.send(),
    };
    let mut response = sending.await.map_err(|error| send_error(&error, progress))?;
    let status = response.status().as_u16();
    progress.status.set(Some(status));
    let limit = if response.status().is_success() { request.answer_bytes_max } else { ERROR_BYTES_MAX };
    // The answer to a HEAD promises the body that a GET would have.
    let promised = content_length(response.headers()).filter(|_| has_answer_body);
    let retry_after = retry_after(response.headers());
    let content_type = content_type(response.headers());
    let headers = response.headers().clone();

    let mut received = BytesMut::new();
    while let Some(chunk) = response.next().await {
        let lost = |_| at_status(status, FailedKind::Lost, "the connection broke inside the answer");
        let chunk = chunk.map_err(lost)?;
        if received.len().saturating_add(chunk.len()) > limit {
            let message = format!("the answer is larger than {limit} bytes");
            return Err(at_status(status, FailedKind::Garbled, message));
        }
        received.extend_from_slice(&chunk);
    }
    // awc ends the body quietly when the connection closes early.
    if promised.is_some_and(|promised| promised != received.len()) {
        return Err(at_status(status, FailedKind::Lost, "the connection closed inside the answer"));
    }
    Ok(Answered { status, content_type, body: received.freeze(), retry_after, headers })
}

/// How far a request had come, to be asked when its deadline has passed.
pub(super) struct Progress {
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

impl Progress {
    /// Of a request that has not begun.
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self { sent: Cell::new(Sent::Incomplete), status: Cell::new(None) })
    }

    fn begin(&self, has_body: bool) {
        self.sent.set(if has_body { Sent::Incomplete } else { Sent::Unwatched });
        self.status.set(None);
    }

    /// What was sent was refused: whatever comes next begins anew.
    pub(super) fn refused(&self) {
        self.begin(true);
    }

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

/// Why a request that is no exchange (an upgrade) did not come about.
pub(super) fn connect_error(error: &SendRequestError) -> Failed {
    send_error(error, &Progress { sent: Cell::new(Sent::Unwatched), status: Cell::new(None) })
}

fn send_error(error: &SendRequestError, progress: &Progress) -> Failed {
    use FailedKind as Kind;
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
            (Kind::Unwritable, "the request cannot be written")
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
        Kind::Unreachable | Kind::Unwritable => Execution::SurelyNot,
        Kind::Lost | Kind::Timeout | Kind::Garbled => progress.execution(),
    };
    let message = match error {
        // The operating system's word ("refused", "reset") holds nothing of ours.
        SendRequestError::Connect(ConnectError::Io(cause)) | SendRequestError::Send(cause) => {
            format!("{message}: {cause}")
        }
        _ => message.to_owned(),
    };
    Failed { kind, execution, status: None, message }
}

/// The head came, the body did not: what happened is not settled, whatever the status.
fn at_status(status: u16, kind: FailedKind, message: impl Into<String>) -> Failed {
    Failed { kind, execution: Execution::Maybe, status: Some(status), message: message.into() }
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
