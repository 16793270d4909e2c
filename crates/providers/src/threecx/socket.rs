//! The PBX's event WebSocket. precall pings it, because a connection that a proxy dropped silently looks open. What is
//! received says whether it lives: first it is doubtful, then dead.

use std::time::Duration;

use actix_http::ws::Item;
use awc::error::{WsClientError, WsProtocolError};
use awc::http::header::AUTHORIZATION;
use awc::ws::{Frame, Message};
use bytes::{Bytes, BytesMut};
use futures_util::{Sink, SinkExt, Stream, StreamExt, stream};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::access_token::AccessToken;
use super::bounded_codec::BoundedCodec;
use super::client::{ThreeCx, bearer};
use super::error::{ThreeCxError, ThreeCxErrorKind};
use super::event::{PbxEvent, read_event};
use crate::http_exchange::{Execution, Failure, FailureKind, connect_error};

/// An event has about 150 bytes, an attached leg about 700.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// A silent peer has this long to answer a ping: if precall itself was suspended, the peer was only unasked.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// After this many pings without a pong, a PBX whose events come does not answer pings.
const PINGS_TO_KNOW: u32 = 3;
/// Such a socket counts as dead only after this much silence. Closing it sooner would only cost events.
const SILENCE_MAX_WITHOUT_PONGS: Duration = Duration::from_secs(60);

/// Keep-alive of the socket.
#[derive(Clone, Copy, Debug)]
pub struct SocketTiming {
    /// Interval of pings. Several fit into `doubt_after`, so a living socket is never doubtful.
    pub ping_every: Duration,
    /// Time without any frame, pongs included, after which the socket is doubtful.
    pub doubt_after: Duration,
    /// The same after which it counts as dead.
    pub silence_max: Duration,
}

impl Default for SocketTiming {
    fn default() -> Self {
        Self {
            ping_every: Duration::from_secs(1),
            doubt_after: Duration::from_secs(3),
            silence_max: Duration::from_secs(5),
        }
    }
}

/// An item of the event stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketEvent {
    /// An event.
    Event(PbxEvent),
    /// Nothing was received for `doubt_after`: events may be missing.
    Doubtful {
        /// False for a PBX whose events come and that never answered a ping: its silence says little.
        answers_pings: bool,
    },
    /// Something was received on a doubtful socket.
    Sure,
    /// The last item: why the socket closed. Contains no text of the PBX.
    Closed(String),
}

/// An open socket.
#[derive(Debug)]
pub struct OpenSocket<S> {
    /// Generation of the token that opened it; with a newer token the PBX may send no more events.
    pub token_generation: u64,
    /// The event stream; dropping it closes the socket.
    pub events: S,
}

impl ThreeCx {
    /// `GET /callcontrol/ws`. After a 401 it tries once more with a new token.
    ///
    /// # Errors
    /// [`ThreeCxError`]; 403 is a missing permission or licence, 404 an address without a v20 PBX.
    pub async fn open_socket(
        &self,
        timing: SocketTiming,
    ) -> Result<OpenSocket<impl Stream<Item = SocketEvent> + use<>>, ThreeCxError> {
        let opening = async {
            let token = self.tokens().current().await?;
            match self.upgrade(&token, timing).await {
                Err(error) if error.kind == ThreeCxErrorKind::Unauthorised => {
                    let token = self.tokens().instead_of(&token).await?;
                    self.upgrade(&token, timing).await
                }
                outcome => outcome,
            }
        };
        let limit = self.settings().within();
        tokio::time::timeout(limit, opening).await.unwrap_or_else(|_| {
            let message = format!("no WebSocket within {} ms", limit.as_millis());
            let (kind, execution) = (FailureKind::Timeout, Execution::Maybe);
            Err(Failure { kind, execution, status: None, message }.into())
        })
    }

    async fn upgrade(
        &self,
        token: &AccessToken,
        timing: SocketTiming,
    ) -> Result<OpenSocket<impl Stream<Item = SocketEvent> + use<>>, ThreeCxError> {
        let url = self.settings().endpoint(&["callcontrol", "ws"]);
        let upgrade = self
            .http_of_socket()
            .ws(url.as_str())
            .max_frame_size(MESSAGE_BYTES_MAX)
            .set_header(AUTHORIZATION, bearer(token));
        let (_, framed) = upgrade.connect().await.map_err(|error| refused(&error))?;
        let framed = framed.into_map_codec(|codec| BoundedCodec::new(codec, MESSAGE_BYTES_MAX));
        Ok(OpenSocket { token_generation: token.generation(), events: read_events(framed, timing) })
    }
}

fn refused(error: &WsClientError) -> ThreeCxError {
    match error {
        WsClientError::InvalidResponseStatus(status) => {
            ThreeCxError::of_status(status.as_u16(), "no WebSocket".to_owned())
        }
        WsClientError::SendRequest(error) => connect_error(error).into(),
        _ => ThreeCxError {
            kind: ThreeCxErrorKind::Garbled,
            execution: Execution::Maybe,
            status: None,
            message: "the server does not speak WebSocket".to_owned(),
        },
    }
}

struct EventReader<F> {
    framed: F,
    ping: Interval,
    timing: SocketTiming,
    /// When the last frame came.
    heard: Instant,
    /// The first ping since then.
    pinged: Option<Instant>,
    pings: u32,
    has_ponged: bool,
    has_told: bool,
    is_doubtful: bool,
    /// A frame that ended a doubt.
    held: Option<Frame>,
    /// The fragments so far of a message in several frames.
    fragments: BytesMut,
}

