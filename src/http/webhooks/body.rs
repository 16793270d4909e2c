//! A body as it arrives: bounded, proven while it passes, and kept only if it is to be read.

use bytes::Bytes;
use precall_providers::elevenlabs::{AudioHead, audio_head};

use super::recordings::Incoming;
use crate::http::body_limits::too_large;
use crate::http::error::Problem;
use crate::http::fair_share::{BODY_PIECE, Share};
use crate::signature::Verifier;

/// Bytes that bodies may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Any body that is not one of the following.
    pub(crate) plain: usize,
    /// A `post_call_transcription`, or a body that does not say early what it is.
    pub(crate) transcription: usize,
    /// A `post_call_audio`.
    pub(crate) audio: usize,
}

impl Limits {
    /// The same for everything.
    pub(crate) fn plain(limit: usize) -> Self {
        Self { plain: limit, transcription: limit, audio: limit }
    }

    /// What no body may have.
    pub(crate) fn largest(&self) -> usize {
        self.plain.max(self.transcription).max(self.audio)
    }
}

/// What a body was.
pub(crate) enum Body {
    /// All of it.
    Whole(Bytes),
    /// A recording: what its beginning said, and what was kept of it.
    Recording(AudioHead, Option<Box<Incoming>>),
}

/// What is known of the body so far.
enum Kind {
    /// Its beginning is too short to tell.
    Unread,
    /// Kept; at most so many bytes.
    Kept(usize),
    /// Not kept.
    Recording(AudioHead),
}

/// Takes a body in, piece by piece.
pub(crate) struct BodyReader {
    limits: Limits,
    proof: Option<Verifier>,
    kind: Kind,
    seen: usize,
    kept: Vec<u8>,
    /// Of a recording, until it is in its file.
    passing: Vec<u8>,
    recordings: Keeping,
    share: Share,
}

/// What becomes of recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// They pass.
    Nothing,
    /// They go to a file.
    File,
}

impl BodyReader {
    /// `share` is where it is kept until it is proven.
    pub(crate) fn new(limits: Limits, proof: Option<Verifier>, share: Share) -> Self {
        let (kept, passing) = (Vec::new(), Vec::new());
        Self {
            limits,
            proof,
            kind: Kind::Unread,
            seen: 0,
            kept,
            passing,
            recordings: Keeping::Nothing,
            share,
        }
    }

    /// What becomes of it, should it be a recording.
    pub(crate) fn keeping(self, recordings: Keeping) -> Self {
        Self { recordings, ..self }
    }

    /// The next bytes.
    pub(crate) fn take(&mut self, chunk: &[u8]) -> Result<(), Problem> {
        self.seen = self.seen.saturating_add(chunk.len());
        if let Some(proof) = &mut self.proof {
            proof.update(chunk);
        }
        let limit = match self.kind {
            Kind::Unread => self.limits.plain.max(self.limits.transcription),
            Kind::Kept(limit) => limit,
            Kind::Recording(_) => self.limits.audio,
        };
        if self.seen > limit {
            return Err(too_large(limit));
        }
        if matches!(self.kind, Kind::Recording(_)) {
            if self.recordings == Keeping::File {
                self.passing.extend_from_slice(chunk);
            }
            return Ok(());
        }
        self.share.hold(self.seen)?;
        self.kept.extend_from_slice(chunk);
        if matches!(self.kind, Kind::Unread) && self.kept.len() >= BODY_PIECE {
            self.kind = self.kind_of_large_body();
            if matches!(self.kind, Kind::Recording(_)) {
                let kept = std::mem::take(&mut self.kept);
                if self.recordings == Keeping::File {
                    self.passing = kept;
                }
                self.share.release();
            }
        }
        Ok(())
    }

    /// From its beginning. Where the type comes after the data, the field that holds the recording tells it.
    fn kind_of_large_body(&self) -> Kind {
        let head = audio_head(&self.kept);
        match head.kind.as_deref() {
            Some("post_call_audio") => Kind::Recording(head),
            Some("post_call_transcription") => Kind::Kept(self.limits.transcription),
            Some(_) => Kind::Kept(self.limits.plain),
            None if contains(&self.kept, b"\"full_audio\"") => Kind::Recording(head),
            None => Kind::Kept(self.limits.transcription),
        }
    }

    /// Bytes of a recording that have not gone to its file yet; none as long as it is not known to be one.
    pub(crate) fn of_recording(&mut self) -> Option<Vec<u8>> {
        matches!(self.kind, Kind::Recording(_)).then(|| std::mem::take(&mut self.passing))
    }

    /// The whole body, if it is what its signature claims. `incoming` is the file it went to, if it is a recording.
    pub(crate) fn finish(self, incoming: Option<Box<Incoming>>) -> Result<Body, Problem> {
        if let Some(proof) = self.proof {
            proof.finish()?;
        }
        match self.kind {
            Kind::Recording(head) => Ok(Body::Recording(head, incoming)),
            Kind::Unread | Kind::Kept(_) => Ok(Body::Whole(self.kept.into())),
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests;
