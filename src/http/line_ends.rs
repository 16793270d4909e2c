//! Refuses bare line feeds in the heads of requests and in the framing of their bodies. The HTTP parser takes a bare LF
//! for a line end; a proxy that does not would see other requests in the same bytes (request smuggling).
//!
//! The check stands in front of the parser, on the bytes of a connection. It follows heads and body lengths, copies
//! nothing but the two headers that say how long a body is, and skips bodies as a whole. In place of a bare LF it gives
//! the parser what no HTTP line may hold, so that the parser answers 400 and closes the connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::write_deadline::WriteDeadline;

/// Bytes of a header that says how long a body is.
const FRAMING_MAX: usize = 128;
/// A carriage return without a line feed, and NUL: wrong in every line of HTTP.
const POISON: [u8; 2] = *b"\r\0";

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A line of a head. The first one may be empty.
    Head,
    /// A body, with this many bytes to come.
    Body(u64),
    /// The line with the size of a chunk.
    ChunkSize,
    /// A chunk, with this many bytes to come.
    Chunk(u64),
    /// The line end after a chunk.
    ChunkEnd,
    /// A line after the last chunk.
    Trailer,
}

/// A line that HTTP does not allow, and where it was found in the piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refused {
    at: usize,
}

/// Follows the requests of one connection.
#[derive(Debug)]
struct LineEnds {
    place: Place,
    /// The line so far: its beginning, as far as it can matter.
    line: Vec<u8>,
    /// Bytes of the line so far, without its end.
    length: usize,
    after_return: bool,
    /// From the head: the length of the body, and whether it comes in chunks.
    content_length: u64,
    is_chunked: bool,
    /// Whether the head has a line already.
    has_request_line: bool,
}

impl LineEnds {
    fn new() -> Self {
        Self {
            place: Place::Head,
            line: Vec::with_capacity(FRAMING_MAX),
            length: 0,
            after_return: false,
            content_length: 0,
            is_chunked: false,
            has_request_line: false,
        }
    }

    /// Takes the next bytes of the connection.
    fn take(&mut self, piece: &[u8]) -> Result<(), Refused> {
        let mut at = 0_usize;
        while let Some(rest) = piece.get(at..).filter(|rest| !rest.is_empty()) {
            let here = u64::try_from(rest.len()).unwrap_or(u64::MAX);
            let taken = match &mut self.place {
                Place::Body(left) | Place::Chunk(left) if *left > 0 => {
                    let taken = here.min(*left);
                    *left = left.saturating_sub(taken);
                    usize::try_from(taken).unwrap_or(rest.len())
                }
                Place::Body(_) => {
                    self.place = Place::Head;
                    0
                }
                Place::Chunk(_) => {
                    self.place = Place::ChunkEnd;
                    0
                }
                Place::Head | Place::ChunkSize | Place::ChunkEnd | Place::Trailer => {
                    self.line(rest).map_err(|refused| Refused { at: at.saturating_add(refused.at) })?
                }
            };
            at = at.saturating_add(taken);
        }
        Ok(())
    }

    /// Takes bytes up to the end of the line. Returns their number.
    fn line(&mut self, rest: &[u8]) -> Result<usize, Refused> {
        let Some(at) = rest.iter().position(|byte| *byte == b'\n') else {
            self.add(rest);
            return Ok(rest.len());
        };
        self.add(rest.get(..at).unwrap_or_default());
        if !self.after_return {
            return Err(Refused { at });
        }
        self.length = self.length.saturating_sub(1);
        if self.line.len() > self.length {
            self.line.truncate(self.length);
        }
        self.end_of_line().map_err(|()| Refused { at })?;
        (self.length, self.after_return) = (0, false);
        self.line.clear();
        Ok(at.saturating_add(1))
    }

    fn add(&mut self, bytes: &[u8]) {
        let room = FRAMING_MAX.saturating_sub(self.line.len());
        self.line.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        self.length = self.length.saturating_add(bytes.len());
        if let Some(last) = bytes.last() {
            self.after_return = *last == b'\r';
        }
    }