fn read_events<F>(framed: F, timing: SocketTiming) -> impl Stream<Item = SocketEvent> + use<F>
where
    F: Stream<Item = Result<Frame, WsProtocolError>> + Sink<Message> + Unpin,
{
    let mut ping = tokio::time::interval(timing.ping_every);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let reader = EventReader {
        framed,
        ping,
        timing,
        heard: Instant::now(),
        pinged: None,
        pings: 0,
        has_ponged: false,
        has_told: false,
        is_doubtful: false,
        held: None,
        fragments: BytesMut::new(),
    };
    stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        match reader.next().await {
            Ok(event) => Some((event, Some(reader))),
            Err(why) => Some((SocketEvent::Closed(why), None)),
        }
    })
}

impl<F> EventReader<F>
where
    F: Stream<Item = Result<Frame, WsProtocolError>> + Sink<Message> + Unpin,
{
    async fn next(&mut self) -> Result<SocketEvent, String> {
        loop {
            let frame = match self.held.take() {
                Some(frame) => frame,
                None => match self.frame().await? {
                    None => {
                        self.is_doubtful = true;
                        return Ok(SocketEvent::Doubtful { answers_pings: !self.ignores_pings() });
                    }
                    Some(frame) if std::mem::take(&mut self.is_doubtful) => {
                        self.held = Some(frame);
                        return Ok(SocketEvent::Sure);
                    }
                    Some(frame) => frame,
                },
            };
            let message = match frame {
                Frame::Text(message) | Frame::Binary(message) => message,
                Frame::Continuation(item) => match self.fragment(item)? {
                    Some(message) => message,
                    None => continue,
                },
                Frame::Ping(payload) => {
                    self.send(Message::Pong(payload)).await?;
                    continue;
                }
                Frame::Pong(_) => {
                    self.has_ponged = true;
                    continue;
                }
                Frame::Close(reason) => {
                    let code = reason.map_or(1005, |reason| u16::from(reason.code));
                    return Err(format!("closed by the PBX (code {code})"));
                }
            };
            self.has_told = true;
            // Other messages are ignored: newer builds may send them.
            if let Some(event) = read_event(&message) {
                return Ok(SocketEvent::Event(event));
            }
        }
    }

    /// The next frame; none when the socket becomes doubtful first.
    async fn frame(&mut self) -> Result<Option<Frame>, String> {
        loop {
            let deadline =
                if self.is_doubtful { self.dead_at() } else { self.heard + self.timing.doubt_after };
            tokio::select! {
                // A received frame counts before a deadline that passed while this task did not run.
                biased;
                frame = self.framed.next() => {
                    self.heard = Instant::now();
                    self.pinged = None;
                    return match frame {
                        Some(Ok(frame)) => Ok(Some(frame)),
                        Some(Err(error)) => Err(format!("broken: {}", protocol_error(&error))),
                        None => Err("the connection ended".to_owned()),
                    };
                }
                _ = self.ping.tick() => {
                    self.send(Message::Ping(Bytes::from_static(b"precall"))).await?;
                    self.pinged.get_or_insert_with(Instant::now);
                    self.pings = self.pings.saturating_add(1);
                }
                () = tokio::time::sleep_until(deadline) => {
                    if !self.is_doubtful {
                        return Ok(None);
                    }
                    return Err(format!("open but silent for {} ms", self.heard.elapsed().as_millis()));
                }
            }
        }
    }

    fn dead_at(&self) -> Instant {
        let silence = if self.ignores_pings() { SILENCE_MAX_WITHOUT_PONGS } else { self.timing.silence_max };
        let answered_by =
            self.pinged.unwrap_or_else(Instant::now) + ANSWER_WITHIN.min(self.timing.silence_max);
        (self.heard + silence).max(answered_by)
    }

    /// Whether this PBX sends events and answers no ping.
    fn ignores_pings(&self) -> bool {
        self.has_told && !self.has_ponged && self.pings >= PINGS_TO_KNOW
    }

    async fn send(&mut self, message: Message) -> Result<(), String> {
        match tokio::time::timeout(self.timing.silence_max, self.framed.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err("the connection broke".to_owned()),
            Err(_) => Err("the connection accepts no data".to_owned()),
        }
    }

    fn fragment(&mut self, item: Item) -> Result<Option<Bytes>, String> {
        let (fragment, is_last) = match item {
            Item::FirstText(fragment) | Item::FirstBinary(fragment) => {
                self.fragments.clear();
                (fragment, false)
            }
            Item::Continue(fragment) => (fragment, false),
            Item::Last(fragment) => (fragment, true),
        };
        if self.fragments.len().saturating_add(fragment.len()) > MESSAGE_BYTES_MAX {
            return Err("a message is too large".to_owned());
        }
        self.fragments.extend_from_slice(&fragment);
        Ok(is_last.then(|| self.fragments.split().freeze()))
    }
}

/// The library's error text; it contains no text of the PBX.
fn protocol_error(error: &WsProtocolError) -> String {
    match error {
        WsProtocolError::Overflow => "a frame is too large".to_owned(),
        other => other.to_string(),
    }
}
