//! PIN entry by keypad: key presses become a PIN, a single key, or nothing.
//!
//! An entry ends with `#`, with its twelfth digit, or with a pause; the length of the caller's PIN is not known before
//! the check. `*` clears the entry. A single digit before `#` or a pause is no PIN and keeps its meaning; so do `*` and
//! `#` on an empty entry. Two or three digits are a mistake and are dropped.
//!
//! Pure: no clock, no I/O, no actor.

use std::fmt;
use std::time::Duration;

use precall_call::At;

use crate::call::pin::{DIGITS_MAX, Pin};

/// A pause of this length ends an entry.
pub const ENTRY_PAUSE: Duration = Duration::from_secs(4);

/// A finished entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PadEntry {
    /// A PIN, not checked yet.
    Pin(Pin),
    /// A single key.
    Key(char),
}

/// The entry that is being typed.
#[derive(Default)]
pub struct PinPad {
    digits: String,
    last: Option<At>,
}

impl PinPad {
    /// Whether no entry is being typed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.digits.is_empty()
    }

    /// Handles a key press. An entry that a pause has ended comes first in the result.
    pub fn press(&mut self, key: char, now: At) -> Vec<PadEntry> {
        let mut entries = Vec::new();
        entries.extend(self.expire(now));
        self.last = Some(now);
        match key {
            '0'..='9' => {
                self.digits.push(key);
                if self.digits.len() >= DIGITS_MAX {
                    entries.extend(self.end());
                }
            }
            '*' | '#' if self.digits.is_empty() => entries.push(PadEntry::Key(key)),
            '*' => self.digits.clear(),
            '#' => entries.extend(self.end()),
            _ => {}
        }
        entries
    }

    /// Ends the entry if no key was pressed for `ENTRY_PAUSE`.
    pub fn expire(&mut self, now: At) -> Option<PadEntry> {
        if self.last.is_none_or(|last| now.since(last) < ENTRY_PAUSE) {
            return None;
        }
        self.end()
    }

    fn end(&mut self) -> Option<PadEntry> {
        let typed = std::mem::take(&mut self.digits);
        let mut keys = typed.chars();
        if let (Some(key), None) = (keys.next(), keys.next()) {
            return Some(PadEntry::Key(key));
        }
        Pin::parse(&typed).ok().map(PadEntry::Pin)
    }
}

/// Hides the typed digits.
impl fmt::Debug for PinPad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinPad").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
