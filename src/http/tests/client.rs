//! A raw HTTP client that sends exactly the given bytes, to test misbehaving clients.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use precall_test_support::ApiDocument;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A complete response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn code(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        assert_eq!(problem["type"], format!("urn:precall:problem:{}", problem["code"].as_str().unwrap()));
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        problem["code"].as_str().unwrap().to_owned()
    }

    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Self { status, headers, body: body.to_owned() }
    }
}

/// Opens a connection.
pub async fn connect(address: SocketAddr) -> TcpStream {
    timeout(PATIENCE, TcpStream::connect(address)).await.unwrap().unwrap()
}

/// Reads a response to its announced length, or to the end of the connection.
pub async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let reading = async {
        let mut piece = [0_u8; 4096];
        while !is_whole(&bytes) {
            match stream.read(&mut piece).await.unwrap() {
                0 => return,
                count => bytes.extend_from_slice(&piece[..count]),
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("an answer in time");
    Answer::parse(&bytes)
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
    length.is_some_and(|length| body.len() >= length.parse::<usize>().unwrap())
}

/// Reads until `part` was received.
pub async fn read_until(stream: &mut TcpStream, part: &str) -> String {
    let mut bytes = Vec::new();
    let reading = async {
        let mut piece = [0_u8; 1024];
        while !String::from_utf8_lossy(&bytes).contains(part) {
            let count = stream.read(&mut piece).await.unwrap();
            assert!(count > 0, "the connection ended after {:?}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&piece[..count]);
        }
    };
    timeout(PATIENCE, reading).await.expect("in time");
    String::from_utf8(bytes).unwrap()
}

/// The head of a request.
pub fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head + "\r\n"
}

/// Sends a request with its length, and reads the response. A server that answers early may stop reading.
pub async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    documented(method, path, send_anywhere(address, method, path, headers, body).await)
}

/// As [`send`], to a listener that does not have the documented path.
pub async fn send_anywhere(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut stream = connect(address).await;
    let length = body.len().to_string();
    let mut all = headers.to_vec();
    all.push(("content-length", &length));
    stream.write_all(head(method, path, &all).as_bytes()).await.unwrap();
    drop(stream.write_all(body).await);
    read_answer(&mut stream).await
}

/// Checks that an answer is as the OpenAPI document says.
fn documented(method: &str, path: &str, answer: Answer) -> Answer {
    let media_type = answer.headers.get("content-type").map(String::as_str);
    let body = answer.body.as_bytes();
    let objection = ApiDocument::shared().objection((method, path), answer.status, media_type, body);
    assert_eq!(objection, None, "an answer is not as documented");
    answer
}

/// Sends a request in chunks, without a length.
pub async fn send_chunked(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    chunks: impl Iterator<Item = Vec<u8>>,
) -> Answer {
    let mut stream = connect(address).await;
    let mut all = headers.to_vec();
    all.push(("transfer-encoding", "chunked"));
    stream.write_all(head("POST", path, &all).as_bytes()).await.unwrap();
    for chunk in chunks {
        let framed = [format!("{:x}\r\n", chunk.len()).into_bytes(), chunk, b"\r\n".to_vec()].concat();
        if stream.write_all(&framed).await.is_err() {
            break;
        }
    }
    drop(stream.write_all(b"0\r\n\r\n").await);
    documented("POST", path, read_answer(&mut stream).await)
}

/// Sends a GET.
pub async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(address, "GET", path, headers, b"").await
}
