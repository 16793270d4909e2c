//! What a caller is told before anything else: that the voice is artificial, that the call is recorded, who shares it.

use std::fmt;

use precall_call::Route;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::general::Environment;
use super::greeting::Greeting;
use super::problem::Problems;
use super::value::{Complaint, FromText, words};

/// As long as any other text that is spoken.
const CHARACTERS_MAX: usize = 2_000;
const LANGUAGES_MAX: usize = 50;
/// The key of the text for every language that has none of its own.
const DEFAULT: &str = "default";

/// Who tells the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeGivenBy {
    /// We do, before the greeting.
    Precall,
    /// The phone system did, before the call reached us.
    Pbx,
}

words!(NoticeGivenBy, "precall or pbx",
    "precall" => NoticeGivenBy::Precall,
    "pbx" => NoticeGivenBy::Pbx,
);

/// The notice: one text for everybody, or one for each language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeMessage {
    /// Whatever language the line speaks.
    Plain(String),
    /// Language and text, in the order they were written; never empty.
    ByLanguage(Vec<(String, String)>),
}

/// The notice of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticeText<'a> {
    /// The language it is in, as far as that is known.
    pub language: Option<&'a str>,
    /// What is said.
    pub text: &'a str,
}

impl NoticeMessage {
    /// The text of a line that speaks `language`: its own, else the one of the same language in another region, else the
    /// one called `default`, else the first.
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
        // Never empty, and the empty text would be refused when it is to be spoken.
        found.map_or(NoticeText { language: None, text: "" }, |(key, text)| NoticeText {
            language: (key != DEFAULT).then_some(key),
            text,
        })
    }
}

/// Whatever the regions.
fn is_same_language(one: &str, other: &str) -> bool {
    fn code(language: &str) -> &str {
        language.split(['-', '_']).next().unwrap_or(language)
    }
    code(one).eq_ignore_ascii_case(code(other))
}

impl FromText for NoticeMessage {
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
                    "has a text in `{}`, which is no language",
                    super::variables::shown(key)
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

/// A map as pairs, since the first text stands in for a missing `default`.
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

/// On a live leg nobody but us or the PBX can tell the caller, and outside development somebody must. On `callback` the
/// greeting itself does: its default says so.
pub(super) fn require(route: Route, environment: Environment, greeting: &Greeting, problems: &mut Problems) {
    let is_live_leg = match route {
        Route::Bridge | Route::Transfer => true,
        Route::Callback => false,
    };
    let is_told = greeting.notice.is_some() || greeting.notice_given_by == NoticeGivenBy::Pbx;
    if is_live_leg && !is_told && environment == Environment::Production && !problems.has("NOTICE_MESSAGE") {
        problems.add(
            "NOTICE_MESSAGE",
            format!("is required for CALL_ROUTE={} and not set", route.name()),
            "what callers are told about the artificial voice and the recording, or NOTICE_GIVEN_BY=pbx when the PBX \
             tells them",
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
    use precall_call::Route;

    use super::super::problem::Problems;
    use super::super::{Config, Environment};
    use super::{FromText, NoticeMessage, NoticeText, require};

    const TEXTS: &str = r#" {"nl": "Dag.", "en-GB": "Good day.", "en": " Hello. ", "default": "Hi."} "#;

    fn of(notice: &NoticeMessage, language: Option<&str>) -> (Option<String>, String) {
        let NoticeText { language, text } = notice.of(language);
        (language.map(str::to_owned), text.to_owned())
    }

    #[test]
    fn one_text_is_for_every_language() {
        let notice = NoticeMessage::from_text("This call is recorded.").unwrap();
        assert_eq!(of(&notice, Some("nl")), (Some("nl".into()), "This call is recorded.".into()));
        assert_eq!(of(&notice, None), (None, "This call is recorded.".into()));
    }

    #[test]
    fn the_language_of_the_line_picks() {
        let notice = NoticeMessage::from_text(TEXTS.trim()).unwrap();
        let picked = |language| of(&notice, language);
        assert_eq!(picked(Some("nl")), (Some("nl".into()), "Dag.".into()));
        assert_eq!(picked(Some("NL-be")), (Some("nl".into()), "Dag.".into()), "the same language elsewhere");
        assert_eq!(picked(Some("en")), (Some("en".into()), "Hello.".into()), "exactly, before related");
        assert_eq!(picked(Some("EN-gb")), (Some("en-GB".into()), "Good day.".into()));
        assert_eq!(picked(Some("de")), (None, "Hi.".into()));
        assert_eq!(picked(None), (None, "Hi.".into()));
        let without = NoticeMessage::from_text(r#"{"nl": "Dag.", "en": "Hello."}"#).unwrap();
        assert_eq!(
            of(&without, Some("de")),
            (Some("nl".into()), "Dag.".into()),
            "the first, as it is written"
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        let many: Vec<String> = (0..60).map(|n| format!(r#""en-x{n:03}": "t""#)).collect();
        for (text, wrong) in [
            ("{\"en\": \"a\"", "is not a JSON object"),
            ("{\"en\": 5}", "is not a JSON object"),
            ("{\"en\": {\"a\": \"b\"}}", "is not a JSON object"),
            ("{\"en\": \"a\"} more", "is not a JSON object"),
            ("{}", "in 0 languages"),
            ("{\"english\": \"a\"}", "`english`, which is no language"),
            ("{\"e\": \"a\"}", "no language"),
            ("{\"en\": \" \"}", "`en` that is empty"),
            ("{\"en\": \"a\", \"EN\": \"b\"}", "two texts in `EN`"),
            (&format!("{{{}}}", many.join(",")), "is not a JSON object"),
            (&"x".repeat(2_001), "is too long"),
        ] {
            let complaint = NoticeMessage::from_text(text).unwrap_err();
            assert!(complaint.wrong.contains(wrong), "{text:.40}: {complaint:?}");
            assert!(complaint.right.contains("default"), "{complaint:?}");
        }
    }

    #[test]
    fn a_live_leg_outside_development_wants_somebody_to_tell_the_caller() {
        let told = |route, environment, more: &[(&str, &str)]| {
            let least = [
                ("ENVIRONMENT", "development"),
                ("ELEVENLABS_API_KEY", "k"),
                ("ELEVENLABS_AGENT_ID", "a"),
                ("ELEVENLABS_PHONE_NUMBER_ID", "p"),
            ];
            let greeting = Config::from_pairs(least.iter().chain(more).copied()).unwrap().greeting;
            let mut problems = Problems::default();
            require(route, environment, &greeting, &mut problems);
            problems.into_error().map_err(|error| error.to_string())
        };
        use Environment::{Development, Production};
        for route in [Route::Bridge, Route::Transfer] {
            let refused = told(route, Production, &[]).unwrap_err();
            assert!(refused.contains("NOTICE_MESSAGE: is required for CALL_ROUTE="), "{refused}");
            assert!(refused.contains(route.name()) && refused.contains("NOTICE_GIVEN_BY=pbx"), "{refused}");
            assert!(told(route, Production, &[("NOTICE_GIVEN_BY", "precall")]).is_err());
            assert_eq!(told(route, Production, &[("NOTICE_MESSAGE", "Recorded.")]), Ok(()));
            assert_eq!(told(route, Production, &[("NOTICE_GIVEN_BY", "pbx")]), Ok(()));
            assert_eq!(told(route, Development, &[]), Ok(()));
        }
        assert_eq!(told(Route::Callback, Production, &[]), Ok(()));
    }
}
