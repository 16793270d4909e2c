//! Makes plain WAV of WAV as programs write it: sizes that were never filled in, chunks in any order, 64-bit headers.
//! The decoder behind it believes a header, so that a wrong size would cut the recording or refuse it.

use bytes::{Bytes, BytesMut};

use super::audio_error::AudioError;

#[cfg(test)]
mod tests;

/// Sizes from here on are placeholders of programs that write into a pipe. 2 GiB less what some of them subtract.
const PLACEHOLDER_MIN: u64 = 0x7fff_0000;
/// A size beyond this length, in seconds, was never filled in.
const LONGEST_SECONDS: u64 = 3_600;
/// Programs that count the header as sound, or sound as header.
const HEADERS: [u64; 5] = [8, 36, 44, 46, 58];
/// Chunks before the sound. A file has a handful.
const CHUNKS_MAX: usize = 1_000;

const EXTENSIBLE: u16 = 0xfffe;
const FMT_BYTES: usize = 16;
/// MPEG layer II and III.
const MPEG_TAGS: [u16; 2] = [0x50, 0x55];

/// A WAV file, taken apart.
#[derive(Debug)]
pub(super) struct Wave {
    /// Format tag: 1 is PCM.
    tag: u16,
    fmt: Bytes,
    /// The sound, to the end that the header means.
    pub(super) data: Bytes,
    /// The header has a size that other readers may believe.
    pub(super) is_repaired: bool,
}

impl Wave {
    /// Takes the file apart.
    ///
    /// # Errors
    /// When it is cut off, has no sound, or no format.
    pub(super) fn read(content: &Bytes) -> Result<Self, AudioError> {
        let mut fmt: Option<Bytes> = None;
        let mut data: Option<(usize, u64)> = None;
        let mut long_size = None;
        let mut at = 12_usize;
        for _ in 0..CHUNKS_MAX {
            let (Some(name), Some(size)) = (name_at(content, at), u32_at(content, at.saturating_add(4)))
            else {
                break;
            };
            let body = at.saturating_add(8);
            let end = body.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
            match &name {
                b"fmt " => fmt = Some(slice(content, body, end).ok_or(AudioError::Truncated)?),
                b"ds64" => long_size = u64_at(content, body.saturating_add(8)),
                b"data" => {
                    let size = long_size.filter(|_| size == u32::MAX).unwrap_or_else(|| size.into());
                    data = Some((body, size));
                }
                _ => {}
            }
            if data.is_some() && (fmt.is_some() || end > content.len()) {
                break;
            }
            at = next_chunk(content, end, size);
        }
        let fmt = fmt.ok_or(AudioError::Truncated)?;
        let (start, declared) = data.ok_or(AudioError::Truncated)?;
        let tag = u16_at(&fmt, 0).ok_or(AudioError::Damaged)?;
        let sound = Sound { start, declared, bytes_a_second: u32_at(&fmt, 8).unwrap_or(0) };
        let end = sound.end(content)?;
        let riff_size = u32_at(content, 4).unwrap_or(0);
        let is_sized = u64_of(content.len()).abs_diff(u64::from(riff_size).saturating_add(8)) <= 1;
        let is_repaired =
            !is_sized || u64_of(end.saturating_sub(start)) != declared || !content.starts_with(b"RIFF");
        let data = slice(content, start, end).ok_or(AudioError::Truncated)?;
        let (tag, fmt) = plain_format(tag, fmt);
        Ok(Self { tag, fmt, data, is_repaired })
    }

    /// Whether the sound is PCM, of whole or floating-point numbers.
    pub(super) fn is_pcm(&self) -> bool {
        matches!(self.tag, 1 | 3)
    }

    /// Whether the sound is MPEG frames behind a WAV header.
    pub(super) fn is_mpeg(&self) -> bool {
        MPEG_TAGS.contains(&self.tag)
    }

    /// The name of a codec that is not supported; `None` for those that are.
    pub(super) fn unsupported(&self) -> Option<&'static str> {
        match self.tag {
            1 | 2 | 3 | 6 | 7 | 0x11 | 0x50 | 0x55 | EXTENSIBLE => None,
            0x22 => Some("TrueSpeech"),
            0x31 => Some("GSM 6.10"),
            0x40 | 0x45 | 0x64 | 0x65 => Some("G.726"),
            0x42 | 0x14 => Some("G.723"),
            0x83 => Some("G.729"),
            0x28f => Some("G.722"),
            0xff | 0x1600 | 0x1610 => Some("AAC in WAV"),
            0x160..=0x163 => Some("WMA"),
            0x2000 => Some("AC-3"),
            0xa109 => Some("Speex"),
            _ => Some("one that precall does not know"),
        }
    }

    /// The same sound as a file with the right sizes and no other chunks. At most a copy of the file.
    pub(super) fn plain(&self) -> Bytes {
        let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
        let mut file = BytesMut::with_capacity(self.data.len().saturating_add(64));
        file.extend_from_slice(b"RIFF");
        file.extend_from_slice(&size(self.fmt.len().saturating_add(self.data.len()).saturating_add(20)));
        file.extend_from_slice(b"WAVEfmt ");
        file.extend_from_slice(&size(self.fmt.len()));
        file.extend_from_slice(&self.fmt);
        file.extend_from_slice(b"data");
        file.extend_from_slice(&size(self.data.len()));
        file.extend_from_slice(&self.data);
        file.freeze()
    }
}

