//! Reads a webhook body piece by piece: checks its size and its signature. Recordings go to a file, other bodies are
//! kept in memory.

use bytes::Bytes;
use precall_base::invisible::without_mark;
use precall_providers::elevenlabs::{AudioHead, audio_head};

use super::proof::Proof;
use super::recordings::Incoming;
use crate::http::body_limits::too_large;
use crate::http::error::{Code, Problem};
use crate::http::fair_share::{BODY_PIECE, Share};

/// Largest bodies, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Any other body.
    pub(crate) plain: usize,
    /// A `post_call_transcription`, or a body whose beginning does not show its type.
    pub(crate) transcription: usize,
    /// A `post_call_audio`.
    pub(crate) audio: usize,
}

impl Limits {
    /// The same limit for every body.
    pub(crate) fn plain(limit: usize) -> Self {
        Self { plain: limit, transcription: limit, audio: limit }
    }

    /// The highest of the limits.
    pub(crate) fn largest(&self) -> usize {
        self.plain.max(self.transcription).max(self.audio)
    }
}

/// A complete body.
pub(crate) enum Body {
    /// The whole body.
    Whole(Bytes),
    /// A recording: its fields other than the audio, and its file if recordings are kept.
    Recording(AudioHead, Option<Box<Incoming>>),
}

impl Body {
    /// The bytes of a body that is no recording.
    ///
    /// # Errors
    /// `bad_json`.
    pub(super) fn whole(self) -> Result<Bytes, Problem> {
        match self {
            Self::Whole(body) => Ok(body),
            Self::Recording(..) => Err(Problem::of(Code::BadJson)),
        }
    }
}

/// Type of the body, as far as known.
enum Kind {
    /// Too few bytes so far.
    Unread,
    /// Kept in memory, up to this many bytes.
    Kept(usize),
    /// Not kept in memory.
    Recording(AudioHead),
}

/// Reads one body.
pub(crate) struct BodyReader {
    limits: Limits,
    proof: Option<Proof>,
    kind: Kind,
    seen: usize,
    kept: Vec<u8>,
    /// Bytes of a recording that are not in its file yet.
    passing: Vec<u8>,
    recordings: Keeping,
    share: Share,
}

/// Whether recordings are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// They are dropped.
    Nothing,
    /// They are written to a file.
    File,
}

impl BodyReader {
    /// `share` limits the memory of unverified bodies.
    pub(crate) fn new(limits: Limits, proof: Option<Proof>, share: Share) -> Self {
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

    /// Sets whether a recording is kept.
    pub(crate) fn keeping(self, recordings: Keeping) -> Self {
        Self { recordings, ..self }
    }

    /// Adds the next bytes.
    ///
    /// # Errors
    /// `body_too_large`, or `too_many_at_once` when there is no memory.
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

    /// The type of a large body, from its beginning. If `type` comes late, the field `full_audio` shows a recording.
    fn kind_of_large_body(&self) -> Kind {
        let head = audio_head(without_mark(&self.kept));
        match head.kind.as_deref() {
            Some("post_call_audio") => Kind::Recording(head),
            Some("post_call_transcription") => Kind::Kept(self.limits.transcription),
            Some(_) => Kind::Kept(self.limits.plain),
            None if contains(&self.kept, b"\"full_audio\"") => Kind::Recording(head),
            None => Kind::Kept(self.limits.transcription),
        }
    }

    /// Takes the bytes of a recording that are not in its file yet; `None` for other bodies.
    pub(crate) fn take_recording(&mut self) -> Option<Vec<u8>> {
        matches!(self.kind, Kind::Recording(_)).then(|| std::mem::take(&mut self.passing))
    }

    /// Checks the signature and returns the body. `incoming` is the file of a recording.
    ///
    /// # Errors
    /// The signature is wrong.
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
