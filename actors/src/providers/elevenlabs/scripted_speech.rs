//! A server for tests of what is spoken: answers by a script, remembers what was asked and how much of it at once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Its first line without the version.
    pub line: String,
    /// The head as it came.
    pub head: String,
    /// The body; null when there was none.
    pub body: Value,
}

/// One answer.
pub(crate) enum Reply {
    /// 200 with that content type and body.
    Good(&'static str, Vec<u8>),
    /// That status line and JSON.
    Bad(&'static str, &'static str),
    /// None until the client leaves.
    Never,
}

/// The server; it ends with the test's runtime.
pub(crate) struct SpeechServer {
    /// Its address.
    pub base: String,
    asked: Rc<RefCell<Vec<Asked>>>,
    most_at_once: Rc<Cell<usize>>,
}

impl SpeechServer {
    /// Answers each request by `script`.
    pub async fn start(script: impl Fn(&Asked) -> Reply + 'static) -> Self {
        Self::start_meeting(1, script).await
    }

    /// The same, but each answer waits until so many requests are there.
    pub async fn start_meeting(together: usize, script: impl Fn(&Asked) -> Reply + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (asked, most_at_once) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(0)));
        let (now, script, barrier) =
            (Rc::new(Cell::new(0_usize)), Rc::new(script), Rc::new(Barrier::new(together)));
        let server = Self { base, asked: Rc::clone(&asked), most_at_once: Rc::clone(&most_at_once) };
        tokio::task::spawn_local(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (asked, most, now) = (Rc::clone(&asked), Rc::clone(&most_at_once), Rc::clone(&now));
                let (script, barrier) = (Rc::clone(&script), Rc::clone(&barrier));
                tokio::task::spawn_local(async move {
                    while let Some(request) = read(&mut socket).await {
                        now.set(now.get() + 1);
                        most.set(most.get().max(now.get()));
                        asked.borrow_mut().push(request.clone());
                        barrier.wait().await;
                        now.set(now.get() - 1);
                        let (status, kind, body) = match script(&request) {
                            Reply::Good(kind, body) => ("200 OK", kind, body),
                            Reply::Bad(status, body) => (status, "application/json", body.into()),
                            Reply::Never => std::future::pending().await,
                        };
                        let length = body.len();
                        let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n");
                        let head = format!("{head}content-length: {length}\r\n\r\n");
                        let _ = socket.write_all(&[head.as_bytes(), &body].concat()).await;
                    }
                });
            }
        });
        server
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }

    /// How many requests there were at most before the first of them was answered.
    pub fn most_at_once(&self) -> usize {
        self.most_at_once.get()
    }
}

async fn read(socket: &mut TcpStream) -> Option<Asked> {
    let mut read = Vec::new();
    let head_end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(read[..head_end].to_vec()).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    while read.len() < head_end + length {
        if socket.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
    let text = String::from_utf8_lossy(&read).into_owned();
    let line = text.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    Some(Asked { line, head, body: serde_json::from_slice(&read[head_end..]).unwrap_or(Value::Null) })
}
