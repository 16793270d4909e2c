//! Keys that are pressed while a PIN is awaited. Pure: they become a PIN, or one key that was pressed alone, or nothing.
//!
//! A PIN ends with `#`, with its twelfth digit, or with a pause; how long the caller's own is nobody knows before it is checked. `*`
//! takes back what was typed. One key alone, that `#` or the pause follows, is no PIN and keeps its meaning, and so do `*` and `#`
//! when nothing was typed. Two or three digits are a slip: nothing.
//!
//! Pure: no clock, no I/O, no actor.

use std::fmt;
use std::time::Duration;

use precall_call::At;

use crate::call::pin::{DIGITS_MAX, Pin};

/// So long without a key ends what was typed.
pub const PAUSE: Duration = Duration::from_secs(4);

/// What the keys turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A PIN, right or wrong.
    Pin(Pin),
    /// A key that was pressed alone.
    Key(char),
}

/// See the file.
#[derive(Default)]
pub struct PinPad {
    digits: String,
    last: Option<At>,
}

impl PinPad {
    /// Whether nothing was typed that is not ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.digits.is_empty()
    }

    /// A key was pressed. What the pause before it has ended comes first.
    pub fn pressed(&mut self, key: char, now: At) -> Vec<Entry> {
        let mut entries = Vec::new();
        entries.extend(self.waited(now));
        self.last = Some(now);
        match key {
            '0'..='9' => {
                self.digits.push(key);
                if self.digits.len() >= DIGITS_MAX {
                    entries.extend(self.end());
                }
            }
            '*' | '#' if self.digits.is_empty() => entries.push(Entry::Key(key)),
            '*' => self.digits.clear(),
            '#' => entries.extend(self.end()),
            _ => {}
        }
        entries
    }

    /// Nothing was pressed until now.
    pub fn waited(&mut self, now: At) -> Option<Entry> {
        if self.last.is_none_or(|last| now.since(last) < PAUSE) {
            return None;
        }
        self.end()
    }

    fn end(&mut self) -> Option<Entry> {
        let typed = std::mem::take(&mut self.digits);
        let mut keys = typed.chars();
        if let (Some(key), None) = (keys.next(), keys.next()) {
            return Some(Entry::Key(key));
        }
        Pin::parse(&typed).ok().map(Entry::Pin)
    }
}

/// What was typed is nobody's to see.
impl fmt::Debug for PinPad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinPad").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
