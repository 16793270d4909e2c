//! The simulated PBX over real HTTP and WebSockets: what a client of 3CX sees, and what a check may order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A test may fail loudly.

use std::pin::Pin;
use std::time::Duration;

use awc::{Client, ws};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{CallReport, NewCall, Options, Placed, Simulator};
use crate::shared::test_client::{Reply, eventually, reply};

mod actions;
mod audio;
mod calls;
mod connections;
mod ear;
mod events;
mod extensions;
mod faults;
mod front_door;
mod grants;
mod options;
mod ring;
mod second_client;
mod tokens;
mod transfers;
mod trunks;
mod webhooks;

const SECRET: &str = "pbx-secret";
const WITHIN: Duration = Duration::from_secs(10);

/// A PBX and a client that has a token.
struct Pbx {
    simulator: Simulator,
    client: Client,
    token: String,
}

fn options() -> Options {
    Options::new("900", SECRET.parse().unwrap())
}

impl Pbx {
    async fn with(options: Options) -> Self {
        let simulator = Simulator::start(options).await.unwrap();
        let client = Client::builder().timeout(WITHIN).disable_redirects().finish();
        let mut pbx = Self { simulator, client, token: String::new() };
        pbx.log_in().await;
        pbx
    }

    async fn default() -> Self {
        Self::with(options()).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.simulator.base_url())
    }

    async fn ask_token(&self) -> Reply {
        let form = format!("client_id=900&client_secret={SECRET}&grant_type=client_credentials");
        self.post_token("application/x-www-form-urlencoded", form).await
    }

    async fn post_token(&self, content_type: &str, body: String) -> Reply {
        let request = self
            .client
            .post(self.url("/connect/token"))
            .insert_header(("content-type", content_type.to_owned()));
        reply(request.send_body(body).await.unwrap()).await
    }

    async fn log_in(&mut self) {
        let answer = self.ask_token().await;
        self.token = answer.json()["access_token"].as_str().unwrap().to_owned();
    }

    fn bearer(&self) -> (&'static str, String) {
        ("authorization", format!("Bearer {}", self.token))
    }

    async fn get(&self, path: &str) -> Reply {
        reply(self.client.get(self.url(path)).insert_header(self.bearer()).send().await.unwrap()).await
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        let request = self.client.post(self.url(path)).insert_header(self.bearer());
        reply(request.send_json(body).await.unwrap()).await
    }

    async fn put(&self, path: &str, body: &Value) -> Reply {
        reply(self.client.put(self.url(path)).send_json(body).await.unwrap()).await
    }

    fn place(&self, call: NewCall) -> Placed {
        self.simulator.place_call(call).unwrap()
    }

    fn rings(&self) -> Placed {
        self.place(NewCall::from("+49301234567"))
    }

    fn call(&self, placed: &Placed) -> CallReport {
        self.simulator.call(&placed.call_id).unwrap()
    }

    /// Waits until the call looks so.
    async fn until(&self, placed: &Placed, what: &str, looks: impl Fn(&CallReport) -> bool) -> CallReport {
        eventually(what, || async { Some(self.call(placed)).filter(|call| looks(call)) }).await
    }

    async fn listens(&self) -> Socket {
        let request =
            self.client.ws(self.url("/callcontrol/ws")).set_header("authorization", self.bearer().1);
        Socket(Box::pin(request.connect().await.unwrap().1))
    }

    /// Opens the caller's sound once it is ready.
    async fn hears(&self, placed: &Placed) -> Hearing {
        let path = stream_path(placed);
        eventually("the stream is ready", || async {
            let hearing = Hearing::open(self, &path).await;
            (hearing.status == 200).then_some(hearing)
        })
        .await
    }

    async fn speaks(&self, placed: &Placed) -> Speaker {
        Speaker::open(self, &stream_path(placed)).await
    }
}

fn stream_path(placed: &Placed) -> String {
    format!("{}/stream", leg_path(placed))
}

fn leg_path(placed: &Placed) -> String {
    format!("/callcontrol/900/participants/{}", placed.participant_id)
}

/// A WebSocket of a client.
struct Socket(Pin<Box<dyn Frames>>);

/// What awc gives for a WebSocket, by what it can do.
trait Frames:
    Stream<Item = Result<ws::Frame, actix_ws::ProtocolError>> + Sink<ws::Message, Error = actix_ws::ProtocolError>
{
}

impl<T> Frames for T where
    T: Stream<Item = Result<ws::Frame, actix_ws::ProtocolError>>
        + Sink<ws::Message, Error = actix_ws::ProtocolError>
{
}

