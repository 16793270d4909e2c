//! The notice before the greeting: artificial voice, recording, sharing of data.

use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::kind::Kind;
use super::value::{Complaint, FromText, words};

/// The limit of every spoken text.
const CHARACTERS_MAX: usize = 2_000;
const LANGUAGES_MAX: usize = 50;
/// Key of the text for languages without a text of their own.
const DEFAULT: &str = "default";

/// Who gives the notice to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeGivenBy {
    /// precall, before the greeting.
    Precall,
    /// The PBX, before the call reaches precall.
    Pbx,
}

words!(NoticeGivenBy,
    "precall" => NoticeGivenBy::Precall,
    "pbx" => NoticeGivenBy::Pbx,
);

/// The notice: one text for all languages, or one for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeMessage {
    /// For every language of a line.
    Plain(String),
    /// Language and text, in the order of the variable; never empty.
    ByLanguage(Vec<(String, String)>),
}

/// The notice of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticeText<'a> {
    /// Its language, when known.
    pub language: Option<&'a str>,
    /// The spoken text.
    pub text: &'a str,
}

impl NoticeMessage {
    /// The text for a line in `language`: of that language, else of the same language in another region, else the one
    /// called `default`, else the first.
    #[must_use]
    pub fn of<'a>(&'a self, language: Option<&'a str>) -> NoticeText<'a> {
        let texts = match self {
            Self::Plain(text) => return NoticeText { language, text },
            Self::ByLanguage(texts) => texts,
        };
        let find = |fits: &dyn Fn(&str) -> bool| texts.iter().find(|(key, _)| fits(key));
        let exact = language.and_then(|language| find(&|key| key.eq_ignore_ascii_case(language)));
        let related = || language.and_then(|language| find(&|key| is_same_language(key, language)));
        let found = exact.or_else(related).or_else(|| find(&|key| key == DEFAULT)).or_else(|| texts.first());
        // The list is never empty. An empty text would be refused when precall prepares it.
        found.map_or(NoticeText { language: None, text: "" }, |(key, text)| NoticeText {
            language: (key != DEFAULT).then_some(key),
            text,
        })
    }
}

/// Compares languages without their regions.
fn is_same_language(one: &str, other: &str) -> bool {
    fn code(language: &str) -> &str {
        language.split(['-', '_']).next().unwrap_or(language)
    }
    code(one).eq_ignore_ascii_case(code(other))
}

impl FromText for NoticeMessage {
    const KIND: Kind = Kind::Form("text, or JSON object of texts by language");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str =
            r#"a text of at most 2000 characters, or {"en": "text", "nl": "text", "default": "text"}"#;
        let wrong = |wrong: String| Complaint::new(wrong, RIGHT);
        if !text.starts_with('{') {
            return match text.chars().count() {
                0..=CHARACTERS_MAX => Ok(Self::Plain(text.to_owned())),
                _ => Err(wrong("is too long".to_owned())),
            };
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let texts = reader
            .deserialize_map(InOrder)
            .and_then(|texts| reader.end().map(|()| texts))
            .map_err(|_| wrong("begins with `{` but is not a JSON object of texts".to_owned()))?;
        if texts.is_empty() || texts.len() > LANGUAGES_MAX {
            return Err(wrong(format!("has texts in {} languages", texts.len())));
        }
        for (index, (key, text)) in texts.iter().enumerate() {
            if key != DEFAULT && !is_language(key) {
                return Err(wrong(format!(
                    "has a text in `{}`, which is not a language",
                    super::redact::shown(key)
                )));
            }
            if texts.iter().take(index).any(|(earlier, _)| earlier.eq_ignore_ascii_case(key)) {
                return Err(wrong(format!("has two texts in `{key}`")));
            }
            if text.trim().is_empty() || text.chars().count() > CHARACTERS_MAX {
                return Err(wrong(format!("has a text in `{key}` that is empty or too long")));
            }
        }
        Ok(Self::ByLanguage(texts))
    }
}

/// `en`, `gsw`, `en-GB`.
fn is_language(key: &str) -> bool {
    let mut parts = key.split('-');
    let is_code = |part: &str| (2..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphabetic());
    let is_region =
        |part: &str| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    parts.next().is_some_and(is_code) && parts.all(is_region)
}

/// Reads a map as pairs in their order, because the first text stands in for a missing `default`.
struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Vec<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("texts by language")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some((key, text)) = map.next_entry::<String, String>()? {
            if texts.len() > LANGUAGES_MAX {
                return Err(A::Error::custom("too many"));
            }
            texts.push((key, text.trim().to_owned()));
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests;
