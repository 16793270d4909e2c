//! The latest utterances of a call, for an agent that replaces another one.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::VecDeque;

use precall_call::Speaker;
use precall_providers::elevenlabs::contextual_update_text;
use serde_json::Value;

/// Length of the transcript that a new session gets, in bytes.
const BYTES_MAX: usize = 2 * 1024;

/// The latest utterances of a call. Bounded: the oldest are dropped first.
#[derive(Clone, Debug, Default)]
pub struct TranscriptTail {
    /// Number and text of each utterance.
    utterances: VecDeque<(u32, String)>,
    bytes: usize,
}

impl TranscriptTail {
    /// Adds an utterance; a correction replaces the utterance that it corrects.
    pub fn push(&mut self, number: u32, by: Speaker, text: &str, corrects: Option<u32>) {
        let words = format!("{}: {text}", by.name());
        let kept = words.get(..words.floor_char_boundary(BYTES_MAX)).unwrap_or_default().to_owned();
        self.bytes = self.bytes.saturating_add(kept.len());
        match self.utterances.iter_mut().find(|(known, _)| Some(*known) == corrects) {
            Some((_, wrong)) => {
                self.bytes = self.bytes.saturating_sub(wrong.len());
                *wrong = kept;
            }
            None => self.utterances.push_back((number, kept)),
        }
        while self.bytes > BYTES_MAX {
            let Some((_, oldest)) = self.utterances.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.len());
        }
    }

    /// The contextual update for a new session; `None` if nothing was said. The transcript is quoted, so that the agent
    /// does not take the caller's words for instructions.
    #[must_use]
    pub fn contextual_update(&self) -> Option<String> {
        if self.utterances.is_empty() {
            return None;
        }
        let words: Vec<&str> = self.utterances.iter().map(|(_, words)| words.as_str()).collect();
        let words = Value::from(words.join("\n")).to_string();
        Some(contextual_update_text(&format!(
            "The conversation with this caller was interrupted by a fault and goes on now. \
             This was said before, quoted: {words}"
        )))
    }
}

#[cfg(test)]
mod tests;
