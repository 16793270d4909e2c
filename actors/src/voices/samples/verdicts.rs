//! The samples that were found good, by their content: a sample is decoded once and not for each clone.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;
use precall_audio::prompts::RecordingFormat;
use precall_providers::elevenlabs::SampleFormat;

/// Enough for the callers of some days. Each sample takes about 150 bytes.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_999);

/// What the check of a good sample found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) format: RecordingFormat,
    pub(super) duration: Duration,
    /// The format for ElevenLabs; `None` when the sample is sent as WAV.
    pub(super) sent_as: Option<SampleFormat>,
}

/// Verdicts by SHA-256. Cheap to clone; all clones share them. A bad sample is checked again each time: it is rare.
#[derive(Clone, Debug)]
pub(super) struct Verdicts(Arc<Mutex<LruCache<[u8; 32], Verdict>>>);

impl Default for Verdicts {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(KEPT))))
    }
}

impl Verdicts {
    pub(super) fn of(&self, sha256: &[u8; 32]) -> Option<Verdict> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(sha256).copied()
    }

    pub(super) fn remember(&self, sha256: [u8; 32], verdict: Verdict) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(sha256, verdict);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sha2::{Digest, Sha256};

    use super::super::check::check;
    use super::*;

    #[test]
    fn a_known_sample_is_not_decoded_again() {
        let (verdicts, content) = (Verdicts::default(), Bytes::from_static(b"no recording"));
        assert!(check(content.clone(), &verdicts).is_err());
        let (format, duration) = (RecordingFormat::Wav, Duration::from_secs(5));
        verdicts.remember(Sha256::digest(&content).into(), Verdict { format, duration, sent_as: None });
        let known = check(content, &verdicts).map(|sample| (sample.format, sample.duration));
        assert!(matches!(known, Ok(found) if found == (format, duration)), "{known:?}");
        assert!(check(Bytes::from_static(b"another"), &verdicts).is_err());
    }
}
