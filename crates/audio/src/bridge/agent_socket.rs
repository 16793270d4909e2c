//! The agent's WebSocket: opens it, then carries messages both ways until either side closes it or the agent's side is
//! silent for too long.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use precall_providers::tls_roots::TlsRoots;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes, client::IntoClientRequest};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::bridge::agent_order::SocketSetup;
use crate::bridge::socket_state::{Opening, SocketEnd};
use crate::leg::Leg;
use crate::net::liveness::{Liveness, Verdict};
use crate::net::socket::{Address, HeardSocket};

/// For TCP and TLS together.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A connection that waited longer for its conversation is replaced: many servers close a connection on which no
/// request comes for 5 s (actix-web answers 408), and the caller would find out.
const FRESH_FOR: Duration = Duration::from_secs(3);
/// From the upgrade request to the provider's answer.
const UPGRADE_WITHIN: Duration = Duration::from_secs(5);
/// From precall's first message to the provider's.
const BEGIN_WITHIN: Duration = Duration::from_secs(5);
/// The same where the provider says that the caller waits for a free conversation. The call's own deadline for a
/// handoff is usually shorter.
const QUEUE_WITHIN: Duration = Duration::from_secs(60);
/// A socket that does not take a message within this time is dead.
const SEND_WITHIN: Duration = Duration::from_secs(3);
/// For closing the WebSocket properly.
const CLOSE_WITHIN: Duration = Duration::from_millis(250);
/// As in the provider's own clients (facts, section 4).
const MESSAGE_MAX: usize = 16 * 1024 * 1024;
/// Kept small: every conversation holds one, also an idle one.
const READ_BUFFER: usize = 4 * 1024;
/// Unsent messages in the library's own buffer.
const WRITE_BUFFER_MAX: usize = 256 * 1024;

/// An open socket, and how long the other side has been silent.
struct AgentSocket {
    stream: WebSocketStream<HeardSocket>,
    /// Since when a message is on its way into the socket; none when all are in it.
    sending: Option<Instant>,
    /// When bytes were last received.
    heard: Rc<Cell<Instant>>,
    liveness: Liveness,
}

/// What a socket did.
enum Moved {
    Received(Option<Result<Message, Error>>),
    Sent(Result<(), Error>),
}

/// Serves the session of one attempt on this leg until it ends. Passes what the agent sends to the leg.
pub(crate) async fn serve(leg: &Leg, attempt: u8, trust: Option<&TlsRoots>) {
    let Some(setup) = leg.socket_setup(attempt) else { return };
    let end = converse(leg, attempt, setup, trust).await;
    leg.socket_closed(attempt, end);
}

async fn converse(leg: &Leg, attempt: u8, setup: SocketSetup, trust: Option<&TlsRoots>) -> SocketEnd {
    // Boxed: the state of opening must not enlarge a task that lives as long as the call.
    let mut socket = match Box::pin(open(&setup, trust)).await {
        Ok(socket) => socket,
        Err(end) => return end,
    };
    // Boxed as well, and for the same reason.
    if let Some(end) = Box::pin(begin(leg, attempt, &setup, &mut socket)).await {
        return end;
    }
    loop {
        if let Some(end) = carry(leg, attempt, &setup, &mut socket).await {
            return end;
        }
    }
}

/// Carries messages until the provider has begun the session. Pings alone do not begin one.
async fn begin(leg: &Leg, attempt: u8, setup: &SocketSetup, socket: &mut AgentSocket) -> Option<SocketEnd> {
    let began = tokio::time::Instant::now();
    loop {
        let (within, late) = match leg.agent_opening(attempt) {
            Opening::Done => return None,
            Opening::Awaited => (BEGIN_WITHIN, "the agent did not begin in time"),
            Opening::Queued => (QUEUE_WITHIN, "the provider had no free conversation in time"),
        };
        match tokio::time::timeout_at(began + within, carry(leg, attempt, setup, socket)).await {
            Ok(None) => {}
            Ok(end) => return end,
            Err(_) => return Some(SocketEnd::Broken(late.to_owned())),
        }
    }
}

