//! A collector of traces on loopback: it takes OTLP over HTTP, and answers as a test tells it to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::wait::until;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectorAnswer {
    /// It takes the spans.
    Take,
    /// This status, with `Retry-After: 1`.
    Busy(u16),
    /// This status.
    Refuse(u16),
    /// It reads the request and never answers.
    Hang,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The head, as it came.
    pub head: String,
    /// The body, as it came.
    pub body: Vec<u8>,
    /// Whether the answer was a success.
    pub taken: bool,
}

/// A running collector.
pub struct TestCollector {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    answer: CollectorAnswer,
    requests: Vec<Exported>,
}

impl TestCollector {
    pub async fn start(answer: CollectorAnswer) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), answer).await
    }

    /// At an address that was free a moment ago.
    pub async fn at(address: SocketAddr, answer: CollectorAnswer) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { answer, requests: Vec::new() }));
        let of_connections = Arc::clone(&state);
        actix::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                actix::spawn(serve(socket, Arc::clone(&of_connections)));
            }
        });
        Self { address, state }
    }

    /// `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn answer(&self, answer: CollectorAnswer) {
        self.state.lock().unwrap().answer = answer;
    }

    pub fn requests(&self) -> Vec<Exported> {
        self.state.lock().unwrap().requests.clone()
    }

    /// All spans that it took, in the order in which they came.
    pub fn spans(&self) -> Vec<Span> {
        let taken = self.requests().into_iter().filter(|request| request.taken);
        taken.flat_map(|request| request.spans()).collect()
    }

    /// Waits until it took a root span of this trace. Returns the spans of that trace.
    pub async fn trace(&self, trace_id: &str) -> Vec<Span> {
        let of_trace = || {
            let all = self.spans();
            all.into_iter().filter(|span| hex::encode(&span.trace_id) == trace_id).collect::<Vec<_>>()
        };
        until("the trace is sent", || async { of_trace().iter().any(|span| span.parent_span_id.is_empty()) })
            .await;
        of_trace()
    }
}

impl Exported {
    /// The spans of the request, in either form.
    pub fn spans(&self) -> Vec<Span> {
        let request = if self.head.to_ascii_lowercase().contains("content-type: application/json") {
            serde_json::from_slice(&self.body).unwrap()
        } else {
            ExportTraceServiceRequest::decode(self.body.as_slice()).unwrap()
        };
        let scopes = request.resource_spans.into_iter().flat_map(|process| process.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

async fn serve(mut socket: TcpStream, state: Arc<Mutex<State>>) {
    while let Some((head, body)) = read_request(&mut socket).await {
        let answer = state.lock().unwrap().answer;
        let taken = answer == CollectorAnswer::Take;
        state.lock().unwrap().requests.push(Exported { head, body, taken });
        let reply = match answer {
            CollectorAnswer::Take => "200 OK\r\ncontent-type: application/x-protobuf".to_owned(),
            CollectorAnswer::Busy(status) => format!("{status} Busy\r\nretry-after: 1"),
            CollectorAnswer::Refuse(status) => format!("{status} No"),
            CollectorAnswer::Hang => std::future::pending().await,
        };
        let reply = format!("HTTP/1.1 {reply}\r\ncontent-length: 0\r\n\r\n");
        if socket.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// None at the end of the connection.
async fn read_request(socket: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    let head_end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&read[..head_end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
    });
    let whole = head_end + length.unwrap_or(0);
    while read.len() < whole {
        if socket.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
    Some((head, read[head_end..].to_vec()))
}
