//! Fills in the sizes of an AIFF file that a program wrote into a pipe, or never finished.

use bytes::{Bytes, BytesMut};

/// Sizes from here on are placeholders: sox counts from 0x7f000000.
const PLACEHOLDER_MIN: u32 = 0x7e00_0000;
/// Offset and block size, before the samples.
const SOUND_HEAD: usize = 8;
/// Chunks before the sound. A file has a handful.
const CHUNKS_MAX: usize = 1_000;

/// The file with the sizes of its sound. `None` for a file that needs no change, or is damaged in another way.
pub(super) fn with_size(content: &Bytes) -> Option<Bytes> {
    let (mut at, mut common) = (12_usize, None);
    for _ in 0..CHUNKS_MAX {
        let (name, size) = (content.get(at..)?.first_chunk::<4>()?, u32_at(content, at.checked_add(4)?)?);
        let body = at.checked_add(8)?;
        match name {
            b"COMM" => common = Some(body),
            b"SSND" => {
                let available = content.len().checked_sub(body)?;
                let is_unfinished = size >= PLACEHOLDER_MIN || size <= 8 && available > SOUND_HEAD;
                return if is_unfinished { sized(content, common?, at, available) } else { None };
            }
            _ => {}
        }
        let size = usize::try_from(size).ok()?;
        at = body.checked_add(size)?.checked_add(size % 2)?;
    }
    None
}

fn sized(content: &Bytes, common: usize, sound: usize, available: usize) -> Option<Bytes> {
    let u16_at = |at: usize| Some(usize::from(u16::from_be_bytes(*content.get(at..)?.first_chunk()?)));
    let (channels, bits) = (u16_at(common)?, u16_at(common.checked_add(6)?)?);
    let frame = channels.checked_mul(bits.div_ceil(8))?;
    let frames = available.checked_sub(SOUND_HEAD)?.checked_div(frame)?;
    let mut file = BytesMut::from(&content[..]);
    let mut put = |at: usize, number: usize| {
        let number = u32::try_from(number).ok()?.to_be_bytes();
        file.get_mut(at..at.checked_add(4)?)?.copy_from_slice(&number);
        Some(())
    };
    put(4, content.len().checked_sub(8)?)?;
    put(common.checked_add(2)?, frames)?;
    put(sound.checked_add(4)?, available)?;
    Some(file.freeze())
}

fn u32_at(content: &[u8], at: usize) -> Option<u32> {
    content.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}
