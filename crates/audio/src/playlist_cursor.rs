//! Which bytes come next.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::clip::{bytes_within, duration_of, whole_samples};
use crate::playlist::{Cue, Mark, Scene};

/// Half a second: longer than any piece.
static SILENCE: [u8; 8_000] = [0; 8_000];

/// Reads a scene from front to back, in pieces of any size. A piece that lies within one clip is a slice of it; only one
/// that crosses a join is copied, into memory that is used again.
#[derive(Debug)]
pub struct Player {
    scene: Scene,
    place: Place,
    join: BytesMut,
}

/// A place between two samples of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Counts the scenes of this player.
    scene: u32,
    cue: usize,
    /// Bytes of the cue that are over; within its clip for a loop.
    offset: usize,
}

/// A marked cue came to its end within a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Of the cue.
    pub mark: Mark,
    /// Bytes of the piece that still belong to it, or to what came before.
    pub after: usize,
}

impl Player {
    /// At the beginning of a scene.
    #[must_use]
    pub fn new(scene: Scene) -> Self {
        Self { scene, place: Place { scene: 0, cue: 0, offset: 0 }, join: BytesMut::new() }
    }

    /// Puts another scene in place of what is left of this one, from the next piece on.
    pub fn play(&mut self, scene: Scene) {
        self.scene = scene;
        self.place = Place { scene: self.place.scene.wrapping_add(1), cue: 0, offset: 0 };
    }

    /// Where it is: before the next piece.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// How long it takes until the cue with this mark is over; none when it is not ahead, or behind a loop.
    #[must_use]
    pub fn until(&self, mark: Mark) -> Option<Duration> {
        let mut bytes = 0_usize;
        for number in self.place.cue.. {
            let (cue, its) = self.scene.cue(number)?;
            let length = match cue {
                Cue::Once(clip) => clip.pcm().len(),
                Cue::Silence(span) => bytes_within(*span),
                Cue::Loop(_) => return None,
            };
            bytes = bytes.saturating_add(length);
            if its == Some(mark) {
                return Some(duration_of(bytes.saturating_sub(self.place.offset)));
            }
        }
        None
    }

    /// Goes back to a place where it was, and on from there by so many bytes that need not come again. When the scene was
    /// replaced since, nothing of the new one has been heard: it starts at its beginning.
    pub fn go_back(&mut self, place: Place, except: usize) {
        if place.scene != self.place.scene {
            self.place = Place { cue: 0, offset: 0, ..self.place };
            return;
        }
        self.place = place;
        let mut left = whole_samples(except);
        while left > 0 {
            left -= self.run(left).len();
            self.leave_spent(0, &mut Vec::new());
        }
    }

    /// The next piece: exactly so many bytes, or one less when that is half a sample. Adds the marks that it passes.
    #[must_use]
    pub fn piece(&mut self, bytes: usize, ended: &mut Vec<Ended>) -> Bytes {
        let bytes = whole_samples(bytes);
        self.leave_spent(0, ended);
        let first = self.run(bytes);
        self.leave_spent(first.len(), ended);
        if first.len() == bytes {
            return first;
        }
        self.join.reserve(bytes);
        self.join.extend_from_slice(&first);
        while self.join.len() < bytes {
            let next = self.run(bytes - self.join.len());
            self.join.extend_from_slice(&next);
            self.leave_spent(self.join.len(), ended);
        }
        self.join.split().freeze()
    }

    /// What comes next without a join, at most so much. Never empty unless nothing is asked for.
    fn run(&mut self, at_most: usize) -> Bytes {
        let offset = self.place.offset;
        let run = match self.scene.cue(self.place.cue) {
            Some((Cue::Once(clip), _)) => slice(clip.pcm(), offset, at_most),
            Some((Cue::Loop(clip), _)) if !clip.is_empty() => slice(clip.pcm(), offset, at_most),
            Some((Cue::Silence(span), _)) => silence(at_most.min(bytes_within(*span).saturating_sub(offset))),
            // An empty loop has no end to go beyond either.
            Some((Cue::Loop(_), _)) | None => return silence(at_most),
        };
        self.place.offset = offset.saturating_add(run.len());
        run
    }

    /// Goes on to the next cue that is not over, and to the beginning of a loop that is.
    fn leave_spent(&mut self, after: usize, ended: &mut Vec<Ended>) {
        while let Some((cue, mark)) = self.scene.cue(self.place.cue) {
            let length = match cue {
                Cue::Once(clip) => clip.pcm().len(),
                Cue::Silence(span) => bytes_within(*span),
                Cue::Loop(clip) => {
                    if self.place.offset >= clip.pcm().len() {
                        self.place.offset = 0;
                    }
                    return;
                }
            };
            if self.place.offset < length {
                return;
            }
            ended.extend(mark.map(|mark| Ended { mark, after }));
            self.place.cue = self.place.cue.saturating_add(1);
            self.place.offset = 0;
        }
    }
}

fn slice(pcm: &Bytes, offset: usize, at_most: usize) -> Bytes {
    let from = offset.min(pcm.len());
    pcm.slice(from..from.saturating_add(at_most).min(pcm.len()))
}

/// So many bytes of silence, half a second at most.
pub(super) fn silence(bytes: usize) -> Bytes {
    Bytes::from_static(SILENCE.get(..bytes).unwrap_or(&SILENCE))
}

#[cfg(test)]
mod tests;
