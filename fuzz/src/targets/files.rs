//! Recordings, and the list of their versions in a bucket.

use std::time::Duration;

use bytes::Bytes;
use precall_audio::prompts::{RecordingFormat, read_recording, recognise, to_wav};
use precall_providers::s3::versions::Page;

/// A longer recording is not converted: it takes the time of two.
const CONVERTED: Duration = Duration::from_secs(10);

/// A recording that is taken has sound and a usual length, and its conversion to WAV is a recording as well.
pub(crate) fn recording(input: &[u8]) {
    if let Ok((_, start)) = recognise(input) {
        assert!(start <= input.len());
    }
    let content = Bytes::copy_from_slice(input);
    let Ok(recording) = read_recording(&content) else { return };
    let length = recording.clip.duration();
    assert!(length > Duration::ZERO && length <= Duration::from_secs(601), "{length:?}");
    if length > CONVERTED {
        return;
    }
    let wav = to_wav(&content, length).unwrap();
    assert_eq!(recognise(&wav), Ok((RecordingFormat::Wav, 0)));
    let again = read_recording(&wav).map(|again| again.clip.duration());
    let again = again.unwrap_or(length);
    assert!(again.abs_diff(length) < Duration::from_millis(50), "{length:?}, then {again:?}");
}

/// Only versions of the object that was asked for, each with an id.
pub(crate) fn bucket_versions(input: &[u8]) {
    let Some(page) = Page::parse(input, "uploads/a.wav") else { return };
    assert!(page.versions.iter().all(|version| !version.is_empty()));
    let longest = page.next.as_ref().map_or(0, |next| next.key.len());
    assert!(longest <= input.len().saturating_mul(3), "{longest} bytes");
    // No object has this name: XML forbids the character, and the names here are not encoded otherwise.
    let other = Page::parse(input, "\u{1}");
    let is_encoded = input.windows(3).any(|bytes| bytes == b"%01");
    assert!(is_encoded || other.is_some_and(|page| page.versions.is_empty()));
}
