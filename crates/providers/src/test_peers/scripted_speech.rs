//! A text-to-speech server for tests: answers by a script and records the requests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// First line without the HTTP version.
    pub line: String,
    /// The head in lower case.
    pub head: String,
    /// The body as JSON; null if there is none.
    pub body: Value,
}

/// One answer.
pub enum Reply {
    /// Status 200 with this content type and body.
    Good(&'static str, Vec<u8>),
    /// This status line and JSON.
    Bad(&'static str, &'static str),
    /// No answer until the client disconnects.
    Never,
}

/// The server; it stops with the test's runtime.
pub struct SpeechServer {
    /// Its address.
    pub base: String,
    asked: Rc<RefCell<Vec<Asked>>>,
}

impl SpeechServer {
    /// Answers each request by `script`.
    pub async fn start(script: impl Fn(&Asked) -> Reply + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (asked, script) = (Rc::new(RefCell::new(Vec::new())), Rc::new(script));
        let server = Self { base, asked: Rc::clone(&asked) };
        tokio::task::spawn_local(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (asked, script) = (Rc::clone(&asked), Rc::clone(&script));
                tokio::task::spawn_local(async move {
                    while let Some(request) = read(&mut socket).await {
                        asked.borrow_mut().push(request.clone());
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

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
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
