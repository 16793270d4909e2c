//! `GET /api/v1/events`: all events as Server-Sent Events. The id of an event is its position in the logs: a client
//! that reconnects with `Last-Event-ID` misses no event and gets none twice. If that cannot be promised, it gets
//! `reset`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use precall_store::reads::events;
use precall_store::reads::events::EventRow;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use utoipa::ToSchema;

use super::auth::{Allowed, Read};
use super::grant::GrantWatch;
use super::open_streams::OpenStream;
use super::page::NoQuery;
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};
use crate::http::openapi::names::StreamEventName;
use crate::http::openapi::problems::{API, problems};

/// Events in one read.
const BATCH: i64 = 200;
/// Pause between two reads of one stream.
const PAUSE: Duration = Duration::from_millis(100);
/// Pause after a failed read.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(2);
/// How often a stream checks whether precall is shutting down.
const SHUTDOWN_CHECK: Duration = Duration::from_secs(1);
/// A comment is sent at least this often. It shows clients and proxies that the connection is open. After a client has
/// gone, the second comment fails and ends the stream.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// An event of a call or of a clone job, without personal data.
#[derive(Serialize)]
struct Data<'a> {
    position: i64,
    stream: &'a str,
    id: uuid::Uuid,
    seq: i64,
    at: jiff::Timestamp,
    event: &'a RawValue,
}

/// One event of the stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only the schema is used: an event is not JSON as a whole")]
pub(crate) struct StreamEvent {
    /// Its position; `Last-Event-ID` of the next request.
    #[schema(pattern = "^[0-9]+$", max_length = 19)]
    id: String,
    event: StreamEventName,
    /// JSON: `{position, stream, id, seq, at, event}`. Of a `reset` `{position, reason}`; the reason is `unknown` (no
    /// position of precall), `future` (above all positions) or `deleted` (the events up to there are deleted).
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// Why a client may have missed events: it reads the state anew, and goes on from the position.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ResetReason {
    /// `Last-Event-ID` is no position of precall.
    Unknown,
    /// `Last-Event-ID` is above all positions: the database is another one, or was restored.
    Future,
    /// The events up to `Last-Event-ID` are deleted, and perhaps later ones.
    Deleted,
}

/// Data of a `reset`.
#[derive(Serialize)]
struct Reset {
    position: i64,
    reason: ResetReason,
}

/// `Last-Event-ID` as a client sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Go on behind this position.
    Behind(i64),
    /// It is no position.
    Unknown,
}

problems!(EventsProblems: API, &[Code::TooManyStreams, Code::TooManyAtOnce]);

