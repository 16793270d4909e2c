//! Lists: entries separated by commas, or a JSON array of strings.

use super::super::kind::Kind;
use super::{Complaint, FromText, Word};

/// Entries separated by commas or line breaks, or a JSON array of strings; trimmed, without empty ones.
///
/// Not `Vec` by serde: envy splits at commas only, does not trim, and knows no JSON array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct List(pub(in crate::config) Vec<String>);

impl FromText for List {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const MAX: usize = 1_000;
        const RIGHT: &str = "at most 1000 entries, comma separated, or a JSON array of strings";
        let entries: Vec<String> = if text.starts_with('[') {
            // Serde's message is dropped: it may quote the text, and lists can hold key hashes.
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

/// A list of single words, for example DNs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct WordList(pub(in crate::config) Vec<String>);

impl FromText for WordList {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let List(entries) = List::from_text(text)?;
        for entry in &entries {
            Word::from_text(entry)
                .map_err(|complaint| Complaint::new(complaint.wrong, "single words, comma separated"))?;
        }
        Ok(Self(entries))
    }
}

/// A list of host names, without scheme, port or path, in the form that a URL has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Hosts(pub(in crate::config) Vec<String>);

impl FromText for Hosts {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str = "host names only, for example api.us.elevenlabs.io";
        let List(entries) = List::from_text(text)?;
        let is_host = |text: &String| url::Host::parse(text).is_ok_and(|host| host.to_string() == *text);
        if !entries.iter().all(is_host) {
            return Err(Complaint::new("has an entry that is not a host name", RIGHT));
        }
        Ok(Self(entries))
    }
}

/// A list of `name=value` entries, each name once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Pairs(pub(in crate::config) Vec<(String, String)>);

impl FromText for Pairs {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str =
            "entries of the form name=value, each name once, comma separated or a JSON array of strings";
        let List(entries) = List::from_text(text)?;
        let mut pairs: Vec<(String, String)> = Vec::new();
        for entry in entries {
            let Some((name, value)) = entry.split_once('=') else {
                return Err(Complaint::new("has an entry without `=`", RIGHT));
            };
            let (name, value) = (name.trim(), value.trim());
            let is_known = pairs.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
            if name.is_empty() || value.is_empty() || is_known {
                return Err(Complaint::new(format!("has `{name}` twice or without a value"), RIGHT));
            }
            pairs.push((name.to_owned(), value.to_owned()));
        }
        Ok(Self(pairs))
    }
}
