//! One connection to the PBX: TCP, TLS for an https address, and one audio stream after the other on it.
//!
//! HTTP/1.1 is spoken here and not by a library: each call has two of these connections for as long as it lasts, and
//! hyper keeps 22 KiB for each. What is needed is a request, the head of its answer, and one of the two bodies.

use std::future::poll_fn;
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use precall_providers::threecx::address::LegAddress;
use precall_providers::tls_roots::TlsRoots;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use url::Url;

use super::http1::{Framing, Head, Malformed, Next};
use super::socket::{Address, Socket};
use crate::error::MediaError;
use crate::net::upload_body::{Part, UploadBody};

/// For TCP and TLS together.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Bytes received at once. Audio comes in chunks of about 320.
const RECEIVE: usize = 2 * 1024;
/// What ends a chunked body.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// How to reach the PBX.
#[derive(Clone)]
pub(crate) struct PbxEndpoint {
    base: Url,
    address: Address,
    authority: String,
}

impl PbxEndpoint {
    /// The PBX at an http or https address. `extra_ca` is a PEM file of certificates to trust as well.
    pub(crate) fn new(base: &Url, extra_ca: Option<&Path>) -> Result<Self, MediaError> {
        let host = base.host().ok_or(MediaError::Base)?;
        let authority = base.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        let trust = match base.scheme() {
            "http" => None,
            "https" => Some(TlsRoots::load(extra_ca).map_err(|error| MediaError::Tls(error.to_string()))?),
            _another => return Err(MediaError::Base),
        };
        let address = Address::from_url(base, trust.as_ref()).ok_or(MediaError::Base)?;
        Ok(Self { base: base.clone(), address, authority })
    }

    /// The `Host` header.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The path of a leg's streams, below the path of the base address.
    pub(crate) fn stream_path(&self, leg: &LegAddress) -> Result<Rc<str>, MediaError> {
        let mut url = self.base.clone();
        let participant = leg.participant.to_string();
        url.path_segments_mut().map_err(|()| MediaError::Base)?.pop_if_empty().extend([
            "callcontrol",
            leg.dn.as_str(),
            "participants",
            &participant,
            "stream",
        ]);
        Ok(url.path().into())
    }

    /// Opens a connection, ready for a request.
    pub(crate) async fn connect(&self) -> io::Result<AudioConnection> {
        let socket = tokio::time::timeout(CONNECT_WITHIN, self.address.connect())
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        Ok(AudioConnection { socket, sending: Vec::new(), sent: 0, received: BytesMut::new(), delivered: 0 })
    }
}

/// An open connection. Dropping it closes the socket.
pub(crate) struct AudioConnection {
    socket: Socket,
    /// What is being sent: a head, or one chunk. The buffer is used for the next one, too.
    sending: Vec<u8>,
    /// How much of it the socket has taken.
    sent: usize,
    received: BytesMut,
    /// How much at the front of it was given to the reader of the audio.
    delivered: usize,
}

