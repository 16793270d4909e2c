//! A minimal HTTP client, so that the load generator costs little beside the service.

use std::net::SocketAddr;
use std::time::Duration;

use precall::signature::{Kind, sign};
use precall_base::clock;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::Outcome;

const EXCHANGE_WITHIN: Duration = Duration::from_secs(30);

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Its body as JSON.
    pub fn json(&self) -> Outcome<Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

/// A kept-alive connection.
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Opens a connection.
    pub async fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = tokio::time::timeout(EXCHANGE_WITHIN, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::with_capacity(64 * 1024, stream)))
    }

    /// Sends these bytes and reads the answer.
    pub async fn exchange(&mut self, request: &[u8]) -> Outcome<Answer> {
        tokio::time::timeout(EXCHANGE_WITHIN, self.send_and_read(request)).await?
    }

    async fn send_and_read(&mut self, request: &[u8]) -> Outcome<Answer> {
        self.0.get_mut().write_all(request).await?;
        let (mut line, mut status, mut length) = (String::new(), None, 0_usize);
        loop {
            line.clear();
            if self.0.read_line(&mut line).await? == 0 {
                return Err("the server closed the connection".into());
            }
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            match text.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse()?;
                }
                Some(_) => {}
                None => status = text.split(' ').nth(1).and_then(|code| code.parse().ok()),
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok(Answer { status: status.ok_or("no status line")?, body })
    }
}

/// Sends one request on a new connection.
pub async fn once(address: SocketAddr, request: &[u8]) -> Outcome<Answer> {
    Connection::open(address).await?.exchange(request).await
}

/// A request without a body.
pub fn plain(method: &str, path: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

/// A request without a body, with an API key.
pub fn with_key(method: &str, path: &str, key: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nhost: bench\r\nx-api-key: {key}\r\ncontent-length: 0\r\n\r\n")
        .into_bytes()
}

/// A signed 3CX webhook.
pub fn webhook(secret: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let (name, value) = sign(Kind::ThreeCx, secret.as_bytes(), body.as_bytes(), clock::wall());
    format!(
        "POST /webhook/3cx HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n{name}: {value}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
