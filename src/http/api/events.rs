//! `GET /api/v1/events`: all events as Server-Sent Events. The id of an event is its position in the logs: a client
//! that reconnects with `Last-Event-ID` misses no event and gets none twice.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use precall_store::reads::events;
use precall_store::reads::events::EventRow;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::auth::{Allowed, Read};
use super::page::NoQuery;
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};

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

/// Streams all events from now on, or behind `Last-Event-ID`.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", security(("bearer" = []), ("api_key" = [])),
    params(("Last-Event-ID" = Option<i64>, Header, description = "Start behind this position; without it, start now")),
    responses(
        (status = 200, body = String, content_type = "text/event-stream",
            description = "`id` is the position, `event` is `call` or `voice`, `data` is `{position, stream, id, \
                seq, at, event}`"),
        (status = "4XX", body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn events(
    app: web::Data<AppState>,
    _: Allowed<Read>,
    _: web::Query<NoQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let permit = Arc::clone(&app.streams)
        .try_acquire_owned()
        .map_err(|_| Problem::new(Code::TooManyAtOnce, "the limit of open event streams is reached"))?;
    let positions = app.engine.positions();
    let sent = match last_event_id(&request)? {
        Some(position) => position,
        None => *positions.borrow(),
    };
    let follower = Follower {
        app: app.clone(),
        positions,
        sent,
        waiting: VecDeque::from([Bytes::from(format!("retry: 2000\n: from {sent}\n\n"))]),
        last_sent: Instant::now(),
        next_read: Instant::now(),
        _permit: permit,
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // Tells proxies not to buffer the response.
        .insert_header(("x-accel-buffering", "no"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(follower.stream()))
}

fn last_event_id(request: &HttpRequest) -> Result<Option<i64>, Problem> {
    let Some(value) = request.headers().get("last-event-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or("unreadable").trim();
    if text.is_empty() {
        return Ok(None);
    }
    let position = text.parse().ok().filter(|position: &i64| *position >= 0);
    position.map(Some).ok_or_else(|| Problem::new(Code::BadCursor, "Last-Event-ID is not a position"))
}

/// One client of the stream.
struct Follower {
    app: web::Data<AppState>,
    positions: watch::Receiver<i64>,
    /// Events up to this position were sent or are in `waiting`.
    sent: i64,
    waiting: VecDeque<Bytes>,
    last_sent: Instant,
    /// Earliest time of the next read.
    next_read: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    fn stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut follower| async move {
            let next = follower.next().await?;
            follower.last_sent = Instant::now();
            Some((Ok(next), follower))
        })
    }

    /// The next bytes to send. `None` when precall shuts down: the client then reconnects to the new leader.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(ready) = self.waiting.pop_front() {
                return Some(ready);
            }
            if self.app.engine.health().draining {
                return None;
            }
            let up_to = *self.positions.borrow_and_update();
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

    async fn fetch(&mut self, up_to: i64) {
        sleep_until(self.next_read).await;
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
