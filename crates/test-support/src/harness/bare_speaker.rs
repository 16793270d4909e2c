//! The baseline for the first audio frame: a bare loop that reads the events of the PBX and writes one frame to each
//! new leg. The difference between it and the service is what the service adds.

use std::cell::RefCell;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::Outcome;
use super::client::once;
use super::pbx::CLIENT_ID;
use super::world::SECRET;

/// 20 ms.
const FRAME_BYTES: usize = 320;
const SMALL_BYTES: usize = 125;

/// Runs until it is dropped.
pub struct BareSpeaker {
    spoken: Rc<RefCell<Spoken>>,
    listening: JoinHandle<()>,
}

#[derive(Default)]
struct Spoken {
    /// From the event to the first frame handed to the socket.
    took: Vec<Duration>,
    /// Kept open, as a real client does.
    streams: Vec<TcpStream>,
}

impl Drop for BareSpeaker {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl BareSpeaker {
    /// Connects to the PBX and waits for events.
    pub async fn start(pbx: SocketAddr) -> Outcome<Self> {
        let token = Rc::new(token(pbx).await?);
        let mut socket = BufReader::new(TcpStream::connect(pbx).await?);
        let upgrade = format!(
            "GET /callcontrol/ws HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\nconnection: Upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: YmVuY2gtYmVuY2gtYmVuYw==\r\n\r\n"
        );
        socket.write_all(upgrade.as_bytes()).await?;
        let mut line = String::new();
        socket.read_line(&mut line).await?;
        if !line.contains(" 101 ") {
            return Err(format!("no WebSocket: {line}").into());
        }
        while line.trim() != "" {
            line.clear();
            socket.read_line(&mut line).await?;
        }
        let spoken: Rc<RefCell<Spoken>> = Rc::default();
        let known = Rc::clone(&spoken);
        let listening = tokio::task::spawn_local(async move {
            let mut greeted = HashSet::new();
            while let Ok(event) = event(&mut socket).await {
                let received = Instant::now();
                let Some(leg) = upserted(&event).filter(|leg| greeted.insert(leg.clone())) else { continue };
                let (known, token) = (Rc::clone(&known), Rc::clone(&token));
                tokio::task::spawn_local(async move {
                    if let Ok(stream) = speak(pbx, &token, &leg).await {
                        let mut known = known.borrow_mut();
                        known.took.push(received.elapsed());
                        known.streams.push(stream);
                    }
                });
            }
        });
        Ok(Self { spoken, listening })
    }

    /// One duration for each call so far.
    pub fn took(&self) -> Vec<Duration> {
        self.spoken.borrow().took.clone()
    }
}

async fn token(pbx: SocketAddr) -> Outcome<String> {
    let form = format!("client_id={CLIENT_ID}&client_secret={SECRET}&grant_type=client_credentials");
    let request = format!(
        "POST /connect/token HTTP/1.1\r\nhost: bench\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{form}",
        form.len()
    );
    let answer = once(pbx, request.as_bytes()).await?.json()?;
    let token = answer.get("access_token").and_then(Value::as_str);
    Ok(token.ok_or("no access token")?.to_owned())
}

/// The next text frame. Servers do not mask frames, and events are small and not fragmented.
async fn event(socket: &mut BufReader<TcpStream>) -> Outcome<Value> {
    let mut head = [0; 2];
    socket.read_exact(&mut head).await?;
    let length = match usize::from(head[1] & 0x7f) {
        small @ 0..=SMALL_BYTES => small,
        126 => usize::from(socket.read_u16().await?),
        _ => return Err("a WebSocket frame that is longer than any event".into()),
    };
    let mut text = vec![0; length];
    socket.read_exact(&mut text).await?;
    Ok(serde_json::from_slice(&text).unwrap_or_default())
}

fn upserted(event: &Value) -> Option<String> {
    let event = event.get("event")?;
    let entity = event.get("entity")?.as_str()?;
    let is_upsert = event.get("event_type")?.as_u64() == Some(0);
    (is_upsert && entity.contains("/participants/")).then(|| entity.to_owned())
}

/// Opens the stream and writes a frame of silence into it.
async fn speak(pbx: SocketAddr, token: &str, leg: &str) -> Outcome<TcpStream> {
    let mut stream = TcpStream::connect(pbx).await?;
    stream.set_nodelay(true)?;
    let head = format!(
        "POST {leg}/stream HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
         content-type: application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\n{FRAME_BYTES:x}\r\n"
    );
    let mut bytes = head.into_bytes();
    bytes.extend([0; FRAME_BYTES]);
    bytes.extend(b"\r\n");
    stream.write_all(&bytes).await?;
    Ok(stream)
}