struct Sound {
    start: usize,
    declared: u64,
    bytes_a_second: u32,
}

impl Sound {
    /// Where the sound ends.
    fn end(&self, content: &Bytes) -> Result<usize, AudioError> {
        let available = u64_of(content.len().saturating_sub(self.start));
        let declared_end = self.start.saturating_add(usize::try_from(self.declared).unwrap_or(usize::MAX));
        if self.declared <= available {
            let never_filled_in = self.declared == 0 && available > 0 && !is_chunks(content, self.start);
            let is_short = HEADERS.contains(&available.saturating_sub(self.declared));
            let is_short = is_short && !is_chunks(content, declared_end);
            return Ok(if never_filled_in || is_short { content.len() } else { declared_end });
        }
        let rate = u64::from(self.bytes_a_second);
        let is_placeholder = self.declared >= PLACEHOLDER_MIN
            || self.declared <= u64_of(content.len())
            || rate > 0 && self.declared / rate > LONGEST_SECONDS;
        // A tenth of a second less does no harm.
        let is_nearly_whole = available > 0 && available.saturating_add(rate / 10) >= self.declared;
        if is_placeholder || is_nearly_whole { Ok(content.len()) } else { Err(AudioError::Truncated) }
    }
}

/// Replaces the extensible format of one or two channels by the plain one: the library refuses some channel masks.
fn plain_format(tag: u16, fmt: Bytes) -> (u16, Bytes) {
    const GUID: usize = 24;
    let channels = u16_at(&fmt, 2).unwrap_or(0);
    let sub_format = u16_at(&fmt, GUID).filter(|_| tag == EXTENSIBLE);
    let (Some(sub_format), 1 | 2, Some(head)) = (sub_format, channels, fmt.get(2..FMT_BYTES)) else {
        return (sub_format.unwrap_or(tag), fmt);
    };
    let mut plain = BytesMut::from(&sub_format.to_le_bytes()[..]);
    plain.extend_from_slice(head);
    (sub_format, plain.freeze())
}

/// The place of the next chunk. Chunks of odd size are padded, but not by every program.
fn next_chunk(content: &[u8], end: usize, size: u32) -> usize {
    if size.is_multiple_of(2) {
        return end;
    }
    let padded = end.saturating_add(1);
    if name_at(content, padded).is_none() && name_at(content, end).is_some() { end } else { padded }
}

/// Whether chunks fill the file from here to its end.
fn is_chunks(content: &[u8], mut at: usize) -> bool {
    for _ in 0..CHUNKS_MAX {
        let (Some(_), Some(size)) = (name_at(content, at), u32_at(content, at.saturating_add(4))) else {
            return false;
        };
        let end = at.saturating_add(8).saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
        at = next_chunk(content, end, size);
        if at >= content.len() {
            // The pad of the last chunk may be missing.
            return end <= content.len();
        }
    }
    false
}

/// The chunk's name, if it is one: four printable characters.
fn name_at(content: &[u8], at: usize) -> Option<[u8; 4]> {
    let name: [u8; 4] = bytes_at(content, at)?;
    name.iter().all(|byte| (b' '..=b'~').contains(byte)).then_some(name)
}

fn slice(content: &Bytes, start: usize, end: usize) -> Option<Bytes> {
    content.get(start..end).map(|part| content.slice_ref(part))
}

fn bytes_at<const N: usize>(content: &[u8], at: usize) -> Option<[u8; N]> {
    content.get(at..)?.first_chunk().copied()
}

fn u16_at(content: &[u8], at: usize) -> Option<u16> {
    bytes_at(content, at).map(u16::from_le_bytes)
}

fn u32_at(content: &[u8], at: usize) -> Option<u32> {
    bytes_at(content, at).map(u32::from_le_bytes)
}

fn u64_at(content: &[u8], at: usize) -> Option<u64> {
    bytes_at(content, at).map(u64::from_le_bytes)
}

fn u64_of(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
