//! The position in a playlist: yields the next bytes.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::clip::{bytes_within, duration_of, whole_samples};
use crate::playlist::{Mark, Playlist, PlaylistItem};

/// Half a second: longer than any piece.
static SILENCE: [u8; 8_000] = [0; 8_000];

/// Reads a playlist from front to back, in pieces of any size. A piece within one clip is a slice of it. Only a piece
/// that crosses from one item into the next is copied, into a reused buffer.
#[derive(Debug)]
pub(crate) struct PlaylistCursor {
    playlist: Playlist,
    position: Position,
    join: BytesMut,
}

/// A position between two samples of a playlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Counts the playlists of this cursor.
    playlist: u32,
    item: usize,
    /// Bytes of the item already read; of a loop, bytes within its clip.
    offset: usize,
}

/// A marked item ended within a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MarkPassed {
    pub(crate) mark: Mark,
    /// Offset of the item's end in the piece, in bytes.
    pub(crate) after: usize,
}

impl PlaylistCursor {
    /// A cursor at the start of a playlist.
    #[must_use]
    pub(crate) fn new(playlist: Playlist) -> Self {
        let position = Position { playlist: 0, item: 0, offset: 0 };
        Self { playlist, position, join: BytesMut::new() }
    }

    /// Replaces the rest of the playlist, from the next piece on.
    pub(crate) fn play(&mut self, playlist: Playlist) {
        self.playlist = playlist;
        self.position = Position { playlist: self.position.playlist.wrapping_add(1), item: 0, offset: 0 };
    }

    /// The position before the next piece.
    #[must_use]
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Time until the item with this mark ends; none when the mark is not ahead, or lies behind a loop.
    #[must_use]
    pub(crate) fn time_until(&self, mark: Mark) -> Option<Duration> {
        let mut bytes = 0_usize;
        for index in self.position.item.. {
            let (item, its) = self.playlist.item(index)?;
            let length = match item {
                PlaylistItem::Once(clip) => clip.pcm().len(),
                PlaylistItem::Silence(span) => bytes_within(*span),
                PlaylistItem::Loop(_) => return None,
            };
            bytes = bytes.saturating_add(length);
            if its == Some(mark) {
                return Some(duration_of(bytes.saturating_sub(self.position.offset)));
            }
        }
        None
    }

    /// Goes back to an earlier position and skips the `written` bytes after it. When the playlist was replaced
    /// meanwhile, none of the new one was heard: the cursor goes to its start.
    pub(crate) fn go_back(&mut self, position: Position, written: usize) {
        if position.playlist != self.position.playlist {
            self.position = Position { item: 0, offset: 0, ..self.position };
            return;
        }
        self.position = position;
        let mut left = whole_samples(written);
        while left > 0 {
            left -= self.next_run(left).len();
            self.skip_finished_items(0, &mut Vec::new());
        }
    }

    /// The next piece: exactly `bytes` bytes, less one when that is odd. Appends the marks that the piece passes.
    #[must_use]
    pub(crate) fn piece(&mut self, bytes: usize, passed: &mut Vec<MarkPassed>) -> Bytes {
        let bytes = whole_samples(bytes);
        self.skip_finished_items(0, passed);
        let first = self.next_run(bytes);
        self.skip_finished_items(first.len(), passed);
        if first.len() == bytes {
            return first;
        }
        self.join.reserve(bytes);
        self.join.extend_from_slice(&first);
        while self.join.len() < bytes {
            let next = self.next_run(bytes - self.join.len());
            self.join.extend_from_slice(&next);
            self.skip_finished_items(self.join.len(), passed);
        }
        self.join.split().freeze()
    }

    /// The next bytes of one item, at most this many. Never empty unless `at_most` is 0.
    fn next_run(&mut self, at_most: usize) -> Bytes {
        let offset = self.position.offset;
        let run = match self.playlist.item(self.position.item) {
            Some((PlaylistItem::Once(clip), _)) => slice(clip.pcm(), offset, at_most),
            Some((PlaylistItem::Loop(clip), _)) if !clip.is_empty() => slice(clip.pcm(), offset, at_most),
            Some((PlaylistItem::Silence(span), _)) => {
                silence(at_most.min(bytes_within(*span).saturating_sub(offset)))
            }
            // Like the end of the playlist, an empty loop is endless silence.
            Some((PlaylistItem::Loop(_), _)) | None => return silence(at_most),
        };
        self.position.offset = offset.saturating_add(run.len());
        run
    }

    /// Moves from an item that has ended to the next one, and from the end of a loop to its start.
    fn skip_finished_items(&mut self, after: usize, passed: &mut Vec<MarkPassed>) {
        while let Some((item, mark)) = self.playlist.item(self.position.item) {
            let length = match item {
                PlaylistItem::Once(clip) => clip.pcm().len(),
                PlaylistItem::Silence(span) => bytes_within(*span),
                PlaylistItem::Loop(clip) => {
                    if self.position.offset >= clip.pcm().len() {
                        self.position.offset = 0;
                    }
                    return;
                }
            };
            if self.position.offset < length {
                return;
            }
            passed.extend(mark.map(|mark| MarkPassed { mark, after }));
            self.position.item = self.position.item.saturating_add(1);
            self.position.offset = 0;
        }
    }
}

fn slice(pcm: &Bytes, offset: usize, at_most: usize) -> Bytes {
    let from = offset.min(pcm.len());
    pcm.slice(from..from.saturating_add(at_most).min(pcm.len()))
}

/// Silence of this many bytes, half a second at most.
pub(crate) fn silence(bytes: usize) -> Bytes {
    Bytes::from_static(SILENCE.get(..bytes).unwrap_or(&SILENCE))
}

#[cfg(test)]
mod tests;
