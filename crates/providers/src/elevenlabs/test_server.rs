//! A raw HTTP server on loopback that the client's tests script, and sample requests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failed test is a failed test.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use precall_call::{CallId, Purpose, VoiceId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::client::ElevenLabs;
use super::error::{Execution, ProviderError, ProviderErrorKind as Kind};
use super::requests::{AddVoice, OutboundCall, Telephony, VariableValue};
use super::settings::{ApiKey, Settings};
use super::voice_sample::{SampleFormat, VoiceSample};

pub(super) const LONG: Duration = Duration::from_secs(20);

pub(super) fn run<F: Future>(test: F) -> F::Output {
    actix::System::new()
        .block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.unwrap() })
}

pub(super) fn client(base: &str) -> ElevenLabs {
    ElevenLabs::new(Arc::new(Settings::new(base.parse().unwrap(), ApiKey::new("sk_test")).unwrap()))
}

/// Starts a server that passes each connection to `each`; returns its address.
pub(super) async fn server<F, Fut>(each: F) -> String
where
    F: Fn(TcpStream) -> Fut + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    actix::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            actix::spawn(each(socket));
        }
    });
    base
}

/// Reads one complete request: head and body. None at the end of the connection.
pub(super) async fn read_request(socket: &mut TcpStream) -> Option<(String, Vec<u8>)> {
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
    let length = header(&head, "content-length").map_or(0, |value| value.parse().unwrap());
    while read.len() < head_end + length {
        if socket.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
    Some((head, read[head_end..].to_vec()))
}

pub(super) fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then(|| value.to_owned())
    })
}

pub(super) fn answer(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Starts a server that answers each request with `bytes`, then closes.
pub(super) async fn answering(bytes: Vec<u8>) -> String {
    let bytes = Rc::new(bytes);
    server(move |mut socket| {
        let bytes = Rc::clone(&bytes);
        async move {
            if read_request(&mut socket).await.is_some() {
                let _ = socket.write_all(&bytes).await;
            }
        }
    })
    .await
}

pub(super) fn call() -> OutboundCall {
    OutboundCall {
        telephony: Telephony::SipTrunk,
        agent_id: "agent_1".to_owned(),
        phone_number_id: "phnum_1".to_owned(),
        to: "+4917112345678".parse().unwrap(),
        call: CallId(0x0192_0000_0000_7000_8000_0000_0000_0001),
        purpose: Purpose::Agent,
        voice: Some(VoiceId::new("voice_1")),
        first_message: Some(String::new()),
        language: None,
        max_duration: Some(Duration::from_millis(90_500)),
        ringing_timeout: Some(Duration::from_secs(45)),
        trace: None,
        dynamic_variables: vec![
            ("customer".to_owned(), VariableValue::Text("Anna".to_owned())),
            ("call_id".to_owned(), VariableValue::Text("not ours".to_owned())),
        ],
    }
}

pub(super) fn voice(bytes: usize) -> AddVoice {
    let content = Bytes::from(vec![b'x'; bytes]);
    AddVoice {
        name: "precall-inst-job".to_owned(),
        description: Some("made by precall".to_owned()),
        sample: VoiceSample { format: SampleFormat::Wav, content, sha256: [7; 32], duration: Duration::ZERO },
        trace: None,
    }
}

/// Starts a server that answers from a table of `METHOD path`; returns its address and the requests.
pub(super) async fn provider(
    routes: Vec<(&'static str, &'static str, String)>,
) -> (String, mpsc::UnboundedReceiver<(usize, String, Vec<u8>)>) {
    let (asked, requests) = mpsc::unbounded_channel();
    let routes = Rc::new(routes);
    let connections = Rc::new(std::cell::Cell::new(0));
    let base = server(move |mut socket| {
        let (asked, routes) = (asked.clone(), Rc::clone(&routes));
        let number = connections.replace(connections.get() + 1);
        async move {
            while let Some((head, body)) = read_request(&mut socket).await {
                let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
                let found = routes.iter().find(|(route, _, _)| *route == line);
                let reply = found.map_or_else(
                    || answer("404 Not Found", &format!(r#"{{"detail":"no route {line}"}}"#)),
                    |(_, status, body)| answer(status, body),
                );
                let _ = asked.send((number, head, body));
                let _ = socket.write_all(&reply).await;
            }
        }
    });
    (base.await, requests)
}

#[track_caller]
pub(super) fn check(error: &ProviderError, kind: Kind, execution: Execution) {
    assert_eq!((error.kind, error.execution), (kind, execution), "{error:?}");
}
