//! A client of the agent's WebSocket, written by hand: it shares nothing with ours.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::{Duration, Instant};

use awc::error::WsProtocolError;
use awc::ws;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use serde_json::{Value, json};

use super::super::{Agent, SessionReport};
use super::{Provider, eventually};

const WITHIN: Duration = Duration::from_secs(10);

type Frames = Pin<Box<dyn Stream<Item = Result<ws::Frame, WsProtocolError>>>>;
type Messages = Pin<Box<dyn Sink<ws::Message, Error = WsProtocolError>>>;

/// Something that came.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Came {
    Message(Value),
    /// Text that is no JSON.
    Text(String),
    Pong,
    /// Close code and reason; no code when the connection was dropped.
    End(Option<u16>, String),
}

/// An open socket.
pub(super) struct Socket {
    frames: Frames,
    messages: Messages,
    /// Everything that came so far, and when.
    pub came: Vec<(Instant, Came)>,
    waiting: VecDeque<Value>,
    pub protocol: Option<String>,
}

impl Socket {
    pub async fn send_text(&mut self, text: String) {
        self.messages.send(ws::Message::Text(text.into())).await.unwrap();
    }

    pub async fn send(&mut self, message: Value) {
        self.send_text(message.to_string()).await;
    }

    pub async fn send_frame(&mut self, frame: ws::Message) {
        self.messages.send(frame).await.unwrap();
    }

    /// The first message of a conversation.
    pub async fn initiate(&mut self, mut data: Value) {
        data["type"] = json!("conversation_initiation_client_data");
        self.send(data).await;
    }

    /// A chunk of the caller's audio.
    pub async fn say(&mut self, audio: &[u8]) {
        self.send(json!({"user_audio_chunk": STANDARD.encode(audio)})).await;
    }

    /// Sends this many frames of 8 kHz, one every 20 ms. Messages that arrive meanwhile are read later.
    pub async fn say_for(&mut self, frames: u32, height: i16) {
        let frame = height.to_le_bytes().repeat(160);
        let mut clock = tokio::time::interval(Duration::from_millis(20));
        for _ in 0..frames {
            clock.tick().await;
            self.say(&frame).await;
        }
    }

    /// The next thing that comes.
    pub async fn next(&mut self) -> Came {
        let frame = tokio::time::timeout(WITHIN, self.frames.next()).await.expect("nothing came");
        let came = match frame {
            Some(Ok(ws::Frame::Text(text))) => serde_json::from_slice(&text)
                .map_or_else(|_| Came::Text(String::from_utf8_lossy(&text).into_owned()), Came::Message),
            Some(Ok(ws::Frame::Pong(_))) => Came::Pong,
            Some(Ok(ws::Frame::Close(reason))) => {
                let code = reason.as_ref().map(|reason| u16::from(reason.code));
                Came::End(code, reason.and_then(|reason| reason.description).unwrap_or_default())
            }
            Some(Err(_)) | None => Came::End(None, String::new()),
            other => panic!("{other:?}"),
        };
        self.came.push((Instant::now(), came.clone()));
        came
    }

    /// Reads until a message of this type comes.
    pub async fn until(&mut self, kind: &str) -> Value {
        if let Some(at) = self.waiting.iter().position(|message| message["type"] == kind) {
            return self.waiting.remove(at).unwrap();
        }
        loop {
            match self.next().await {
                Came::Message(message) if message["type"] == kind => return message,
                Came::Message(_) | Came::Text(_) | Came::Pong => {}
                Came::End(code, reason) => {
                    panic!("ended with {code:?} {reason} before {kind}: {:?}", self.kinds())
                }
            }
        }
    }

    /// Reads to the end: its code and reason.
    pub async fn ends(&mut self) -> (Option<u16>, String) {
        loop {
            if let Came::End(code, reason) = self.next().await {
                return (code, reason);
            }
        }
    }

    /// Every message of this type that came.
    pub fn all(&self, kind: &str) -> Vec<Value> {
        self.timed(kind).into_iter().map(|(_, message)| message).collect()
    }

    /// The same, with when each came.
    pub fn timed(&self, kind: &str) -> Vec<(Instant, Value)> {
        let of_kind = self.came.iter().filter_map(|(at, came)| match came {
            Came::Message(message) if message["type"] == kind => Some((*at, message.clone())),
            _ => None,
        });
        of_kind.collect()
    }

    /// The types of what came, without pings.
    pub fn kinds(&self) -> Vec<String> {
        let kinds = self.came.iter().filter_map(|(_, came)| match came {
            Came::Message(message) => message["type"].as_str().map(str::to_owned),
            Came::Text(_) | Came::Pong | Came::End(..) => None,
        });
        kinds.filter(|kind| kind != "ping").collect()
    }

    /// All of the agent's audio, decoded.
    pub fn audio(&self) -> Vec<u8> {
        self.all("audio").iter().flat_map(audio_of).collect()
    }
}

/// The sound of an audio message.
pub(super) fn audio_of(message: &Value) -> Vec<u8> {
    STANDARD.decode(message["audio_event"]["audio_base_64"].as_str().unwrap()).unwrap()
}

/// The tone of some PCM, by how often it crosses zero.
pub(super) fn tone_hz(samples: &[i16], rate: u32) -> u32 {
    let crossings = samples.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
    u32::try_from(crossings).unwrap() * rate / u32::try_from(samples.len()).unwrap()
}

pub(super) fn samples(pcm: &[u8]) -> Vec<i16> {
    pcm.as_chunks::<2>().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect()
}

/// An agent with this script.
pub(super) fn agent(script: Value) -> Agent {
    Agent { script: serde_json::from_value(script).unwrap(), ..super::open_agent() }
}

impl Provider {
    /// Opens the socket of an address.
    pub(super) async fn opens(&self, url: &str) -> Socket {
        let (response, framed) =
            self.client.ws(url).protocols(["convai"]).max_frame_size(16 << 20).connect().await.unwrap();
        let protocol = response.headers().get("sec-websocket-protocol");
        let protocol = protocol.map(|value| value.to_str().unwrap().to_owned());
        let (messages, frames) = framed.split();
        Socket {
            frames: Box::pin(frames),
            messages: Box::pin(messages),
            came: Vec::new(),
            waiting: VecDeque::new(),
            protocol,
        }
    }

    pub(super) fn socket_url(&self) -> String {
        self.url("/v1/convai/conversation?agent_id=agent_1").replace("http://", "ws://")
    }

    /// Opens a conversation with a public agent and says what it shall be like.
    pub(super) async fn sessions(&self, initiation: Value) -> Socket {
        let mut socket = self.opens(&self.socket_url()).await;
        socket.initiate(initiation).await;
        socket
    }

    /// A conversation whose agent follows this script.
    pub(super) async fn follows(&self, script: Value) -> Socket {
        self.simulator.set_agent(agent(script));
        self.sessions(json!({})).await
    }

    /// What became of the last conversation.
    pub(super) fn last_talk(&self) -> SessionReport {
        self.simulator.sessions().pop().unwrap()
    }

    /// Waits until the last conversation looks so.
    pub(super) async fn session_until(
        &self,
        what: &str,
        looks: impl Fn(&SessionReport) -> bool,
    ) -> SessionReport {
        eventually(what, || async { Some(self.last_talk()).filter(|session| looks(session)) }).await
    }
}
