//! A PBX for tests, over raw sockets on loopback: it issues tokens, lists legs, sends events, and fails as scripted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failed test is a failed test.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::ws::hash_key;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

use crate::threecx::access_token::{AccessTokens, TokenPublisher};
use crate::threecx::settings::{ClientSecret, Settings};

pub const DN: &str = "900";
pub const SECRET: &str = "very-secret";

/// A received request.
#[derive(Clone, Debug)]
pub struct Seen {
    pub line: String,
    pub head: String,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// A scripted answer in place of the PBX's.
#[derive(Clone, Debug)]
pub enum Answer {
    Reply(&'static str, String),
    /// An empty reply, after a delay.
    Late(Duration, &'static str),
    /// The connection closes without an answer.
    Close,
    /// No answer until the client leaves.
    Hang,
    /// Accepts a WebSocket and reads nothing from it, so it sends no pongs.
    Deaf,
}

enum Order {
    Send(Vec<u8>),
    /// Close frame with this code.
    Close(u16),
    Cut,
}

enum Line {
    Begins(String),
    Is(String),
}

impl Line {
    fn fits(&self, line: &str) -> bool {
        match self {
            Self::Begins(head) => line.starts_with(head),
            Self::Is(whole) => line == whole,
        }
    }
}

#[derive(Default)]
struct World {
    seen: RefCell<Vec<Seen>>,
    /// One-time answers.
    scripted: RefCell<VecDeque<(Line, Answer)>>,
    sockets_closed: Cell<usize>,
    tokens_given: Cell<u64>,
    /// Tokens up to this one are refused.
    revoked: Cell<u64>,
    legs: RefCell<Vec<Value>>,
    sockets: RefCell<Vec<mpsc::UnboundedSender<Order>>>,
    sequence: Cell<u64>,
    changed: Notify,
}

/// The PBX.
#[derive(Clone)]
pub struct ScriptedPbx {
    base: String,
    world: Rc<World>,
}

impl ScriptedPbx {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let pbx = Self { base, world: Rc::default() };
        let serving = pbx.clone();
        actix::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let pbx = serving.clone();
                actix::spawn(async move { pbx.serve(socket).await });
            }
        });
        pbx
    }

    /// Its listening address.
    pub fn address(&self) -> SocketAddr {
        self.base.trim_start_matches("http://").parse().unwrap()
    }

    pub fn settings(&self, within: Duration) -> Arc<Settings> {
        let secret = ClientSecret::new(SECRET);
        Arc::new(Settings::new(self.base.parse().unwrap(), DN, secret, within).unwrap())
    }

    /// Both sides of the access token, with a first token published.
    pub fn token_channel(&self) -> (AccessTokens, TokenPublisher) {
        let (tokens, mut desk) = TokenPublisher::channel();
        desk.publish(&self.give_token());
        (tokens, desk)
    }

    pub fn give_token(&self) -> String {
        self.world.tokens_given.set(self.world.tokens_given.get() + 1);
        format!("token{}", self.world.tokens_given.get())
    }

    /// Refuses all tokens issued so far.
    pub fn revoke(&self) {
        self.world.revoked.set(self.world.tokens_given.get());
    }

    pub fn tokens_given(&self) -> u64 {
        self.world.tokens_given.get()
    }

    /// Answers the next request whose line begins with `line`.
    pub fn script(&self, line: &str, answer: Answer) {
        self.world.scripted.borrow_mut().push_back((Line::Begins(line.to_owned()), answer));
    }

    /// Answers the next request with exactly this line.
    pub fn script_exactly(&self, line: &str, answer: Answer) {
        self.world.scripted.borrow_mut().push_back((Line::Is(line.to_owned()), answer));
    }

    pub fn set_legs(&self, legs: &[Value]) {
        *self.world.legs.borrow_mut() = legs.to_vec();
    }

    pub fn seen(&self, line: &str) -> Vec<Seen> {
        self.world.seen.borrow().iter().filter(|seen| seen.line.starts_with(line)).cloned().collect()
    }

    /// Waits until `times` requests whose line begins with `line` were received.
    pub async fn until_seen(&self, line: &str, times: usize) {
        self.until(|pbx| pbx.seen(line).len() >= times).await;
    }

    /// Waits until an open socket is closed.
    pub async fn until_closed(&self) {
        self.until(|pbx| pbx.world.sockets_closed.get() > 0).await;
    }

    async fn until(&self, reached: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.world.changed.notified();
            if reached(self) {
                return;
            }
            changed.await;
        }
    }

    /// Sends an event on the newest socket.
    pub fn event(&self, kind: i64, entity: &str, data: &Value) {
        self.world.sequence.set(self.world.sequence.get() + 1);
        let event = json!({"event_type": kind, "entity": entity, "attached_data": data});
        let frame = json!({"sequence": self.world.sequence.get(), "event": event}).to_string();
        self.order(Order::Send(text_frame(0x81, frame.as_bytes())));
    }

    pub fn upsert(&self, id: u64) {
        self.event(0, &format!("/callcontrol/{DN}/participants/{id}"), &Value::Null);
    }

    pub fn remove(&self, id: u64) {
        self.event(1, &format!("/callcontrol/{DN}/participants/{id}"), &Value::Null);
    }

    /// Sends raw bytes on the newest socket.
    pub fn raw(&self, bytes: Vec<u8>) {
        self.order(Order::Send(bytes));
    }

    pub fn close_socket(&self, code: u16) {
        self.order(Order::Close(code));
    }

    pub fn cut_socket(&self) {
        self.order(Order::Cut);
    }

    fn order(&self, order: Order) {
        let sockets = self.world.sockets.borrow();
        let _ = sockets.last().expect("a socket is open").send(order);
    }

    async fn serve(&self, mut socket: TcpStream) {
        while let Some(seen) = read_request(&mut socket).await {
            self.world.seen.borrow_mut().push(seen.clone());
            let scripted = {
                let mut scripted = self.world.scripted.borrow_mut();
                let place = scripted.iter().position(|(line, _)| line.fits(&seen.line));
                place.and_then(|place| scripted.remove(place)).map(|(_, answer)| answer)
            };
            self.world.changed.notify_waiters();
            let is_upgrade = seen.line.starts_with("GET /callcontrol/ws");
            let (status, body) = match scripted {
                Some(Answer::Reply(status, body)) => (status, body),
                Some(Answer::Late(after, status)) => {
                    tokio::time::sleep(after).await;
                    (status, String::new())
                }
                Some(Answer::Close) => return,
                Some(Answer::Hang) => {
                    let _ = socket.read_u8().await;
                    return;
                }
                Some(Answer::Deaf) => {
                    upgrade(&mut socket, &seen).await;
                    let mut orders = self.socket_opened();
                    while let Some(Order::Send(bytes)) = orders.recv().await {
                        if socket.write_all(&bytes).await.is_err() {
                            return;
                        }
                    }
                    return;
                }
                None if is_upgrade && self.knows_token(&seen) => {
                    upgrade(&mut socket, &seen).await;
                    let orders = self.socket_opened();
                    talk(socket, orders).await;
                    self.world.sockets_closed.set(self.world.sockets_closed.get() + 1);
                    self.world.changed.notify_waiters();
                    return;
                }
                None => self.answer(&seen),
            };
            let reply = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            if socket.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn socket_opened(&self) -> mpsc::UnboundedReceiver<Order> {
        let (orders, taken) = mpsc::unbounded_channel();
        self.world.sequence.set(0);
        self.world.sockets.borrow_mut().push(orders);
        self.world.changed.notify_waiters();
        taken
    }

    fn knows_token(&self, seen: &Seen) -> bool {
        let token = seen.header("authorization").and_then(|value| value.strip_prefix("Bearer token"));
        token.and_then(|number| number.parse::<u64>().ok()).is_some_and(|n| n > self.world.revoked.get())
    }

    fn answer(&self, seen: &Seen) -> (&'static str, String) {
        if seen.line == "POST /connect/token" {
            let token = self.give_token();
            return ("200 OK", json!({"access_token": token, "expires_in": 60}).to_string());
        }
        if !self.knows_token(seen) {
            return ("401 Unauthorized", String::new());
        }
        let legs = self.world.legs.borrow();
        if seen.line == "GET /callcontrol" {
            let other =
                json!({"dn": "150", "type": "Wextension", "participants": [leg(1, "Ringing", "0199")]});
            return (
                "200 OK",
                json!([{"dn": DN, "type": "Wroutepoint", "participants": *legs}, other]).to_string(),
            );
        }
        let id = seen.line.strip_prefix("GET /callcontrol/900/participants/");
        let found = id.and_then(|id| legs.iter().find(|leg| leg["id"].as_u64() == id.parse().ok()));
        found.map_or(("404 Not Found", String::new()), |leg| ("200 OK", leg.to_string()))
    }
}

/// JSON of a leg.
pub fn leg(id: u64, status: &str, caller: &str) -> Value {
    json!({"id": id, "status": status, "dn": DN, "party_caller_name": "", "party_dn": "10007",
        "party_caller_id": caller, "party_did": "", "device_id": "", "party_dn_type": "Wexternalline",
        "direct_control": false, "originated_by_dn": "", "originated_by_type": "None", "referred_by_dn": "",
        "referred_by_type": "None", "on_behalf_of_dn": "", "on_behalf_of_type": "None", "callid": 7, "legid": 1})
}

/// Runs a test with a limit of 60 s.
pub fn run<F: Future>(test: F) -> F::Output {
    actix::System::new()
        .block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.expect("in time") })
}

