//! As much of HTTP/1.1 (RFC 9112) as an audio stream needs: the head of an answer, and where its body ends. Pure: no
//! socket, no clock. httparse reads the syntax.

use bytes::{Buf, BytesMut};
use httparse::Status;

/// A larger head is refused.
pub(super) const HEAD_MAX: usize = 8 * 1024;
/// More header fields are refused.
const FIELDS_MAX: usize = 64;
/// The line before a chunk, with extensions that nobody needs.
const CHUNK_LINE_MAX: usize = 256;

/// The bytes are no HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) body: Framing,
    /// Whether the connection can be used again after the body.
    pub(crate) is_kept: bool,
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// With an empty chunk.
    Chunked(Chunk),
    /// With the connection.
    Close,
}

/// Position in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// The line with a chunk's size follows.
    Size,
    /// So many bytes of a chunk follow, and then a line end.
    Data(u64),
    /// The line end after a chunk's bytes follows.
    LineEnd,
    /// The empty chunk was read. Header fields or an empty line follow.
    Trailer,
}

/// What follows in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// So many bytes at the start of the buffer are audio.
    Audio(usize),
    /// More bytes must be read first.
    Read,
    /// The body is over.
    End,
}

impl Head {
    /// Takes the head of an answer from the front of the buffer; `None` until it is there whole.
    pub(super) fn take(buffer: &mut BytesMut) -> Result<Option<Self>, Malformed> {
        while !buffer.is_empty() {
            let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
            let mut response = httparse::Response::new(&mut fields);
            let (head, length) = match response.parse(buffer) {
                Ok(Status::Complete(length)) if length <= HEAD_MAX => (Self::of(&response)?, length),
                Ok(Status::Partial) if buffer.len() < HEAD_MAX => return Ok(None),
                Ok(Status::Complete(_) | Status::Partial) | Err(_) => return Err(Malformed),
            };
            buffer.advance(length);
            // The real answer follows an interim one, such as 100.
            if !(100..200).contains(&head.status) {
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    fn of(response: &httparse::Response<'_, '_>) -> Result<Self, Malformed> {
        let (Some(status), Some(version)) = (response.code, response.version) else { return Err(Malformed) };
        let mut is_kept = version == 1;
        let (mut length, mut is_chunked) = (None, false);
        for field in response.headers.iter() {
            let words = || field.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            if field.name.eq_ignore_ascii_case("content-length") {
                let text = std::str::from_utf8(field.value.trim_ascii()).map_err(|_| Malformed)?;
                let bytes = text.parse::<u64>().map_err(|_| Malformed)?;
                if length.is_some_and(|length| length != bytes) {
                    return Err(Malformed);
                }
                length = Some(bytes);
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                is_chunked = words().next_back().is_some_and(|word| word.eq_ignore_ascii_case(b"chunked"));
            } else if field.name.eq_ignore_ascii_case("connection")
                && words().any(|word| word.eq_ignore_ascii_case(b"close"))
            {
                is_kept = false;
            }
        }
        let body = match (status, is_chunked, length) {
            (204 | 304, _, _) => Framing::Length(0),
            (_, true, _) => Framing::Chunked(Chunk::Size),
            (_, false, Some(length)) => Framing::Length(length),
            (_, false, None) => Framing::Close,
        };
        Ok(Self { status, body, is_kept: is_kept && body != Framing::Close })
    }
}

impl Framing {
    /// What follows. Takes from the buffer what is not audio; the audio itself stays there until [`Self::taken`].
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Next, Malformed> {
        let chunk = match self {
            Self::Length(0) => return Ok(Next::End),
            Self::Length(left) => return Ok(some_of(*left, buffer)),
            Self::Close => return Ok(some_of(u64::MAX, buffer)),
            Self::Chunked(chunk) => chunk,
        };
        loop {
            match chunk {
                Chunk::Data(left) => return Ok(some_of(*left, buffer)),
                Chunk::LineEnd => match buffer.get(..2) {
                    Some(b"\r\n") => {
                        buffer.advance(2);
                        *chunk = Chunk::Size;
                    }
                    Some(_) => return Err(Malformed),
                    None => return Ok(Next::Read),
                },
                Chunk::Size => match httparse::parse_chunk_size(buffer) {
                    Ok(Status::Complete((line, size))) => {
                        buffer.advance(line);
                        *chunk = if size == 0 { Chunk::Trailer } else { Chunk::Data(size) };
                    }
                    Ok(Status::Partial) if buffer.len() < CHUNK_LINE_MAX => return Ok(Next::Read),
                    Ok(Status::Partial) | Err(_) => return Err(Malformed),
                },
                Chunk::Trailer => {
                    let Some(end) = buffer.windows(2).position(|bytes| bytes == b"\r\n") else {
                        return if buffer.len() < HEAD_MAX { Ok(Next::Read) } else { Err(Malformed) };
                    };
                    buffer.advance(end + 2);
                    if end == 0 {
                        *self = Self::Length(0);
                        return Ok(Next::End);
                    }
                }
            }
        }
    }

    /// So many bytes of audio were taken.
    pub(super) fn taken(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        match self {
            Self::Length(left) => *left = left.saturating_sub(bytes),
            Self::Chunked(chunk) => {
                if let Chunk::Data(left) = chunk {
                    *left = left.saturating_sub(bytes);
                    if *left == 0 {
                        *chunk = Chunk::LineEnd;
                    }
                }
            }
            Self::Close => {}
        }
    }
}

/// As much of a body of which so many bytes are left as is in the buffer.
fn some_of(left: u64, buffer: &BytesMut) -> Next {
    match usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len()) {
        0 => Next::Read,
        bytes => Next::Audio(bytes),
    }
}

#[cfg(test)]
mod tests;
