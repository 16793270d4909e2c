//! `GET /api/v1/live/stream`: the live board as Server-Sent Events. A snapshot comes first, then what changes. A client
//! that connects again gets a new snapshot, so that it cannot miss anything.

pub(crate) mod feed;
pub(crate) mod messages;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast;
use tokio::time::Instant;
use utoipa::ToSchema;

use self::feed::Joined;
use super::auth::{Allowed, Read};
use super::grant::GrantWatch;
use super::open_streams::OpenStream;
use super::page::NoQuery;
use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};
use crate::http::openapi::names::LiveStreamEventName;
use crate::http::openapi::problems::{API, problems};

/// A message goes to the connection in pieces, so that a slow client holds the shared bytes and few of its own.
const PIECE: usize = 16 * 1024;
/// A client that takes longer for one message is cut.
const TAKEN_WITHIN: Duration = Duration::from_secs(20);

/// One message of the live stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only the schema is used: a message is not JSON as a whole")]
pub(crate) struct LiveStreamEvent {
    /// The process and a number of its own.
    #[schema(pattern = "^[0-9a-f]{8}-[0-9]+$", max_length = 28)]
    id: String,
    event: LiveStreamEventName,
    /// JSON. Of a `snapshot` a LiveSnapshot, of a `change` a LiveChange, of `health` `{at, health}` with a
    /// HealthAnswer, of a `beat` `{at}`, of a `reset` `{reason}`: `unknown`, `other_process` or `future`.
    #[schema(content_media_type = "application/json")]
    data: String,
}

problems!(LiveStreamProblems: API, &[Code::TooManyStreams, Code::TooManyAtOnce, Code::Draining]);

/// Streams the live board. Numbers are masked for every key. A client that reads too slowly is cut.
#[utoipa::path(get, path = "/api/v1/live/stream", tag = "calls", security(("bearer" = []), ("api_key" = [])),
    params(("Last-Event-ID" = Option<String>, Header, max_length = 100,
        description = "The last id of an earlier stream; if it says nothing to this precall, a `reset` comes first")),
    responses(
        (status = 200, body = LiveStreamEvent, content_type = "text/event-stream",
            description = "A `snapshot`, then a `change` at most four times a second, `health` when it changed and \
                every 5 s, and a `beat` 2 s after the last message"),
        LiveStreamProblems,
    ),
)]
pub(crate) async fn stream(
    app: web::Data<AppState>,
    reader: Allowed<Read>,
    _: web::Query<NoQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let open = app.live_streams.open(&reader.principal.name)?;
    let reset = last_event_id(&request).and_then(|last| app.live_feed.reset(last));
    let Joined { snapshot, messages } = app.live_feed.join()?;
    let mut waiting = VecDeque::from([Bytes::from_static(b"retry: 2000\n\n")]);
    waiting.extend(reset);
    waiting.push_back(snapshot);
    let viewer = Viewer {
        app: app.clone(),
        waiting,
        rest: Bytes::new(),
        began: Instant::now(),
        messages,
        grant: reader.grant.watched(),
        _open: open,
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // Tells proxies not to buffer the response.
        .insert_header(("x-accel-buffering", "no"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(viewer.stream()))
}

fn last_event_id(request: &HttpRequest) -> Option<&str> {
    let text = request.headers().get("last-event-id")?.to_str().unwrap_or("unreadable").trim();
    (!text.is_empty()).then_some(text)
}

/// One client of the stream.
struct Viewer {
    app: web::Data<AppState>,
    /// What comes before the messages of the feed.
    waiting: VecDeque<Bytes>,
    /// What is left of the message that is being sent, and since when.
    rest: Bytes,
    began: Instant,
    messages: broadcast::Receiver<Bytes>,
    grant: GrantWatch,
    _open: OpenStream,
}

impl Viewer {
    fn stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut viewer| async move {
            let next = viewer.next().await?;
            Some((Ok(next), viewer))
        })
    }

    /// The next bytes to send. `None` when the server stops, for a client that is too slow, and when the client's key
    /// or session ends.
    async fn next(&mut self) -> Option<Bytes> {
        while self.rest.is_empty() {
            if !self.grant.holds(&self.app) {
                return None;
            }
            self.rest = match self.waiting.pop_front() {
                Some(first) => first,
                None => self.messages.recv().await.ok()?,
            };
            self.began = Instant::now();
        }
        if self.began.elapsed() >= TAKEN_WITHIN {
            return None;
        }
        Some(self.rest.split_to(self.rest.len().min(PIECE)))
    }
}