/// Carries one message, whichever way it goes, or looks whether the other side lives. Returns how the socket ended, if
/// it did. Receiving does not wait for sending: a slow way to the agent must not hold up what it says.
async fn carry(leg: &Leg, attempt: u8, setup: &SocketSetup, socket: &mut AgentSocket) -> Option<SocketEnd> {
    let look_at = socket.look_at();
    tokio::select! {
        biased;
        message = setup.outbox.next(), if socket.sending.is_none() => {
            match message {
                Some(message) => socket.send(Message::Text(message)),
                None => Some(socket.closed_by_us().await),
            }
        }
        () = setup.outbox.ended(), if socket.sending.is_some() => Some(socket.closed_by_us().await),
        // What was received counts before a deadline that passed while precall did not run.
        moved = socket.moved() => match moved {
            Moved::Received(message) => socket.receive(leg, attempt, message),
            Moved::Sent(sent) => {
                socket.sending = None;
                sent.err().and_then(broken_sending)
            }
        },
        () = tokio::time::sleep_until(look_at.into()) => socket.look(),
    }
}

/// How a failed sending ends the socket. The agent's last messages may still be unread: they say why it closed.
fn broken_sending(error: Error) -> Option<SocketEnd> {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_) => None,
        error => Some(SocketEnd::Broken(error.to_string())),
    }
}

impl AgentSocket {
    /// When to look whether the other side lives.
    fn look_at(&mut self) -> Instant {
        let now = Instant::now();
        self.liveness.heard(self.heard.get());
        let at = match self.liveness.verdict(now) {
            Verdict::WaitUntil(at) => at,
            Verdict::Ask | Verdict::Dead(_) => now,
        };
        self.sending.map_or(at, |since| at.min(since + SEND_WITHIN))
    }

    /// Asks a silent peer whether it lives, and gives it up when it does not answer, or takes nothing.
    fn look(&mut self) -> Option<SocketEnd> {
        let now = Instant::now();
        self.liveness.heard(self.heard.get());
        match self.liveness.verdict(now) {
            Verdict::Dead(silent) => {
                return Some(SocketEnd::Broken(format!(
                    "the agent's connection is open but silent (nothing received for {} s)",
                    silent.as_secs()
                )));
            }
            Verdict::Ask => {
                self.liveness.asked(now);
                if let Some(end) = self.send(Message::Ping(Bytes::new())) {
                    return Some(end);
                }
            }
            Verdict::WaitUntil(_) => {}
        }
        let is_full = self.sending.is_some_and(|since| now.saturating_duration_since(since) >= SEND_WITHIN);
        is_full.then(|| SocketEnd::Broken("the agent takes no audio".to_owned()))
    }

    /// Gives a message to the library, which writes what the socket takes.
    fn send(&mut self, message: Message) -> Option<SocketEnd> {
        self.sending.get_or_insert_with(Instant::now);
        self.stream.start_send_unpin(message).err().and_then(broken_sending)
    }

    async fn closed_by_us(&mut self) -> SocketEnd {
        let _late = timeout(CLOSE_WITHIN, close(&mut self.stream)).await;
        SocketEnd::Broken("precall closed the session".to_owned())
    }

    /// Waits until a message has come, or all messages are in the socket.
    async fn moved(&mut self) -> Moved {
        poll_fn(|context| {
            if let Poll::Ready(message) = self.stream.poll_next_unpin(context) {
                return Poll::Ready(Moved::Received(message));
            }
            if self.sending.is_none() {
                return Poll::Pending;
            }
            self.stream.poll_flush_unpin(context).map(Moved::Sent)
        })
        .await
    }

    /// Passes a message to the leg. Returns how the socket ended, if it did.
    fn receive(
        &mut self,
        leg: &Leg,
        attempt: u8,
        message: Option<Result<Message, Error>>,
    ) -> Option<SocketEnd> {
        match message {
            Some(Ok(Message::Text(text))) => {
                leg.agent_message(attempt, &text, Instant::now());
                None
            }
            Some(Ok(Message::Close(Some(frame)))) => {
                Some(SocketEnd::Closed(frame.code.into(), frame.reason.to_string()))
            }
            Some(Ok(Message::Close(None))) | None => {
                Some(SocketEnd::Broken("it was closed without a code".to_owned()))
            }
            Some(Ok(Message::Pong(_))) => {
                self.liveness.answered_ping();
                None
            }
            // The library answers pings; the provider sends no other kinds.
            Some(Ok(Message::Ping(_) | Message::Binary(_) | Message::Frame(_))) => None,
            Some(Err(error)) => Some(SocketEnd::Broken(error.to_string())),
        }
    }
}

