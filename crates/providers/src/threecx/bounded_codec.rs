//! Limits the size of WebSocket frames before they are received. actix's codec checks the length only once the whole
//! frame is in memory, and a length has 63 bits.

use actix_codec::{Decoder, Encoder};
use actix_http::ws::{Codec, Frame, Message, ProtocolError};
use bytes::BytesMut;

/// actix's codec with a limit of the frame size.
pub struct BoundedCodec {
    inner: Codec,
    frame_bytes_max: usize,
}

impl BoundedCodec {
    /// `frame_bytes_max` is the longest payload of a frame.
    #[must_use]
    pub fn new(inner: Codec, frame_bytes_max: usize) -> Self {
        Self { inner, frame_bytes_max }
    }
}

impl Decoder for BoundedCodec {
    type Item = Frame;
    type Error = ProtocolError;

    fn decode(&mut self, received: &mut BytesMut) -> Result<Option<Frame>, ProtocolError> {
        let promised = announced_length(received).unwrap_or(0);
        if usize::try_from(promised).is_ok_and(|promised| promised <= self.frame_bytes_max) {
            return self.inner.decode(received);
        }
        Err(ProtocolError::Overflow)
    }
}

impl Encoder<Message> for BoundedCodec {
    type Error = ProtocolError;

    fn encode(&mut self, message: Message, sent: &mut BytesMut) -> Result<(), ProtocolError> {
        self.inner.encode(message, sent)
    }
}

/// The length in the head of the next frame (RFC 6455, section 5.2); none while the head is incomplete.
fn announced_length(received: &[u8]) -> Option<u64> {
    match received.get(1)? & 0x7f {
        126 => Some(u64::from(u16::from_be_bytes(received.get(2..4)?.try_into().ok()?))),
        127 => Some(u64::from_be_bytes(received.get(2..10)?.try_into().ok()?)),
        short => Some(u64::from(short)),
    }
}

#[cfg(test)]
mod tests;
