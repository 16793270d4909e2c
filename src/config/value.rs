//! How the text of a variable becomes a value. Every failure is kept as a value too: serde stops at the first
//! error and does not name the variable, and an operator wants all of them with their names.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use super::redact::shown;
use super::secret::Secret;
use crate::trusted_addresses::AddressList;

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

    /// The common case: the text itself is shown, shortened. Not for secrets.
    fn is_not(text: &str, right: &str) -> Self {
        Self::new(format!("`{}` cannot be used", shown(text)), right)
    }
}

/// A value that can be read from a variable's text, which is trimmed and never empty.
pub(super) trait FromText: Sized {
    fn from_text(text: &str) -> Result<Self, Complaint>;
}

/// A variable as envy hands it over: read well or badly, never a serde error.
#[derive(Debug)]
pub(super) struct Read<T>(pub(super) Result<T, Complaint>);

impl<'de, T: FromText> Deserialize<'de> for Read<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self(T::from_text(&text)))
    }
}

/// Reads one of a closed set of words, in any case.
macro_rules! words {
    ($name:ty, $right:literal, $($($word:literal)|+ => $value:expr),+ $(,)?) => {
        impl $crate::config::value::FromText for $name {
            fn from_text(text: &str) -> Result<Self, $crate::config::value::Complaint> {
                match text.to_ascii_lowercase().as_str() {
                    $($($word)|+ => Ok($value),)+
                    _ => Err($crate::config::value::Complaint::new(
                        format!("`{}` cannot be used", $crate::config::redact::shown(text)),
                        $right,
                    )),
                }
            }
        }
    };
}
pub(super) use words;

words!(bool, "true or false (also 1/0, yes/no, on/off)",
    "true" | "1" | "yes" | "on" => true,
    "false" | "0" | "no" | "off" => false,
);

words!(slog::Level, "trace, debug, info, warning, error or critical",
    "trace" => slog::Level::Trace,
    "debug" => slog::Level::Debug,
    "info" => slog::Level::Info,
    "warning" | "warn" => slog::Level::Warning,
    "error" => slog::Level::Error,
    "critical" | "fatal" => slog::Level::Critical,
);

impl FromText for u64 {
    fn from_text(text: &str) -> Result<Self, Complaint> {
        let all_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if all_digits { text.parse().ok() } else { None };
        number
            .ok_or_else(|| Complaint::new(format!("`{}` is not a whole number", shown(text)), "digits only"))
    }
}

/// Free text for people or for a model to speak.
impl FromText for String {
    fn from_text(text: &str) -> Result<Self, Complaint> {
        const MAX: usize = 2_000;
        if text.chars().count() > MAX {
            return Err(Complaint::new("is too long", format!("at most {MAX} characters")));
        }
        Ok(text.to_owned())
    }
}

impl FromText for PathBuf {
    fn from_text(text: &str) -> Result<Self, Complaint> {
        if text.contains('\0') {
            return Err(Complaint::is_not(text, "a path"));
        }
        Ok(Self::from(text))
    }
}

/// White space around a pasted secret is a mistake that would show up only as refused requests.
impl FromText for Secret {
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

/// A name that somebody else gave: an id at the provider, a DN, a bucket. One word of printable ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) String);

impl FromText for Word {
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

/// Entries separated by commas or line breaks, or a JSON array of strings; trimmed, empty ones left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct List(pub(super) Vec<String>);

impl FromText for List {
    fn from_text(text: &str) -> Result<Self, Complaint> {
        const MAX: usize = 1_000;
        const RIGHT: &str = "at most 1000 entries, comma separated, or a JSON array of strings";
        let entries: Vec<String> = if text.starts_with('[') {
            // Serde's message is not passed on: it may quote the text, and lists can hold key hashes.
            serde_json::from_str(text)
                .map_err(|_| Complaint::new("begins with `[` but is not a JSON array of strings", RIGHT))?
        } else {
            text.split([',', '\n']).map(str::to_owned).collect()
        };
        let entries: Vec<String> = entries
            .iter()
            .map(|entry| entry.trim())
            .filter(|entry| !entry.is_empty())
            .map(str::to_owned)
            .collect();
        if entries.len() > MAX {
            return Err(Complaint::new("has too many entries", RIGHT));
        }
        Ok(Self(entries))
    }
}

impl FromText for AddressList {
    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str =
            "IP addresses or CIDR blocks, for example `203.0.113.7, 10.0.0.0/8, 2001:db8::/32`";
        let entries = List::from_text(text)?;
        if entries.0.is_empty() {
            return Err(Complaint::new("holds no address", RIGHT));
        }
        Self::parse(&entries.0).map_err(|wrong| Complaint::is_not(&wrong, RIGHT))
    }
}

/// `localhost` is understood, other names are not: what a server binds must not depend on a resolver.
impl FromText for IpAddr {
    fn from_text(text: &str) -> Result<Self, Complaint> {
        if text.eq_ignore_ascii_case("localhost") {
            return Ok(Self::from([127, 0, 0, 1]));
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        bare.parse().map_err(|_| Complaint::is_not(text, "an IP address such as 0.0.0.0, 127.0.0.1 or ::"))
    }
}

impl FromText for std::net::SocketAddr {
    fn from_text(text: &str) -> Result<Self, Complaint> {
        let text =
            text.strip_prefix("localhost:").map_or(text.to_owned(), |port| format!("127.0.0.1:{port}"));
        text.parse()
            .map_err(|_| Complaint::is_not(&text, "ADDRESS:PORT, for example 127.0.0.1:9090 or [::1]:9090"))
    }
}

#[cfg(test)]
mod tests;
