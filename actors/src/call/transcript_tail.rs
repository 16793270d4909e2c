//! What was said last on a call, for an agent that comes in another one's stead.

use std::collections::VecDeque;

use precall_call::Speaker;
use precall_providers::elevenlabs::contextual_update_text;
use serde_json::Value;

/// What a new session is told of an old one, in bytes of what was said.
const BYTES_MAX: usize = 2 * 1024;

/// See the file. Bounded: the oldest lines go first.
#[derive(Clone, Debug, Default)]
pub struct TranscriptTail {
    /// Each with its number.
    lines: VecDeque<(u32, String)>,
    bytes: usize,
}

impl TranscriptTail {
    /// Somebody said this; a line that corrects an earlier one stands in its place.
    pub fn say(&mut self, number: u32, by: Speaker, text: &str, corrects: Option<u32>) {
        let words = format!("{}: {text}", by.name());
        let kept = words.get(..words.floor_char_boundary(BYTES_MAX)).unwrap_or_default().to_owned();
        self.bytes = self.bytes.saturating_add(kept.len());
        match self.lines.iter_mut().find(|(known, _)| Some(*known) == corrects) {
            Some((_, wrong)) => {
                self.bytes = self.bytes.saturating_sub(wrong.len());
                *wrong = kept;
            }
            None => self.lines.push_back((number, kept)),
        }
        while self.bytes > BYTES_MAX {
            let Some((_, oldest)) = self.lines.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.len());
        }
    }

    /// What a new session is told, none if nothing was said. As speech that is quoted: whoever reads it must not take a caller's words
    /// for an order.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        if self.lines.is_empty() {
            return None;
        }
        let words: Vec<&str> = self.lines.iter().map(|(_, words)| words.as_str()).collect();
        let words = Value::from(words.join("\n")).to_string();
        Some(contextual_update_text(&format!(
            "The conversation with this caller was interrupted by a fault and goes on now. This was said before, quoted: {words}"
        )))
    }
}

#[cfg(test)]
mod tests;