impl AudioConnection {
    /// Whether the PBX has closed the connection while no request was open, or has sent what nobody asked for.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut context = Context::from_waker(Waker::noop());
        !self.received.is_empty()
            || Pin::new(&mut self.socket).poll_read(&mut context, &mut buffer).is_ready()
    }

    /// Sends a POST whose body is the upload, until the PBX answers. Returns the status of the answer.
    ///
    /// # Errors
    /// The connection broke, the upload was shut, or the answer is no HTTP/1.1.
    pub(crate) async fn post(&mut self, head: &str, upload: &UploadBody) -> io::Result<u16> {
        self.sending.clear();
        self.sending.extend_from_slice(head.as_bytes());
        self.sent = 0;
        // With the head, if it is there already.
        self.add_chunk(upload.next_part(None));
        poll_fn(|context| {
            let sent = self.poll_send(context, upload);
            // The answer may say why the PBX takes no more.
            match self.poll_head(context) {
                Poll::Ready(Ok(head)) => Poll::Ready(Ok(head.status)),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => sent.map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Pending),
            }
        })
        .await
    }

    /// Sends what there is, as far as the socket takes it. It continues when the socket or the upload wakes the task.
    fn poll_send(&mut self, context: &mut Context<'_>, upload: &UploadBody) -> io::Result<()> {
        loop {
            let mut socket = Pin::new(&mut self.socket);
            while let Some(rest) = self.sending.get(self.sent..).filter(|rest| !rest.is_empty()) {
                if upload.is_shut(context) {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                match socket.as_mut().poll_write(context, rest) {
                    Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(Ok(bytes)) => {
                        self.sent += bytes;
                        upload.on_taken(bytes);
                    }
                    Poll::Ready(Err(error)) => return Err(error),
                    Poll::Pending => return Ok(()),
                }
            }
            if upload.is_shut(context) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            match socket.poll_flush(context) {
                Poll::Ready(flushed) => flushed?,
                Poll::Pending => return Ok(()),
            }
            upload.on_flushed();
            self.sending.clear();
            self.sent = 0;
            self.add_chunk(upload.next_part(Some(context)));
            if self.sending.is_empty() {
                return Ok(());
            }
        }
    }

    /// Adds a part of the body to what is being sent.
    fn add_chunk(&mut self, part: Option<Part>) {
        match part {
            Some(Part::Piece(piece)) => {
                // Writing into memory cannot fail.
                let _ = write!(self.sending, "{:X}\r\n", piece.len());
                self.sending.extend_from_slice(&piece);
                self.sending.extend_from_slice(b"\r\n");
            }
            Some(Part::End) => self.sending.extend_from_slice(LAST_CHUNK),
            None => {}
        }
    }

    /// Sends a request without a body. Returns the head of the answer.
    ///
    /// # Errors
    /// The connection broke, or the answer is no HTTP/1.1.
    pub(crate) async fn get(&mut self, head: &str) -> io::Result<Head> {
        self.socket.write_all(head.as_bytes()).await?;
        self.socket.flush().await?;
        poll_fn(|context| self.poll_head(context)).await
    }

    /// Waits for the next piece of an answer's body, as it arrived; `None` at its end. Nothing is lost if this is
    /// dropped.
    ///
    /// # Errors
    /// The connection broke, or the body is no HTTP/1.1.
    pub(crate) async fn next_piece(&mut self, body: &mut Framing) -> io::Result<Option<&[u8]>> {
        let bytes = poll_fn(|context| self.poll_body(body, context)).await?;
        Ok(bytes.and_then(|bytes| self.received.get(..bytes)))
    }

    /// The next piece of an answer's body, if it is there.
    ///
    /// # Errors
    /// As [`Self::next_piece`].
    pub(crate) fn poll_piece(
        &mut self,
        body: &mut Framing,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<&[u8]>>> {
        let bytes = ready!(self.poll_body(body, context))?;
        Poll::Ready(Ok(bytes.and_then(|bytes| self.received.get(..bytes))))
    }

    /// How many bytes at the front of what was received are the next piece of the body. They are given to the caller,
    /// and are gone with the next call.
    fn poll_body(
        &mut self,
        body: &mut Framing,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<usize>>> {
        self.received.advance(std::mem::take(&mut self.delivered));
        loop {
            match body.next(&mut self.received)? {
                Next::Audio(bytes) => {
                    body.taken(bytes);
                    self.delivered = bytes;
                    return Poll::Ready(Ok(Some(bytes)));
                }
                Next::Read => match ready!(self.poll_receive(context)) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && *body == Framing::Close => {
                        return Poll::Ready(Ok(None));
                    }
                    received => received?,
                },
                Next::End => return Poll::Ready(Ok(None)),
            }
        }
    }

    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Head>> {
        loop {
            if let Some(head) = Head::take(&mut self.received)? {
                return Poll::Ready(Ok(head));
            }
            ready!(self.poll_receive(context))?;
        }
    }

    /// Receives something. The end of the connection is an error.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // On the stack: a connection that waits holds no buffer.
        let mut bytes = [MaybeUninit::uninit(); RECEIVE];
        let mut buffer = ReadBuf::uninit(&mut bytes);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut buffer))?;
        if buffer.filled().is_empty() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.received.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }
}

impl From<Malformed> for io::Error {
    fn from(Malformed: Malformed) -> Self {
        Self::new(io::ErrorKind::InvalidData, "the PBX sent something that is no HTTP/1.1")
    }
}
