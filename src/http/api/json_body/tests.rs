//! Bodies that are read, and bodies that are refused.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use super::*;

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
struct Order {
    limit: Option<usize>,
}

#[test]
fn a_mark_before_the_body_is_ignored() {
    assert_eq!(parse::<Order>(b"\xef\xbb\xbf {\"limit\":2}").unwrap(), Order { limit: Some(2) });
    assert!(parse::<Order>(b"\xff\xfe{\0}\0").unwrap_err().detail.contains("UTF-16"));
}

#[test]
fn what_cannot_be_read_is_refused() {
    for body in ["not json", "", " ", "{", "{\"limit\":2}x"] {
        assert_eq!(parse::<Order>(body.as_bytes()).unwrap_err().code, Code::BadJson, "{body}");
    }
    for body in ["null", "[]", "[2]", "7", "\"x\"", "{\"limit\":\"2\"}", "{\"limits\":2}"] {
        assert_eq!(parse::<Order>(body.as_bytes()).unwrap_err().code, Code::BadField, "{body}");
    }
}

#[test]
fn a_list_is_never_read_as_an_object() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only the errors count")]
    struct Outer {
        #[serde(deserialize_with = "object")]
        inner: Order,
    }
    assert_eq!(parse::<Outer>(br#"{"inner":{"limit":2}}"#).unwrap().inner, Order { limit: Some(2) });
    for body in [r#"{"inner":[2]}"#, r#"{"inner":[]}"#, r#"{"inner":null}"#] {
        assert_eq!(
            parse::<Outer>(body.as_bytes()).unwrap_err().detail,
            "`inner` must be an object",
            "{body}"
        );
    }
    let deep = parse::<Outer>(br#"{"inner":{"limit":true}}"#).unwrap_err();
    assert_eq!(deep.detail, "`inner.limit` must be a whole number");
    assert_eq!(parse::<Outer>(br#"[{"limit":2}]"#).unwrap_err().detail, "the body is not a JSON object");
}

#[test]
fn problems_say_in_plain_words_what_to_change() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only the errors count")]
    struct Voice {
        name: String,
        limit: Option<u16>,
        is_new: Option<bool>,
        tags: Option<Vec<String>>,
    }
    for (body, words) in [
        ("{}", "`name` is missing"),
        (
            r#"{"nmae":1}"#,
            "the body has a field that is not known: it takes `name`, `limit`, `is_new`, `tags`",
        ),
        (r#"{"name":5}"#, "`name` must be a text"),
        (r#"{"name":"a","limit":"5"}"#, "`limit` must be a whole number"),
        (r#"{"name":"a","limit":-1}"#, "`limit` must be a whole number"),
        (r#"{"name":"a","is_new":1}"#, "`is_new` must be true or false"),
        (r#"{"name":"a","tags":{}}"#, "`tags` must be a list"),
        (r#"{"name":"a","tags":["b",7]}"#, "`tags[1]` must be a text"),
        ("7", "the body is not a JSON object"),
        ("{\"name\":\"a\"} x", "The body is not valid JSON"),
    ] {
        assert_eq!(parse::<Voice>(body.as_bytes()).unwrap_err().detail, words, "{body}");
    }
}

#[test]
fn problems_do_not_repeat_values() {
    let problem = parse::<u8>(b"\"+4930123456\"").unwrap_err();
    assert_eq!(problem.code, Code::BadField);
    assert!(!problem.detail.contains("4930"), "{problem}");
}
