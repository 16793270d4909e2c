//! Time and credits used by conversations within a sliding window; each conversation counts once.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use precall_call::{At, ConversationId};

use crate::limits::budgets::sliding_window::ENTRIES_MAX;

/// Sums are stored by the minute: at most 1,440 for a day, for any number of conversations.
const MINUTE_MICROS: i64 = 60_000_000;
const MINUTE: Duration = Duration::from_secs(60);

/// Use of one conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Duration in seconds.
    pub seconds: u64,
    /// Cost in credits.
    pub credits: u64,
}

impl Use {
    fn minus(self, less: Self) -> Self {
        Self {
            seconds: self.seconds.saturating_sub(less.seconds),
            credits: self.credits.saturating_sub(less.credits),
        }
    }
}

#[derive(Debug)]
pub(crate) struct ConversationUse {
    span: Duration,
    /// Start of each minute, oldest first, and the use counted in it.
    minutes: VecDeque<(At, Use)>,
    all: Use,
    /// What was counted for each conversation, so that it counts once.
    of: HashMap<ConversationId, Use>,
    /// Oldest first.
    ids: VecDeque<(At, ConversationId)>,
}

impl ConversationUse {
    pub(crate) fn over(span: Duration) -> Self {
        Self { span, minutes: VecDeque::new(), all: Use::default(), of: HashMap::new(), ids: VecDeque::new() }
    }

    /// Adds a report; times may come in any order. The highest values reported for a conversation count.
    pub(crate) fn add(&mut self, conversation: &ConversationId, took: Use, at: At) {
        let before = self.of.get(conversation).copied();
        let counted = before.unwrap_or_default();
        let most =
            Use { seconds: took.seconds.max(counted.seconds), credits: took.credits.max(counted.credits) };
        self.of.insert(conversation.clone(), most);
        if before.is_none() {
            let place = self.ids.partition_point(|(earlier, _)| *earlier <= at);
            self.ids.insert(place, (at, conversation.clone()));
        }
        if self.ids.len() > ENTRIES_MAX {
            self.forget_oldest_id();
        }
        self.add_to_minute(most.minus(counted), at);
    }

    pub(crate) fn forget(&mut self, now: At) {
        // A minute is removed when its last second is old enough.
        while self.minutes.front().is_some_and(|(at, _)| now.since(*at) >= self.span.saturating_add(MINUTE)) {
            if let Some((_, used)) = self.minutes.pop_front() {
                self.all = self.all.minus(used);
            }
        }
        while self.ids.front().is_some_and(|(at, _)| now.since(*at) >= self.span.saturating_add(MINUTE)) {
            self.forget_oldest_id();
        }
    }

    pub(crate) fn all(&self) -> Use {
        self.all
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.minutes.is_empty() && self.ids.is_empty() && self.of.is_empty()
    }

    fn add_to_minute(&mut self, more: Use, at: At) {
        if more == Use::default() {
            return;
        }
        let minute = At(at.0.saturating_sub(at.0.rem_euclid(MINUTE_MICROS)));
        let place = self.minutes.partition_point(|(earlier, _)| *earlier < minute);
        if self.minutes.get(place).is_none_or(|(there, _)| *there != minute) {
            self.minutes.insert(place, (minute, Use::default()));
        }
        for used in self.minutes.get_mut(place).map(|(_, used)| used).into_iter().chain([&mut self.all]) {
            used.seconds = used.seconds.saturating_add(more.seconds);
            used.credits = used.credits.saturating_add(more.credits);
        }
    }

    fn forget_oldest_id(&mut self) {
        if let Some((_, conversation)) = self.ids.pop_front() {
            self.of.remove(&conversation);
        }
    }
}
