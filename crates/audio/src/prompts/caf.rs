//! Fills in the size of the sound in a Core Audio file that a program wrote into a pipe.

use bytes::{Bytes, BytesMut};

/// Chunks before the sound. A file has a handful.
const CHUNKS_MAX: usize = 1_000;
const HEAD: usize = 12;

/// The file with the size of its sound, which the format allows to be unknown and the library does not. `None` for a
/// file that needs no change.
pub(super) fn with_size(content: &Bytes) -> Option<Bytes> {
    let mut at = 8_usize;
    for _ in 0..CHUNKS_MAX {
        let head: [u8; HEAD] = content.get(at..)?.first_chunk().copied()?;
        let [name @ .., _, _, _, _, _, _, _, _] = head;
        let [_, _, _, _, size @ ..] = head;
        let size = i64::from_be_bytes(size);
        let body = at.checked_add(HEAD)?;
        if name == *b"data" && size == -1 {
            let rest = i64::try_from(content.len().checked_sub(body)?).ok()?;
            let mut file = BytesMut::from(content.get(..at.checked_add(4)?)?);
            file.extend_from_slice(&rest.to_be_bytes());
            file.extend_from_slice(content.get(body..)?);
            return Some(file.freeze());
        }
        at = body.checked_add(usize::try_from(size).ok()?)?;
    }
    None
}
