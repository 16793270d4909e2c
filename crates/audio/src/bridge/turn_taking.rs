//! Whose turn it is to speak in a bridged conversation, and how long it was silent.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::{Duration, Instant};

use precall_call::Silence;

/// An agent whose first words are its own may have none, and then waits for the caller: after so long it is taken to.
const FIRST_WORD: Duration = Duration::from_secs(3);

/// What is to be done about an agent that says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Nothing: it need not speak, or has time left.
    Fine,
    /// The caller hears music meanwhile.
    Fill,
    /// It will not speak any more.
    Stalled,
}

/// Who speaks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The agent, by our words.
    Agent,
    /// The caller.
    Caller,
    /// Whatever the agent's own settings say.
    Unknown,
}

/// See the file. Times by whoever asks.
#[derive(Clone, Debug)]
pub struct Turn {
    fill_after: Duration,
    give_up_after: Duration,
    owed: Option<Owed>,
    agents: Silence,
    callers: Silence,
    /// The silence that is going on.
    present: Duration,
    was_owed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Owed {
    since: Instant,
    opening: Opening,
}

impl Turn {
    /// Music after the first span, an end after the second.
    #[must_use]
    pub fn new(fill_after: Duration, give_up_after: Duration) -> Self {
        Self {
            fill_after,
            give_up_after,
            owed: None,
            agents: Silence::default(),
            callers: Silence::default(),
            present: Duration::ZERO,
            was_owed: false,
        }
    }

    /// The two were put together.
    pub fn opened(&mut self, opening: Opening, now: Instant) {
        self.owed = match opening {
            Opening::Agent | Opening::Unknown => Some(Owed { since: now, opening }),
            Opening::Caller => None,
        };
    }

    /// The caller said something, or the agent was told something it has to answer.
    pub fn agent_owes(&mut self, now: Instant) {
        self.owed.get_or_insert(Owed { since: now, opening: Opening::Agent });
    }

    /// The agent speaks, or the caller does again: nothing is owed.
    pub fn nothing_is_owed(&mut self) {
        self.owed = None;
    }

    /// What is to be done while nothing of the agent's is left to be heard.
    pub fn patience(&mut self, now: Instant) -> Patience {
        let Some(owed) = self.owed else { return Patience::Fine };
        let waited = now.saturating_duration_since(owed.since);
        if owed.opening == Opening::Unknown && waited >= FIRST_WORD {
            self.owed = None;
            return Patience::Fine;
        }
        if waited >= self.give_up_after {
            return Patience::Stalled;
        }
        if waited >= self.fill_after { Patience::Fill } else { Patience::Fine }
    }

    /// So much silence was written for the caller.
    pub fn silent(&mut self, span: Duration) {
        let is_owed = self.owed.is_some();
        if self.was_owed != is_owed {
            self.present = Duration::ZERO;
            self.was_owed = is_owed;
        }
        self.present += span;
        let silence = if is_owed { &mut self.agents } else { &mut self.callers };
        silence.total += span;
        silence.longest = silence.longest.max(self.present);
    }

    /// Something was written that is to be heard.
    pub fn sounded(&mut self) {
        self.present = Duration::ZERO;
    }

    /// Silence while the agent owed a word, and while it did not.
    #[must_use]
    pub fn silences(&self) -> (Silence, Silence) {
        (self.agents, self.callers)
    }
}

#[cfg(test)]
mod tests;
