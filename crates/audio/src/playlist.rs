//! What a leg plays, in order.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::Duration;

use crate::clip::Clip;

/// Names the end of an item. The author of the playlist chooses the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark(pub u32);

/// One part of a playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaylistItem {
    /// Silence of this length, exact to the sample.
    Silence(Duration),
    /// A clip, once.
    Once(Clip),
    /// A clip again and again until the playlist is replaced; items after it are never reached. An empty clip is
    /// silence.
    Loop(Clip),
}

/// Items one after the other without a gap. Endless silence follows the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Playlist {
    items: Vec<(PlaylistItem, Option<Mark>)>,
    private_until: Option<Mark>,
}

impl Playlist {
    /// Adds an item.
    #[must_use]
    pub fn then(mut self, item: PlaylistItem) -> Self {
        self.items.push((item, None));
        self
    }

    /// Adds all items of another playlist.
    #[must_use]
    pub fn followed_by(mut self, other: &Self) -> Self {
        self.items.extend_from_slice(&other.items);
        self.private_until = other.private_until.or(self.private_until);
        self
    }

    /// Adds an item whose end is reported as `Heard(mark)`. A loop has no end.
    #[must_use]
    pub fn then_marked(mut self, item: PlaylistItem, mark: Mark) -> Self {
        self.items.push((item, Some(mark)));
        self
    }

    /// Nobody may listen to the leg before the item with this mark was heard to its end. It counts for later playlists
    /// of the leg as well.
    #[must_use]
    pub fn private_until(self, mark: Mark) -> Self {
        Self { private_until: Some(mark), ..self }
    }

    /// The mark that must be heard before anybody may listen.
    pub(crate) fn private_mark(&self) -> Option<Mark> {
        self.private_until
    }

    /// The item at an index, and its mark.
    pub(crate) fn item(&self, index: usize) -> Option<(&PlaylistItem, Option<Mark>)> {
        self.items.get(index).map(|(item, mark)| (item, *mark))
    }
}
