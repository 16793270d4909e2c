//! Whether a file was cut off, where its format has no length that the decoder could compare.

use super::recording_format::{RecordingFormat, adts_frame_bytes, mpeg_frame};

/// Whether a file of MPEG or ADTS frames was cut off: then the start of a frame follows its last whole frame.
pub(super) fn ends_within_a_frame(format: RecordingFormat, content: &[u8], last: &[u8]) -> bool {
    let is_framed = matches!(format, RecordingFormat::Aac | RecordingFormat::Mp3 | RecordingFormat::Mp2);
    if last.is_empty() || !is_framed {
        return false;
    }
    let end = content.windows(last.len()).rposition(|found| found == last);
    let rest = end.and_then(|start| content.get(start.saturating_add(last.len())..)).unwrap_or_default();
    let next = adts_frame_bytes(rest).or_else(|| mpeg_frame(rest).map(|(_, bytes)| bytes));
    next.is_some_and(|bytes| bytes > rest.len())
}

/// Whether a Matroska file is shorter than its segment. Browsers write a segment of unknown size.
pub(super) fn ends_within_the_segment(content: &[u8]) -> bool {
    const SEGMENT: u64 = 0x1853_8067;
    let mut at = 0_usize;
    // The header comes first; `Void` elements may follow it.
    for _ in 0..8 {
        let Some((id, id_bytes)) = number(content.get(at..).unwrap_or_default(), true) else { return false };
        let size_at = at.saturating_add(id_bytes);
        let Some((size, size_bytes)) = number(content.get(size_at..).unwrap_or_default(), false) else {
            return false;
        };
        let is_unknown = size == (1_u64 << (7 * size_bytes)).saturating_sub(1);
        let end =
            size_at.saturating_add(size_bytes).saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
        if id == SEGMENT {
            return !is_unknown && end > content.len();
        }
        at = end;
    }
    false
}

/// An EBML number of 1 to 8 bytes, and how many it has. An id keeps its marker.
fn number(content: &[u8], is_id: bool) -> Option<(u64, usize)> {
    let first = *content.first()?;
    let bytes = usize::try_from(first.leading_zeros()).ok()?.checked_add(1).filter(|bytes| *bytes <= 8)?;
    let marker = if is_id { 0 } else { 0x80_u8.checked_shr(u32::try_from(bytes).ok()?.checked_sub(1)?)? };
    let rest = content.get(1..bytes)?;
    let value = rest.iter().fold(u64::from(first & !marker), |value, byte| value << 8 | u64::from(*byte));
    Some((value, bytes))
}

#[cfg(test)]
mod tests;
