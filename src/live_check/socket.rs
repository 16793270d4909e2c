//! The event WebSocket. Records every event with its time and sequence number.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use awc::error::WsClientError;
use awc::http::header::AUTHORIZATION;
use awc::ws::{Frame, Message};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::pbx::{ANSWER_WITHIN, Pbx};

/// Highest number of recorded events. A call of three minutes has some hundred.
const HEARD_MAX: usize = 5_000;
const OUTBOX: usize = 16;
const PING_EVERY: Duration = Duration::from_secs(5);
const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// A received frame.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) at: Instant,
    pub(super) sequence: Option<i64>,
    pub(super) kind: Option<i64>,
    pub(super) entity: String,
    pub(super) data: Value,
}

/// An open WebSocket. Dropping it closes the connection.
pub(super) struct Socket {
    heard: Rc<RefCell<Vec<Received>>>,
    closed: Rc<Cell<Option<Instant>>>,
    outbox: mpsc::Sender<String>,
    listening: JoinHandle<()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Socket {
    /// Opens `GET /callcontrol/ws` with the current token.
    ///
    /// # Errors
    /// The HTTP status, or the failure.
    pub(super) async fn open(pbx: &Pbx) -> Result<Self, String> {
        let url = pbx.access().endpoint(&["callcontrol", "ws"]);
        let upgrade = pbx
            .http()
            .ws(url.as_str())
            .max_frame_size(FRAME_BYTES_MAX)
            .set_header(AUTHORIZATION, format!("Bearer {}", pbx.token()));
        let opened = tokio::time::timeout(ANSWER_WITHIN, upgrade.connect()).await;
        let opened = opened.map_err(|_| "no answer in time".to_owned())?;
        let (_, mut framed) = opened.map_err(|error| match error {
            WsClientError::InvalidResponseStatus(status) => format!("status {}", status.as_u16()),
            other => other.to_string(),
        })?;
        let (outbox, mut orders) = mpsc::channel::<String>(OUTBOX);
        let (heard, closed) =
            (Rc::<RefCell<Vec<Received>>>::default(), Rc::<Cell<Option<Instant>>>::default());
        let (hearing, closing) = (Rc::clone(&heard), Rc::clone(&closed));
        let listening = actix::spawn(async move {
            let mut ping = tokio::time::interval(PING_EVERY);
            loop {
                let sent = tokio::select! {
                    frame = framed.next() => match frame {
                        Some(Ok(Frame::Text(text) | Frame::Binary(text))) => {
                            if hearing.borrow().len() < HEARD_MAX {
                                hearing.borrow_mut().push(read(&text));
                            }
                            Ok(())
                        }
                        Some(Ok(Frame::Ping(payload))) => framed.send(Message::Pong(payload)).await,
                        Some(Ok(Frame::Pong(_) | Frame::Continuation(_))) => Ok(()),
                        Some(Ok(Frame::Close(_)) | Err(_)) | None => break,
                    },
                    Some(text) = orders.recv() => framed.send(Message::Text(text.into())).await,
                    _ = ping.tick() => framed.send(Message::Ping(Bytes::from_static(b"precall"))).await,
                };
                if sent.is_err() {
                    break;
                }
            }
            closing.set(Some(Instant::now()));
        });
        Ok(Self { heard, closed, outbox, listening })
    }

    /// The recorded frames that `fits` selects.
    pub(super) fn received(&self, fits: impl Fn(&Received) -> bool) -> Vec<Received> {
        self.heard.borrow().iter().filter(|heard| fits(heard)).cloned().collect()
    }

    /// When the PBX closed it.
    pub(super) fn closed_at(&self) -> Option<Instant> {
        self.closed.get()
    }

    /// Sends a message. A message that cannot be sent is dropped.
    pub(super) fn send_request(&self, text: &Value) {
        drop(self.outbox.try_send(text.to_string()));
    }
}

fn read(text: &[u8]) -> Received {
    let whole: Value = serde_json::from_slice(text).unwrap_or_default();
    let event = whole.get("event").cloned().unwrap_or_default();
    let number = |value: Option<&Value>| value.and_then(Value::as_i64);
    Received {
        at: Instant::now(),
        sequence: number(whole.get("sequence")),
        kind: number(event.get("event_type")),
        entity: event.get("entity").and_then(Value::as_str).unwrap_or_default().to_owned(),
        data: event.get("attached_data").cloned().unwrap_or_default(),
    }
}