/// Streams all events from now on, or behind `Last-Event-ID`.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", security(("bearer" = []), ("api_key" = [])),
    params(("Last-Event-ID" = Option<i64>, Header, minimum = 0,
        description = "Start behind this position; without it, start now")),
    responses(
        (status = 200, body = StreamEvent, content_type = "text/event-stream",
            description = "Events, one after the other. After a `reset` events may have been missed: read the state \
                anew"),
        EventsProblems,
    ),
)]
pub(crate) async fn events(
    app: web::Data<AppState>,
    reader: Allowed<Read>,
    _: web::Query<NoQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let open = app.streams.open(&reader.principal.name)?;
    let positions = app.engine.positions();
    let now = *positions.borrow();
    let asked = last_event_id(&request);
    let sent = if let Some(Asked::Behind(position)) = asked { position } else { now };
    let mut follower = Follower {
        app: app.clone(),
        positions,
        asked,
        sent,
        waiting: VecDeque::from([Bytes::from(format!("retry: 2000\n: from {sent}\n\n"))]),
        last_sent: Instant::now(),
        next_read: Instant::now(),
        grant: reader.grant.watched(),
        _open: open,
    };
    follower.compare();
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // Tells proxies not to buffer the response.
        .insert_header(("x-accel-buffering", "no"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(follower.stream()))
}

fn last_event_id(request: &HttpRequest) -> Option<Asked> {
    let text = request.headers().get("last-event-id")?.to_str().unwrap_or("unreadable").trim();
    if text.is_empty() {
        return None;
    }
    let position = text.parse().ok().filter(|position: &i64| *position >= 0);
    Some(position.map_or(Asked::Unknown, Asked::Behind))
}

/// One client of the stream.
struct Follower {
    app: web::Data<AppState>,
    positions: watch::Receiver<i64>,
    /// What is not compared with the database's positions yet.
    asked: Option<Asked>,
    /// Events up to this position were sent or are in `waiting`.
    sent: i64,
    waiting: VecDeque<Bytes>,
    last_sent: Instant,
    /// Earliest time of the next read.
    next_read: Instant,
    grant: GrantWatch,
    _open: OpenStream,
}

impl Follower {
    fn stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut follower| async move {
            let next = follower.next().await?;
            follower.last_sent = Instant::now();
            Some((Ok(next), follower))
        })
    }

    /// The next bytes to send. `None` when precall shuts down: the client then reconnects to the new leader. Also when
    /// the client's key or session ends.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(ready) = self.waiting.pop_front() {
                return Some(ready);
            }
            if self.app.engine.health().draining || !self.grant.holds(&self.app) {
                return None;
            }
            self.compare();
            let up_to = *self.positions.borrow_and_update();
            if !self.waiting.is_empty() {
                continue;
            }
            if up_to > self.sent {
                self.fetch(up_to).await;
            } else if let Ok(Err(_)) = timeout(SHUTDOWN_CHECK, self.positions.changed()).await {
                // The engine has stopped.
                return None;
            }
            if self.waiting.is_empty() && self.last_sent.elapsed() >= HEARTBEAT {
                return Some(Bytes::from_static(b": still here\n\n"));
            }
        }
    }

    /// Compares what the client asked for with the positions of the database, once they are known: not before the
    /// database was reached.
    fn compare(&mut self) {
        let Some(asked) = self.asked.filter(|_| self.app.engine.health().database_reached) else { return };
        let now = *self.positions.borrow();
        match asked {
            Asked::Behind(position) if position <= now => return,
            Asked::Behind(_) => self.reset(now, ResetReason::Future),
            Asked::Unknown => self.reset(now, ResetReason::Unknown),
        }
        self.asked = None;
    }

    fn reset(&mut self, position: i64, reason: ResetReason) {
        self.sent = position;
        let data = serde_json::to_string(&Reset { position, reason }).unwrap_or_default();
        self.waiting.push_back(Bytes::from(format!("id: {position}\nevent: reset\ndata: {data}\n\n")));
    }

    /// Whether the first read behind the client's position may go on.
    async fn nothing_is_deleted(&mut self) -> bool {
        if self.asked.is_none() || self.sent == 0 {
            self.asked = None;
            return true;
        }
        let Ok(is_there) = read(&self.app, events::is_there_up_to(&self.app.pool, self.sent)).await else {
            self.next_read = Instant::now() + PAUSE_AFTER_FAILURE;
            return false;
        };
        self.asked = None;
        if !is_there {
            self.reset(self.sent, ResetReason::Deleted);
        }
        is_there
    }

    async fn fetch(&mut self, up_to: i64) {
        sleep_until(self.next_read).await;
        if !self.nothing_is_deleted().await {
            return;
        }
        let pool = &self.app.pool;
        let reading = events::after(pool, self.sent, up_to, BATCH);
        let Ok(rows) = read(&self.app, reading).await else {
            self.next_read = Instant::now() + PAUSE_AFTER_FAILURE;
            return;
        };
        let is_last = i64::try_from(rows.len()).unwrap_or(BATCH) < BATCH;
        for row in &rows {
            self.sent = row.position;
            self.waiting.extend(frame(row));
        }
        if is_last {
            // Positions have gaps. No further event can appear up to this position.
            self.sent = up_to;
            self.next_read = Instant::now() + PAUSE;
        }
    }
}

/// An event in the format of Server-Sent Events. Serialised JSON has no line breaks.
fn frame(row: &EventRow) -> Option<Bytes> {
    let data = Data {
        position: row.position,
        stream: row.stream,
        id: row.owner,
        seq: row.seq,
        at: row.at,
        event: &row.event,
    };
    let data = serde_json::to_string(&data).ok()?;
    Some(Bytes::from(format!("id: {}\nevent: {}\ndata: {data}\n\n", row.position, row.stream)))
}

#[cfg(test)]
mod tests;
