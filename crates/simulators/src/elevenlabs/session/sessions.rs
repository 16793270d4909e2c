//! The table of conversations over WebSockets. It is bounded; ended conversations stay for their report.

use std::collections::BTreeMap;

use super::agent_session::{AgentSession, NewSession};

/// Most that are kept; the oldest that are over go first.
const CAPACITY: usize = 10_000;
/// Most bytes of callers' audio that are kept, all conversations together; the oldest that are over lose theirs.
const AUDIO_KEPT: usize = 256 * 1024 * 1024;

/// The table, by the number of the conversation.
#[derive(Debug, Default)]
pub(in crate::elevenlabs) struct Sessions {
    by_number: BTreeMap<u64, AgentSession>,
    /// Bytes that those here may keep.
    audio: usize,
}

impl Sessions {
    /// Begins one. It keeps no audio when all of the room for it is taken by others that go on.
    pub fn begin(&mut self, number: u64, mut about: NewSession) {
        while self.by_number.len() >= CAPACITY
            && let Some(oldest) =
                self.by_number.iter().find(|(_, session)| session.is_over()).map(|(number, _)| *number)
        {
            self.by_number
                .remove(&oldest)
                .inspect(|session| self.audio = self.audio.saturating_sub(session.ear.kept_at_most()));
        }
        for session in self.by_number.values_mut().filter(|session| session.is_over()) {
            if self.audio.saturating_add(about.kept_at_most) <= AUDIO_KEPT {
                break;
            }
            self.audio = self.audio.saturating_sub(session.ear.kept_at_most());
            session.ear.forget();
        }
        if self.audio.saturating_add(about.kept_at_most) > AUDIO_KEPT {
            about.kept_at_most = 0;
        }
        self.audio = self.audio.saturating_add(about.kept_at_most);
        self.by_number.insert(number, AgentSession::new(about));
    }

    /// Freezes the conversations that go on.
    pub fn freeze(&mut self) {
        for session in self.by_number.values_mut().filter(|session| !session.is_over()) {
            session.is_frozen = true;
        }
    }

    /// All of them, oldest first.
    pub fn all(&self) -> impl Iterator<Item = &AgentSession> {
        self.by_number.values()
    }

    pub fn get(&self, number: u64) -> Option<&AgentSession> {
        self.by_number.get(&number)
    }

    pub fn get_mut(&mut self, number: u64) -> Option<&mut AgentSession> {
        self.by_number.get_mut(&number)
    }
}
