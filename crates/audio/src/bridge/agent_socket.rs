//! The agent's WebSocket: opened in its own time, then letters one way and messages the other, until either side ends it.

use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use precall_providers::elevenlabs::AgentUrl;
use precall_providers::tls_roots::TlsRoots;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes, client::IntoClientRequest};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::bridge::agent_session::SocketEnd;
use crate::bridge::outbox::Letterbox;
use crate::leg::Leg;
use crate::net::socket::{Address, Socket};

/// TCP and TLS together.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// From the upgrade to the provider's answer.
const UPGRADE_WITHIN: Duration = Duration::from_secs(5);
/// From our first message to the provider's.
const BEGIN_WITHIN: Duration = Duration::from_secs(5);
/// A socket that does not take a letter for so long leads nowhere.
const SEND_WITHIN: Duration = Duration::from_secs(3);
/// What a farewell may take.
const FAREWELL_WITHIN: Duration = Duration::from_millis(250);
/// As the provider's own clients set it (facts, section 4).
const MESSAGE_MAX: usize = 16 * 1024 * 1024;
/// Of what is read at once: an idle conversation's share of memory.
const READ_BUFFER: usize = 4 * 1024;
/// Letters that are not taken, in the library's own buffer.
const WRITE_BUFFER_MAX: usize = 256 * 1024;

type AgentSocket = WebSocketStream<Socket>;

/// Serves one attempt's session on this leg until it ends. What comes is told to the leg's talk.
pub(crate) async fn serve(leg: &Leg, attempt: u8, trust: Option<&TlsRoots>) {
    let Some(plan) = leg.session_plan(attempt) else { return };
    let end = converse(leg, attempt, plan, trust).await;
    leg.session_closed(attempt, end);
}

/// What a session needs of its talk.
pub(crate) struct Plan {
    pub(crate) url: AgentUrl,
    pub(crate) initiation: String,
    pub(crate) letters: Rc<Letterbox>,
    pub(crate) begins: Rc<tokio::sync::Notify>,
}

async fn converse(leg: &Leg, attempt: u8, plan: Plan, trust: Option<&TlsRoots>) -> SocketEnd {
    // On the heap: what opening needs is not to be a part of a task that lives as long as its call.
    let mut socket = match Box::pin(open(&plan, trust)).await {
        Ok(socket) => socket,
        Err(end) => return end,
    };
    let first = timeout(BEGIN_WITHIN, socket.next()).await;
    let Ok(first) = first else { return SocketEnd::Broken("the agent did not begin in time".to_owned()) };
    if let Some(end) = hear(leg, attempt, first) {
        return end;
    }
    loop {
        tokio::select! {
            biased;
            letter = plan.letters.next() => {
                let Some(letter) = letter else {
                    let _late = timeout(FAREWELL_WITHIN, take_leave(&mut socket)).await;
                    return SocketEnd::Broken("it was given up".to_owned());
                };
                match timeout(SEND_WITHIN, socket.send(Message::Text(letter))).await {
                    Ok(Ok(())) => {}
                    // What it said last is still to be read: why it closed.
                    Ok(Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_))) => {}
                    Ok(Err(error)) => return SocketEnd::Broken(error.to_string()),
                    Err(_) => return SocketEnd::Broken("the agent takes no audio".to_owned()),
                }
            }
            message = socket.next() => {
                if let Some(end) = hear(leg, attempt, message) {
                    return end;
                }
            }
        }
    }
}

/// Closes, and reads on until the other side has closed too: a connection that is dropped with something unread is reset, and
/// the farewell may be lost with it.
async fn take_leave(socket: &mut AgentSocket) {
    let farewell = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
    if socket.close(Some(farewell)).await.is_ok() {
        while let Some(Ok(_)) = socket.next().await {}
    }
}

/// Everything that takes time is done before the conversation begins, and the first message goes right after the upgrade.
async fn open(plan: &Plan, trust: Option<&TlsRoots>) -> Result<AgentSocket, SocketEnd> {
    let url = plan.url.expose();
    let trust = match url.scheme() {
        "wss" => Some(trust.ok_or_else(|| SocketEnd::Refused("this host trusts no authority".to_owned()))?),
        _ => None,
    };
    let address = Address::of(url, trust)
        .ok_or_else(|| SocketEnd::Refused("the agent's address names no host".to_owned()))?;
    let broken = |error: &dyn std::fmt::Display| SocketEnd::Broken(error.to_string());
    let socket = timeout(CONNECT_WITHIN, address.connect())
        .await
        .map_err(|_| SocketEnd::Broken("the agent's host does not answer".to_owned()))?
        .map_err(|error| broken(&error))?;
    tokio::select! {
        biased;
        () = plan.begins.notified() => {}
        () = plan.letters.ended() => return Err(SocketEnd::Broken("it was given up".to_owned())),
    }
    let request = url.as_str().into_client_request().map_err(|error| refused(&error))?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_MAX)
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX));
    let upgraded = timeout(UPGRADE_WITHIN, client_async_with_config(request, socket, Some(config))).await;
    let (mut socket, _) = upgraded
        .map_err(|_| SocketEnd::Broken("the agent was not there in time".to_owned()))?
        .map_err(|error| refused(&error))?;
    let initiation = Message::Text(Utf8Bytes::from(plan.initiation.as_str()));
    timeout(SEND_WITHIN, socket.send(initiation))
        .await
        .map_err(|_| SocketEnd::Broken("the agent takes no message".to_owned()))?
        .map_err(|error| broken(&error))?;
    Ok(socket)
}

/// A client error is an answer that stays the same; anything else may be luck.
fn refused(error: &Error) -> SocketEnd {
    match error {
        Error::Http(response) if response.status().is_client_error() => {
            SocketEnd::Refused(format!("the agent was refused with status {}", response.status().as_u16()))
        }
        // The address is not part of what anybody is told: its signature opens a conversation.
        Error::Url(_) | Error::HttpFormat(_) => {
            SocketEnd::Refused("the agent's address cannot be used".to_owned())
        }
        other => SocketEnd::Broken(other.to_string()),
    }
}

/// Tells the leg, or how the socket ended.
fn hear(leg: &Leg, attempt: u8, message: Option<Result<Message, Error>>) -> Option<SocketEnd> {
    match message {
        Some(Ok(Message::Text(text))) => {
            leg.agent_said(attempt, &text, Instant::now());
            None
        }
        Some(Ok(Message::Close(Some(frame)))) => {
            Some(SocketEnd::Closed(frame.code.into(), frame.reason.to_string()))
        }
        Some(Ok(Message::Close(None))) | None => {
            Some(SocketEnd::Broken("it was closed without a code".to_owned()))
        }
        // Pings are answered by the library, and the provider sends nothing else.
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => None,
        Some(Err(error)) => Some(SocketEnd::Broken(error.to_string())),
    }
}
