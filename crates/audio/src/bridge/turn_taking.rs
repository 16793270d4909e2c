//! Who must speak in a conversation between caller and agent, and how long each was silent.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::{Duration, Instant};

use precall_call::Silence;

/// With [`FirstSpeaker::Unknown`] the agent may have no first message. After this time it may be waiting for the
/// caller, so the music stops and the caller can speak.
const FIRST_WORD: Duration = Duration::from_secs(3);

/// What to do while the agent is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SilenceAction {
    /// Nothing: the agent need not speak, or has time left.
    Wait,
    /// Play music to the caller.
    PlayMusic,
    /// Stop the music: perhaps the agent waits for the caller.
    StopMusic,
    /// End the session: the agent has stalled.
    GiveUp,
}

/// Who speaks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstSpeaker {
    /// The agent: precall sent its first message.
    Agent,
    /// The caller.
    Caller,
    /// The agent's own settings decide.
    Unknown,
}

/// Tracks whether the agent must speak, and sums up silences.
#[derive(Clone, Debug)]
pub(crate) struct TurnTaking {
    fill_after: Duration,
    first_word_within: Duration,
    give_up_after: Duration,
    /// Since when the agent must speak; none when it need not.
    expected: Option<Expected>,
    agents: Silence,
    callers: Silence,
    /// Length of the present silence.
    present: Duration,
    /// Whether the present silence is the agent's.
    is_agents: bool,
}

#[derive(Clone, Copy, Debug)]
struct Expected {
    since: Instant,
    give_up_after: Duration,
    turn: Turn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The agent must speak.
    Agents,
    /// The agent may be waiting for the caller. One of the two must speak.
    Either,
}

impl TurnTaking {
    /// Music after the first time; giving up after the second before the agent's first word, later after the third.
    #[must_use]
    pub(crate) fn new(fill_after: Duration, first_word_within: Duration, give_up_after: Duration) -> Self {
        Self {
            fill_after,
            first_word_within,
            give_up_after,
            expected: None,
            agents: Silence::default(),
            callers: Silence::default(),
            present: Duration::ZERO,
            is_agents: false,
        }
    }

    /// Caller and agent were connected.
    pub(crate) fn start(&mut self, first_speaker: FirstSpeaker, now: Instant) {
        let expected = |turn, give_up_after| Some(Expected { since: now, give_up_after, turn });
        self.expected = match first_speaker {
            FirstSpeaker::Agent => expected(Turn::Agents, self.first_word_within),
            // Neither of the two may know that the other waits, so there is more time.
            FirstSpeaker::Unknown => expected(Turn::Either, self.give_up_after),
            FirstSpeaker::Caller => None,
        };
    }

    /// The agent must speak: the caller said something, or precall sent a message that needs an answer.
    pub(crate) fn expect_agent(&mut self, now: Instant) {
        if self.expected.is_none_or(|expected| expected.turn == Turn::Either) {
            let give_up_after = self.give_up_after;
            self.expected = Some(Expected { since: now, give_up_after, turn: Turn::Agents });
        }
    }

    /// The agent need not speak: it does already, or the caller speaks again.
    pub(crate) fn expect_nothing(&mut self) {
        self.expected = None;
    }

    /// Whether the agent must speak.
    pub(crate) fn agent_must_speak(&self) -> bool {
        self.expected.is_some_and(|expected| expected.turn == Turn::Agents)
    }

    /// What to do now that none of the agent's audio is left to play.
    pub(crate) fn action(&self, now: Instant) -> SilenceAction {
        let Some(expected) = self.expected else { return SilenceAction::Wait };
        let waited = now.saturating_duration_since(expected.since);
        if waited >= expected.give_up_after {
            return SilenceAction::GiveUp;
        }
        match expected.turn {
            Turn::Either if waited >= FIRST_WORD => SilenceAction::StopMusic,
            Turn::Agents if waited >= self.fill_after => SilenceAction::PlayMusic,
            Turn::Agents | Turn::Either => SilenceAction::Wait,
        }
    }

    /// Counts silence that was written to the caller.
    pub(crate) fn add_silence(&mut self, span: Duration) {
        let is_agents = self.agent_must_speak();
        if self.is_agents != is_agents {
            self.present = Duration::ZERO;
            self.is_agents = is_agents;
        }
        self.present += span;
        let silence = if is_agents { &mut self.agents } else { &mut self.callers };
        silence.total += span;
        silence.longest = silence.longest.max(self.present);
    }

    /// The agent's audio was written to the caller: the present silence ends.
    pub(crate) fn end_silence(&mut self) {
        self.present = Duration::ZERO;
    }

    /// Silence while the agent had to speak, and while it had not.
    #[must_use]
    pub(crate) fn silences(&self) -> (Silence, Silence) {
        (self.agents, self.callers)
    }
}

#[cfg(test)]
mod tests;
