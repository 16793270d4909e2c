//! The notice: its forms, and which text a line speaks.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
use super::{FromText, NoticeMessage, NoticeText};

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
fn the_language_of_the_line_selects_the_text() {
    let notice = NoticeMessage::from_text(TEXTS.trim()).unwrap();
    let picked = |language| of(&notice, language);
    assert_eq!(picked(Some("nl")), (Some("nl".into()), "Dag.".into()));
    assert_eq!(picked(Some("NL-be")), (Some("nl".into()), "Dag.".into()), "the same language elsewhere");
    assert_eq!(picked(Some("en")), (Some("en".into()), "Hello.".into()), "exactly, before related");
    assert_eq!(picked(Some("EN-gb")), (Some("en-GB".into()), "Good day.".into()));
    assert_eq!(picked(Some("de")), (None, "Hi.".into()));
    assert_eq!(picked(None), (None, "Hi.".into()));
    let without = NoticeMessage::from_text(r#"{"nl": "Dag.", "en": "Hello."}"#).unwrap();
    assert_eq!(of(&without, Some("de")), (Some("nl".into()), "Dag.".into()), "the first, as it is written");
}

#[test]
fn a_wrong_notice_says_what_is_wrong() {
    let many: Vec<String> = (0..60).map(|n| format!(r#""en-x{n:03}": "t""#)).collect();
    for (text, wrong) in [
        ("{\"en\": \"a\"", "is not a JSON object"),
        ("{\"en\": 5}", "is not a JSON object"),
        ("{\"en\": {\"a\": \"b\"}}", "is not a JSON object"),
        ("{\"en\": \"a\"} more", "is not a JSON object"),
        ("{}", "in 0 languages"),
        ("{\"english\": \"a\"}", "`english`, which is not a language"),
        ("{\"e\": \"a\"}", "not a language"),
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
