//! How the text of a variable becomes a value. A wrong text becomes a complaint and no serde error: serde stops at the
//! first error and does not name the variable, and an administrator needs all of them with their names.

mod addresses;
pub(super) mod lists;
pub(super) mod numbers;

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use super::kind::Kind;
use super::redact::shown;
use super::secret::Secret;

/// What is wrong with a text, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) wrong: String,
    pub(super) right: String,
}

impl Complaint {
    pub(super) fn new(wrong: impl Into<String>, right: impl Into<String>) -> Self {
        Self { wrong: wrong.into(), right: right.into() }
    }

    /// The common case: shows the text, shortened. Not for secrets.
    pub(super) fn is_not(text: &str, right: impl Into<String>) -> Self {
        Self::new(format!("`{}` cannot be used", shown(text)), right)
    }
}

/// A value that can be read from a variable's text, which is trimmed and never empty.
pub(super) trait FromText: Sized {
    /// What the text looks like, for the documents and for error messages.
    const KIND: Kind;

    fn from_text(text: &str) -> Result<Self, Complaint>;
}

/// A variable as envy reads it: a value or a complaint, never a serde error.
#[derive(Debug)]
pub(super) struct Read<T>(pub(super) Result<T, Complaint>);

impl<'de, T: FromText> Deserialize<'de> for Read<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self(T::from_text(&text)))
    }
}

/// Reads one of a closed set of words, in any case. The first word of each line is the documented one.
macro_rules! words {
    ($name:ty, $($word:literal $(| $alias:literal)* => $value:expr),+ $(,)?) => {
        impl $crate::config::value::FromText for $name {
            const KIND: $crate::config::kind::Kind = $crate::config::kind::Kind::OneOf(&[$($word),+]);

            fn from_text(text: &str) -> Result<Self, $crate::config::value::Complaint> {
                match text.to_ascii_lowercase().as_str() {
                    $($word $(| $alias)* => Ok($value),)+
                    _ => Err($crate::config::value::Complaint::is_not(
                        text,
                        $crate::config::value::alternatives(&[$($word),+]),
                    )),
                }
            }
        }
    };
}
pub(super) use words;

/// The words as people write them: `a, b or c`.
#[must_use]
pub(super) fn alternatives(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

words!(slog::Level,
    "trace" => slog::Level::Trace,
    "debug" => slog::Level::Debug,
    "info" => slog::Level::Info,
    "warning" | "warn" => slog::Level::Warning,
    "error" => slog::Level::Error,
    "critical" | "fatal" => slog::Level::Critical,
);

impl FromText for bool {
    const KIND: Kind = Kind::OneOf(&["true", "false"]);

    fn from_text(text: &str) -> Result<Self, Complaint> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(Complaint::is_not(text, "true or false (also 1/0, yes/no, on/off)")),
        }
    }
}

/// Free text for people, or for a model to speak.
impl FromText for String {
    const KIND: Kind = Kind::Text;

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const MAX: usize = 2_000;
        if text.chars().count() > MAX {
            return Err(Complaint::new("is too long", format!("at most {MAX} characters")));
        }
        Ok(text.to_owned())
    }
}

impl FromText for PathBuf {
    const KIND: Kind = Kind::Form("path");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        if text.contains('\0') {
            return Err(Complaint::is_not(text, "a path"));
        }
        Ok(Self::from(text))
    }
}

/// White space around a pasted secret is refused: otherwise the mistake shows only in refused requests.
impl FromText for Secret {
    const KIND: Kind = Kind::Secret;

    fn from_text(text: &str) -> Result<Self, Complaint> {
        if text.chars().any(char::is_control) {
            return Err(Complaint::new("holds control characters or a line break", "one line of plain text"));
        }
        if text.trim() != text {
            return Err(Complaint::new("begins or ends with white space", "the secret without it"));
        }
        Ok(Self::new(text))
    }
}

/// A name that another system gave: an id at ElevenLabs, a DN, a key id. One word of printable ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) String);

impl FromText for Word {
    const KIND: Kind = Kind::Form("one word");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const MAX: usize = 128;
        let is_word = text.len() <= MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_word {
            return Err(Complaint::new(
                "is not one word",
                format!("up to {MAX} letters, digits and signs without spaces"),
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests;
