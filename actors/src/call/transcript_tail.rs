//! The latest utterances of a call, for an agent that replaces another one.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::VecDeque;

use precall_call::Speaker;
use precall_providers::elevenlabs::{contextual_update_text, user_message_text};
use serde_json::Value;

/// Length of the transcript that a new session gets, in bytes.
const BYTES_MAX: usize = 2 * 1024;

/// The latest utterances of a call. Bounded: the oldest are dropped first.
#[derive(Clone, Debug, Default)]
pub struct TranscriptTail {
    utterances: VecDeque<Utterance>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Utterance {
    number: u32,
    by: Speaker,
    text: String,
}

impl Utterance {
    fn quoted(&self) -> String {
        format!("{}: {}", self.by.name(), self.text)
    }
}

/// What a new session is told of the conversation that it goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuation {
    /// The contextual update: all that was said.
    pub context: String,
    /// The caller's last words, as a message that the agent answers; none if an agent spoke last.
    pub unanswered: Option<String>,
}

impl TranscriptTail {
    /// Adds an utterance; a correction replaces the utterance that it corrects.
    pub fn push(&mut self, number: u32, by: Speaker, text: &str, corrects: Option<u32>) {
        let kept = text.get(..text.floor_char_boundary(BYTES_MAX)).unwrap_or_default().to_owned();
        self.bytes = self.bytes.saturating_add(kept.len());
        match self.utterances.iter_mut().find(|known| Some(known.number) == corrects) {
            Some(wrong) => {
                self.bytes = self.bytes.saturating_sub(wrong.text.len());
                wrong.text = kept;
            }
            None => self.utterances.push_back(Utterance { number, by, text: kept }),
        }
        while self.bytes > BYTES_MAX {
            let Some(oldest) = self.utterances.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.text.len());
        }
    }

    /// Puts the utterances before its own that only `earlier` has. After a restart the player of a leg does not have
    /// them.
    pub fn begin_with(&mut self, earlier: &Self) {
        let first = self.utterances.front().map_or(u32::MAX, |first| first.number);
        let later = std::mem::take(self);
        for it in earlier.utterances.iter().filter(|it| it.number < first).chain(&later.utterances) {
            self.push(it.number, it.by, &it.text, None);
        }
    }

    /// What was said, one utterance a line; `None` if nothing was said.
    #[must_use]
    pub fn quoted(&self) -> Option<String> {
        let words: Vec<String> = self.utterances.iter().map(Utterance::quoted).collect();
        (!words.is_empty()).then(|| words.join("\n"))
    }

    /// What a new session is told; `None` if nothing was said. The transcript is quoted, so that the agent does not
    /// take the caller's words for instructions.
    #[must_use]
    pub fn continuation(&self) -> Option<Continuation> {
        let before = Value::from(self.quoted()?).to_string();
        let context = contextual_update_text(&format!(
            "The conversation with this caller was interrupted by a fault and goes on now. Do not greet the caller \
             again. This was said before, quoted: {before}"
        ));
        let answered = self.utterances.iter().rposition(|it| it.by != Speaker::Caller);
        let open = self.utterances.iter().skip(answered.map_or(0, |last| last.saturating_add(1)));
        let open: Vec<&str> = open.map(|it| it.text.as_str()).collect();
        let unanswered = (!open.is_empty()).then(|| user_message_text(&open.join(" ")));
        Some(Continuation { context, unanswered })
    }
}

#[cfg(test)]
mod tests;