/// Closes, and reads until the other side has closed too. A connection dropped with unread data is reset, and the close
/// frame may be lost with it.
async fn close(socket: &mut WebSocketStream<HeardSocket>) {
    let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
    if socket.close(Some(frame)).await.is_ok() {
        while let Some(Ok(_)) = socket.next().await {}
    }
}

/// Connects, waits until the conversation may begin, upgrades and sends the first message. The slow part, TCP and TLS,
/// is done before the conversation begins.
async fn open(setup: &SocketSetup, trust: Option<&TlsRoots>) -> Result<AgentSocket, SocketEnd> {
    let url = setup.url.expose();
    let trust = match url.scheme() {
        "wss" => Some(trust.ok_or_else(|| SocketEnd::Refused("this host trusts no authority".to_owned()))?),
        _ => None,
    };
    let address = Address::from_url(url, trust)
        .ok_or_else(|| SocketEnd::Refused("the agent's address names no host".to_owned()))?;
    let broken = |error: &dyn std::fmt::Display| SocketEnd::Broken(error.to_string());
    let connect = async || {
        timeout(CONNECT_WITHIN, address.connect())
            .await
            .map_err(|_| SocketEnd::Broken("the agent's host does not answer".to_owned()))?
            .map_err(|error| broken(&error))
    };
    let mut socket = connect().await?;
    let connected = Instant::now();
    tokio::select! {
        biased;
        () = setup.begin.notified() => {}
        () = setup.outbox.ended() => return Err(SocketEnd::Broken("precall closed the session".to_owned())),
    }
    if connected.elapsed() > FRESH_FOR {
        socket = connect().await?;
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_MAX)
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX));
    let upgrade = async |socket| {
        let request = url.as_str().into_client_request()?;
        let (socket, heard) = HeardSocket::new(socket);
        let (stream, _) = client_async_with_config(request, socket, Some(config)).await?;
        Ok::<_, Error>((stream, heard))
    };
    let upgraded = timeout(UPGRADE_WITHIN, async {
        match upgrade(socket).await {
            Err(error) if has_given_up(&error) => {
                upgrade(connect().await?).await.map_err(|error| refused(&error))
            }
            upgraded => upgraded.map_err(|error| refused(&error)),
        }
    });
    let (mut stream, heard) = upgraded
        .await
        .map_err(|_| SocketEnd::Broken("the agent's host did not answer the upgrade in time".to_owned()))??;
    // The ping shows early whether this server answers pings.
    for first in [Message::Text(Utf8Bytes::from(setup.initiation.as_str())), Message::Ping(Bytes::new())] {
        timeout(SEND_WITHIN, stream.send(first))
            .await
            .map_err(|_| SocketEnd::Broken("the agent takes no message".to_owned()))?
            .map_err(|error| broken(&error))?;
    }
    Ok(AgentSocket { stream, sending: None, heard, liveness: Liveness::new(Instant::now()) })
}

/// Whether the server closed the connection because no request had come: then the next one is as good as the first.
fn has_given_up(error: &Error) -> bool {
    match error {
        Error::Http(response) => response.status().as_u16() == 408,
        Error::Io(_) | Error::ConnectionClosed => true,
        Error::Protocol(error) => *error == ProtocolError::HandshakeIncomplete,
        _ => false,
    }
}

/// A 4xx status will not change, so it is a refusal. Any other error may pass.
fn refused(error: &Error) -> SocketEnd {
    match error {
        Error::Http(response) if response.status().is_client_error() => {
            SocketEnd::Refused(format!("the agent was refused with status {}", response.status().as_u16()))
        }
        // These errors would print the address, whose signature opens a conversation.
        Error::Url(_) | Error::HttpFormat(_) => {
            SocketEnd::Refused("the agent's address cannot be used".to_owned())
        }
        other => SocketEnd::Broken(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
