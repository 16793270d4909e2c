//! `GET /api/v1/events`: everything that happens, as Server-Sent Events. The id of an event is its position in the logs, so that
//! a client that comes back with `Last-Event-ID` misses nothing and hears nothing twice.

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
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};

/// Events read at once.
const BATCH: i64 = 200;
/// Between two reads of one stream: whatever happened meanwhile comes with the next.
const PAUSE: Duration = Duration::from_millis(100);
/// After a read that failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(2);
/// How often a stream looks whether the program is being stopped.
const GLANCE: Duration = Duration::from_secs(1);
/// A comment at least this often: clients and proxies know that the line is open, and we, that somebody is still there. The
/// second one after a client has gone fails, and that ends its stream.
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

/// All events from now on, or from behind `Last-Event-ID`.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", security(("bearer" = []), ("api_key" = [])),
    params(("Last-Event-ID" = Option<i64>, Header, description = "The position behind which to begin; now when missing")),
    responses(
        (status = 200, body = String, content_type = "text/event-stream", description = "`id` is the position, `event` is `call` or `voice`, `data` is `{position, stream, id, seq, at, event}`"),
        (status = "4XX", body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn events(
    app: web::Data<AppState>,
    _: Allowed<Read>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let permit = Arc::clone(&app.streams)
        .try_acquire_owned()
        .map_err(|_| Problem::new(Code::TooManyAtOnce, "as many event streams as are allowed are open"))?;
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
        spoke: Instant::now(),
        next_read: Instant::now(),
        _permit: permit,
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // Proxies that collect answers before they pass them on must not.
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

/// One client that follows.
struct Follower {
    app: web::Data<AppState>,
    positions: watch::Receiver<i64>,
    /// Everything up to here was sent, or stands in `waiting`.
    sent: i64,
    waiting: VecDeque<Bytes>,
    spoke: Instant,
    /// When the logs may be read again.
    next_read: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    fn stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut follower| async move {
            let next = follower.next().await?;
            follower.spoke = Instant::now();
            Some((Ok(next), follower))
        })
    }

    /// The next thing to say; none when the program is being stopped: the client comes back to whoever takes over.
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
            } else if let Ok(Err(_)) = timeout(GLANCE, self.positions.changed()).await {
                // The engine is gone.
                return None;
            }
            if self.waiting.is_empty() && self.spoke.elapsed() >= HEARTBEAT {
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
            // Positions have gaps: nothing else can come up to here any more.
            self.sent = up_to;
            self.next_read = Instant::now() + PAUSE;
        }
    }
}

/// An event as Server-Sent Events have it. JSON has no line breaks of its own.
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
