//! The conversations over WebSockets: bounded; those that are over are kept for their report.

use std::collections::BTreeMap;

use super::talk::{NewTalk, Talk};

/// Most that are kept; the oldest that are over go first.
const CAPACITY: usize = 10_000;
/// Most bytes of callers' audio that are kept, all conversations together; the oldest that are over lose theirs.
const AUDIO_KEPT: usize = 256 * 1024 * 1024;

/// The table, by the number of the conversation.
#[derive(Debug, Default)]
pub(in crate::elevenlabs) struct Talks {
    by_number: BTreeMap<u64, Talk>,
    /// Bytes that those here may keep.
    audio: usize,
}

impl Talks {
    /// Begins one. It keeps no audio when all of the room for it is taken by others that go on.
    pub fn begin(&mut self, number: u64, mut about: NewTalk) {
        while self.by_number.len() >= CAPACITY
            && let Some(oldest) =
                self.by_number.iter().find(|(_, talk)| talk.is_over()).map(|(number, _)| *number)
        {
            self.by_number
                .remove(&oldest)
                .inspect(|talk| self.audio = self.audio.saturating_sub(talk.ear.kept_at_most()));
        }
        for talk in self.by_number.values_mut().filter(|talk| talk.is_over()) {
            if self.audio.saturating_add(about.kept_at_most) <= AUDIO_KEPT {
                break;
            }
            self.audio = self.audio.saturating_sub(talk.ear.kept_at_most());
            talk.ear.forget();
        }
        if self.audio.saturating_add(about.kept_at_most) > AUDIO_KEPT {
            about.kept_at_most = 0;
        }
        self.audio = self.audio.saturating_add(about.kept_at_most);
        self.by_number.insert(number, Talk::new(about));
    }

    /// All of them, oldest first.
    pub fn all(&self) -> impl Iterator<Item = &Talk> {
        self.by_number.values()
    }

    pub fn get(&self, number: u64) -> Option<&Talk> {
        self.by_number.get(&number)
    }

    pub fn get_mut(&mut self, number: u64) -> Option<&mut Talk> {
        self.by_number.get_mut(&number)
    }
}
