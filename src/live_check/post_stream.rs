//! A POST stream over its own socket, which shows an early answer, a closed connection and back-pressure.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpSocket, lookup_host};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::finding::words;
use super::pbx::{ANSWER_WITHIN, Access};

/// 20 ms of 8 kHz, 16 bits, mono.
pub(super) const FRAME_BYTES: usize = 320;
pub(super) const FRAME: Duration = Duration::from_millis(20);
/// Small, so that the local kernel hides little of a PBX that does not read.
const SEND_BUFFER: u32 = 4 * 1024;
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Time limit for the rest of an early answer's body.
const BODY_WITHIN: Duration = Duration::from_millis(300);

/// How the PBX ended a stream.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// With an answer.
    Answered { at: Instant, status: u16, body: Vec<u8> },
    /// The connection was closed or reset.
    Closed { at: Instant },
}

impl Ended {
    pub(super) fn at(&self) -> Instant {
        match self {
            Self::Answered { at, .. } | Self::Closed { at } => *at,
        }
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answered { status, body, .. } => write!(f, "answered {status} ({})", words(body)),
            Self::Closed { .. } => f.write_str("the PBX closed the connection without an answer"),
        }
    }
}

/// Result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// The socket accepted it.
    Taken,
    /// The socket did not accept it in time. The stream is unusable, because a chunk may be half written.
    Stalled,
    /// The connection is closed.
    Broken,
}

trait Transport: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Transport for T {}

/// An open stream. Dropping it closes the connection.
pub(super) struct PostStream {
    writer: WriteHalf<Box<dyn Transport>>,
    ended: Rc<RefCell<Option<Ended>>>,
    reading: JoinHandle<()>,
}

impl Drop for PostStream {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl PostStream {
    /// Connects and sends the head.
    pub(super) async fn open(access: &Access, token: &str, participant: &str) -> Result<Self, String> {
        let opening = Self::connect_and_send(access, token, participant);
        let opened = tokio::time::timeout(ANSWER_WITHIN, opening).await;
        opened.map_err(|_| "no connection in time".to_owned())?.map_err(|error| error.to_string())
    }

    async fn connect_and_send(access: &Access, token: &str, participant: &str) -> io::Result<Self> {
        let wire = connect(access).await?;
        let (reader, mut writer) = split(wire);
        let url = access.endpoint(&["callcontrol", &access.client_id, "participants", participant, "stream"]);
        let host = url.host_str().unwrap_or_default();
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\n",
            url.path()
        );
        writer.write_all(head.as_bytes()).await?;
        writer.flush().await?;
        let ended = Rc::<RefCell<Option<Ended>>>::default();
        let known = Rc::clone(&ended);
        let reading = actix::spawn(async move {
            let end = answer(reader).await;
            *known.borrow_mut() = Some(end);
        });
        Ok(Self { writer, ended, reading })
    }

    /// Writes audio as one chunk.
    pub(super) async fn write(&mut self, pcm: &[u8], limit: Duration) -> Written {
        let mut chunk = format!("{:x}\r\n", pcm.len()).into_bytes();
        chunk.extend_from_slice(pcm);
        chunk.extend_from_slice(b"\r\n");
        let writing = async {
            self.writer.write_all(&chunk).await?;
            self.writer.flush().await
        };
        match tokio::time::timeout(limit, writing).await {
            Ok(Ok(())) => Written::Taken,
            Ok(Err(_)) => Written::Broken,
            Err(_) => Written::Stalled,
        }
    }

    /// How the PBX ended it; `None` while it is open.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.ended.borrow().clone()
    }

    /// Sends the last chunk and waits for the PBX's answer, at most `limit`.
    pub(super) async fn finish(mut self, limit: Duration) -> Option<Ended> {
        let ending = async {
            if self.ended().is_none() && self.writer.write_all(b"0\r\n\r\n").await.is_ok() {
                let _flushed = self.writer.flush().await;
                while self.ended().is_none() {
                    tokio::time::sleep(FRAME / 2).await;
                }
            }
        };
        let _late = tokio::time::timeout(limit, ending).await;
        self.ended()
    }
}

async fn connect(access: &Access) -> io::Result<Box<dyn Transport>> {
    let host = access.base.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = access.base.port_or_known_default().unwrap_or(443);
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for address in lookup_host((host.as_str(), port)).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_nodelay(true)?;
        socket.set_send_buffer_size(SEND_BUFFER)?;
        match (socket.connect(address).await, &access.trust) {
            (Ok(tcp), None) => return Ok(Box::new(tcp)),
            (Ok(tcp), Some(trust)) => {
                let name = host.clone().try_into().map_err(io::Error::other)?;
                let tls = TlsConnector::from(trust.config()).connect(name, tcp).await?;
                return Ok(Box::new(tls));
            }
            (Err(error), _) => failure = error,
        }
    }
    Err(failure)
}

/// Reads the PBX's answer.
async fn answer(mut reader: ReadHalf<Box<dyn Transport>>) -> Ended {
    let mut read = Vec::new();
    let mut room = [0; 4 * 1024];
    let head_end = loop {
        match reader.read(&mut room).await {
            Ok(count) if count > 0 => read.extend_from_slice(room.get(..count).unwrap_or_default()),
            Ok(_) | Err(_) => return Ended::Closed { at: Instant::now() },
        }
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if read.len() > HEAD_BYTES_MAX {
            return Ended::Closed { at: Instant::now() };
        }
    };
    let at = Instant::now();
    let head = String::from_utf8_lossy(read.get(..head_end).unwrap_or_default()).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let mut body = read.split_off(head_end.saturating_add(4).min(read.len()));
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok()).flatten()
    });
    // The body is shown to people only, so its framing does not matter.
    let wanted = length.unwrap_or(HEAD_BYTES_MAX).min(HEAD_BYTES_MAX);
    let rest = async {
        while body.len() < wanted {
            match reader.read(&mut room).await {
                Ok(count) if count > 0 => body.extend_from_slice(room.get(..count).unwrap_or_default()),
                Ok(_) | Err(_) => break,
            }
        }
    };
    let _late = tokio::time::timeout(BODY_WITHIN, rest).await;
    Ended::Answered { at, status, body }
}