/// An unmasked frame; `first` is its first byte (0x81: a whole text).
pub fn text_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(u8::try_from(length).unwrap()),
        length if length <= 0xffff => {
            frame.push(126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend(u64::try_from(length).unwrap().to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

async fn read_request(socket: &mut TcpStream) -> Option<Seen> {
    let mut read = Vec::new();
    let head_end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(read[..head_end].to_vec()).unwrap();
    let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let mut seen = Seen { line, head, body: String::new() };
    let length: usize = seen.header("content-length").map_or(0, |value| value.parse().unwrap());
    while read.len() < head_end + length {
        if socket.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
    seen.body = String::from_utf8(read[head_end..].to_vec()).unwrap();
    Some(seen)
}

async fn upgrade(socket: &mut TcpStream, seen: &Seen) {
    let accept = hash_key(seen.header("sec-websocket-key").expect("an upgrade").as_bytes());
    let accept = String::from_utf8(accept.to_vec()).unwrap();
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    );
    let _ = socket.write_all(head.as_bytes()).await;
}

/// Sends what the test orders, and answers pings.
async fn talk(socket: TcpStream, mut orders: mpsc::UnboundedReceiver<Order>) {
    let (mut reading, mut writing) = socket.into_split();
    loop {
        let mut head = [0; 2];
        let bytes = tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Send(bytes)) => bytes,
                Some(Order::Close(code)) => text_frame(0x88, &code.to_be_bytes()),
                Some(Order::Cut) | None => return,
            },
            read = reading.read_exact(&mut head) => {
                if read.is_err() {
                    return;
                }
                // The client sends small masked frames only.
                let length = usize::from(head[1] & 0x7f);
                let mut rest = vec![0; 4 + length];
                if reading.read_exact(&mut rest).await.is_err() {
                    return;
                }
                let (mask, payload) = rest.split_at(4);
                let payload: Vec<u8> = payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b).collect();
                if head[0] != 0x89 {
                    continue;
                }
                text_frame(0x8a, &payload)
            }
        };
        if writing.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