    fn end_of_line(&mut self) -> Result<(), ()> {
        let is_empty = self.length == 0;
        match self.place {
            Place::Head if is_empty && !self.has_request_line => {}
            Place::Head if is_empty => self.end_of_head(),
            Place::Head if !self.has_request_line => self.has_request_line = true,
            Place::Head => self.header()?,
            Place::ChunkSize => {
                let digits = self.line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                let digits = self.line.get(..digits).and_then(|digits| std::str::from_utf8(digits).ok());
                // The parser refuses what is no size.
                let size = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).ok_or(())?;
                self.place = if size == 0 { Place::Trailer } else { Place::Chunk(size) };
            }
            Place::ChunkEnd => self.place = Place::ChunkSize,
            Place::Trailer if is_empty => self.place = Place::Head,
            Place::Trailer | Place::Body(_) | Place::Chunk(_) => {}
        }
        Ok(())
    }

    fn end_of_head(&mut self) {
        self.place = match (self.is_chunked, self.content_length) {
            (true, _) => Place::ChunkSize,
            (false, 0) => Place::Head,
            (false, length) => Place::Body(length),
        };
        (self.is_chunked, self.content_length, self.has_request_line) = (false, 0, false);
    }

    /// Reads a header that says how long the body is. A very long one is refused: it hides something.
    fn header(&mut self) -> Result<(), ()> {
        let colon = self.line.iter().position(|byte| *byte == b':').unwrap_or(self.line.len());
        let (name, value) = self.line.split_at(colon);
        let is_length = name.eq_ignore_ascii_case(b"content-length");
        let is_coding = name.eq_ignore_ascii_case(b"transfer-encoding");
        if !is_length && !is_coding {
            return Ok(());
        }
        if self.length > self.line.len() {
            return Err(());
        }
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if is_coding {
            self.is_chunked = value.to_ascii_lowercase().ends_with(b"chunked");
            return Ok(());
        }
        // The parser refuses what is no number, and a second one.
        self.content_length =
            std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()).ok_or(())?;
        Ok(())
    }
}

/// Whether a connection has become a WebSocket: what comes then is no HTTP. Data of the connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upgraded(Arc<AtomicBool>);

impl Upgraded {
    /// Call it right before the answer that accepts the WebSocket, and only then: nothing is checked from now on.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A connection whose bare line feeds are refused, and whose client has to take its answers.
#[derive(Debug)]
pub(super) struct CheckedStream {
    stream: TcpStream,
    lines: LineEnds,
    /// How much of [`POISON`] the parser has got; none while nothing was refused.
    poisoned: Option<usize>,
    deadline: WriteDeadline,
    upgraded: Upgraded,
}

impl CheckedStream {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            lines: LineEnds::new(),
            poisoned: None,
            deadline: WriteDeadline::default(),
            upgraded: Upgraded::default(),
        }
    }

    /// To be told that the connection has become a WebSocket.
    pub(super) fn upgraded(&self) -> Upgraded {
        self.upgraded.clone()
    }

    /// The connection itself.
    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Gives the parser the rest of [`POISON`]. What the client sends after that is read and dropped, so that it can
    /// read the answer.
    fn poison(
        &mut self,
        given: usize,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = POISON.get(given..).unwrap_or_default();
        if !rest.is_empty() {
            let now = rest.get(..rest.len().min(buffer.remaining())).unwrap_or_default();
            buffer.put_slice(now);
            self.poisoned = Some(given.saturating_add(now.len()));
            return Poll::Ready(Ok(()));
        }
        let mut dropped = [0_u8; 4096];
        loop {
            let mut dropped = ReadBuf::new(&mut dropped);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut dropped))?;
            if dropped.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncRead for CheckedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(given) = this.poisoned {
            return this.poison(given, context, buffer);
        }
        if this.upgraded.0.load(Ordering::Acquire) {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        let piece = buffer.filled().get(before..).unwrap_or_default();
        if let Err(Refused { at }) = this.lines.take(piece) {
            buffer.set_filled(before.saturating_add(at));
            return this.poison(0, context, buffer);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for CheckedStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.deadline.watch(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, pieces);
        this.deadline.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.deadline.flushed();
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