impl Socket {
    /// The next event.
    async fn event(&mut self) -> Value {
        loop {
            match tokio::time::timeout(WITHIN, self.0.next()).await.expect("an event in time") {
                Some(Ok(ws::Frame::Text(text))) => return serde_json::from_slice(&text).unwrap(),
                Some(Ok(ws::Frame::Ping(payload))) => self.0.send(ws::Message::Pong(payload)).await.unwrap(),
                other => panic!("no event but {other:?}"),
            }
        }
    }

    /// The next event of this type about a leg.
    async fn event_of(&mut self, placed: &Placed, kind: u8) -> Value {
        let entity = leg_path(placed);
        loop {
            let event = self.event().await;
            if event["event"]["entity"] == entity && event["event"]["event_type"] == kind {
                return event;
            }
        }
    }

    async fn appears(&mut self, placed: &Placed) -> Value {
        self.event_of(placed, 0).await
    }

    async fn disappears(&mut self, placed: &Placed) -> Value {
        self.event_of(placed, 1).await
    }

    /// How the connection ends: the close code, none when it is dropped.
    async fn ends(&mut self) -> Option<u16> {
        loop {
            match tokio::time::timeout(WITHIN, self.0.next()).await.expect("an end in time") {
                Some(Ok(ws::Frame::Close(reason))) => return reason.map(|reason| reason.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    async fn send(&mut self, message: ws::Message) {
        self.0.send(message).await.unwrap();
    }
}

/// A connection whose bytes we see as they are.
struct Wire(TcpStream);

impl Wire {
    async fn open(pbx: &Pbx, head: &str) -> Self {
        let address = pbx.simulator.base_url().replace("http://", "");
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let head = format!("{head}\r\nHost: pbx\r\nAuthorization: Bearer {}\r\n\r\n", pbx.token);
        stream.write_all(head.as_bytes()).await.unwrap();
        Self(stream)
    }

    async fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        let read = tokio::time::timeout(WITHIN, self.0.read(&mut byte)).await.expect("a byte in time");
        read.ok().filter(|count| *count == 1).map(|_| byte[0])
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(self.byte().await?);
        }
        Some(String::from_utf8(line).unwrap().trim_end().to_owned())
    }

    /// The status of the answer; none when the connection ends without one.
    async fn status(&mut self) -> Option<u16> {
        let first = self.line().await?;
        while !self.line().await?.is_empty() {}
        first.split(' ').nth(1).unwrap().parse().ok()
    }
}

/// A GET stream, chunk by chunk.
struct Hearing {
    wire: Wire,
    status: u16,
}

/// What a chunked body brings next.
#[derive(Debug, PartialEq, Eq)]
enum Chunk {
    Sound(Vec<u8>),
    /// The body ends as it should.
    End,
    /// The connection breaks.
    Broken,
}

impl Hearing {
    async fn open(pbx: &Pbx, path: &str) -> Self {
        let mut wire = Wire::open(pbx, &format!("GET {path} HTTP/1.1")).await;
        let status = wire.status().await.unwrap();
        Self { wire, status }
    }

    async fn chunk(&mut self) -> Chunk {
        let Some(size) = self.wire.line().await else { return Chunk::Broken };
        let size = usize::from_str_radix(&size, 16).unwrap();
        let mut sound = vec![0; size + 2];
        if self.wire.0.read_exact(&mut sound).await.is_err() {
            return Chunk::Broken;
        }
        sound.truncate(size);
        if size == 0 { Chunk::End } else { Chunk::Sound(sound) }
    }

    /// Reads to the end, and says how it came.
    async fn end(&mut self) -> Chunk {
        loop {
            match self.chunk().await {
                Chunk::Sound(_) => {}
                end => return end,
            }
        }
    }
}

/// A POST stream, written by hand: awc holds frames back.
struct Speaker(Wire);

impl Speaker {
    async fn open(pbx: &Pbx, path: &str) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Type: application/octet-stream"
        );
        Self(Wire::open(pbx, &head).await)
    }

    /// One chunk; false when the connection does not take it.
    async fn say(&mut self, sound: &[u8]) -> bool {
        let mut chunk = format!("{:x}\r\n", sound.len()).into_bytes();
        chunk.extend_from_slice(sound);
        chunk.extend_from_slice(b"\r\n");
        self.0.0.write_all(&chunk).await.is_ok()
    }

    /// Sends this many frames, one every 20 ms.
    async fn say_for(&mut self, frames: u32, sample: i16) {
        let frame = tone(160, sample);
        let mut clock = tokio::time::interval(Duration::from_millis(20));
        for _ in 0..frames {
            clock.tick().await;
            assert!(self.say(&frame).await);
        }
    }

    async fn finish(&mut self) {
        self.0.0.write_all(b"0\r\n\r\n").await.unwrap();
    }

    async fn status(&mut self) -> Option<u16> {
        self.0.status().await
    }
}

/// This many samples of one level.
fn tone(samples: usize, sample: i16) -> Vec<u8> {
    sample.to_le_bytes().repeat(samples)
}
