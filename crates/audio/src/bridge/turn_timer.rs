//! Measures two things that a caller notices: how long an answer of the agent takes, split into precall's and the
//! provider's share, and how long the agent goes on after the caller interrupts it.
//!
//! Pure: no clock, no I/O, no actor. It neither allocates nor locks: it stands in the path of the audio.

use std::time::{Duration, Instant};

/// Speech in all before a caller has said something that is answered: a click or a cough is shorter.
const SPEECH_MIN: Duration = Duration::from_millis(200);
/// What the agent says later than this is no answer: it begins anew with a silent caller.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// The time from the caller's last word to the first sound of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TurnTime {
    /// From the caller's last word sent to the provider until its answer began to arrive.
    pub(crate) provider: Duration,
    /// Before and after that: from the word's arrival until it was sent, and from the answer's arrival until its first
    /// piece was written into the leg.
    pub(crate) ours: Duration,
}

/// The clockwork of one session.
#[derive(Debug, Default)]
pub(crate) struct TurnTimer {
    /// Speech of the caller since the agent's last audio.
    spoken: Duration,
    /// When the caller's last word arrived, and when it was sent on.
    last_word: Option<LastWord>,
    answer: Option<Answer>,
    /// When the provider said that the caller interrupts the agent.
    interrupted: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct LastWord {
    arrived: Instant,
    sent: Option<Instant>,
}

/// An answer that is not written yet.
#[derive(Clone, Copy, Debug)]
struct Answer {
    provider: Duration,
    before: Duration,
    arrived: Instant,
}

impl TurnTimer {
    /// Audio of the caller with speech, this long.
    pub(crate) fn caller_spoke(&mut self, span: Duration, now: Instant) {
        self.spoken = self.spoken.saturating_add(span);
        self.last_word = Some(LastWord { arrived: now, sent: None });
    }

    /// All audio of the caller that has arrived was sent to the provider.
    pub(crate) fn all_sent(&mut self, now: Instant) {
        if let Some(word) = &mut self.last_word {
            word.sent.get_or_insert(now);
        }
    }

    /// Audio of the agent arrived. It answers nothing when it goes on with what the caller hears now: a provider may
    /// send its pieces one by one, and a caller in a noisy place is never silent.
    pub(crate) fn agent_audio(&mut self, goes_on: bool, now: Instant) {
        let word = self.last_word.take();
        let spoken = std::mem::take(&mut self.spoken);
        let is_answer = spoken >= SPEECH_MIN && !goes_on;
        let Some(LastWord { arrived, sent }) = word.filter(|_| is_answer) else { return };
        let sent = sent.unwrap_or(now);
        let answered_after = now.saturating_duration_since(arrived);
        if answered_after <= ANSWER_WITHIN && self.answer.is_none() {
            self.answer = Some(Answer {
                provider: now.saturating_duration_since(sent),
                before: sent.saturating_duration_since(arrived),
                arrived: now,
            });
        }
    }

    /// A piece of the agent's audio was written into the leg. Returns the turn that it ends.
    pub(crate) fn written(&mut self, at: Instant) -> Option<TurnTime> {
        let Answer { provider, before, arrived } = self.answer.take()?;
        let after = at.saturating_duration_since(arrived);
        Some(TurnTime { provider, ours: before.saturating_add(after) })
    }

    /// The provider says that the caller interrupts the agent while its audio plays.
    pub(crate) fn interrupted(&mut self, now: Instant) {
        self.answer = None;
        self.interrupted.get_or_insert(now);
    }

    /// After an interruption: how long the agent goes on after it. `ahead` is the written audio that the caller has
    /// not heard yet.
    pub(crate) fn stops(&mut self, now: Instant, ahead: Duration) -> Option<Duration> {
        let interrupted = self.interrupted.take()?;
        Some(now.saturating_duration_since(interrupted).saturating_add(ahead))
    }
}

#[cfg(test)]
mod tests;
