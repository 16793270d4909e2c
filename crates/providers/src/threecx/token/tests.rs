//! Access token responses.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use super::{Duration, Engine, URL_SAFE_NO_PAD, granted};

fn jwt(claims: &str) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

fn life(token: &str, expires_in: &str) -> u64 {
    let body = format!(r#"{{"token_type":"Bearer","expires_in":{expires_in},"access_token":"{token}"}}"#);
    granted(body.as_bytes()).unwrap().life.as_secs()
}

#[test]
fn pitfall_22_the_lifetime_comes_from_the_token() {
    // Old and new builds, with the same token.
    let hour = jwt(r#"{"iat":1700000000,"exp":1700003600,"role":["Enterprise"]}"#);
    assert_eq!((life(&hour, "60"), life(&hour, "3600")), (3600, 3600));
    assert_eq!(life(&jwt(r#"{"iat":"1700000000","exp":1700000003}"#), "60"), 3);
    // Without a readable token `expires_in` decides: minutes before 20.0 Update 9, seconds since.
    for token in ["opaque", "a.b.c", &jwt("{}"), &jwt(r#"{"iat":5,"exp":5}"#), &jwt("[]")] {
        assert_eq!((life(token, "60"), life(token, "3600")), (3600, 3600), "{token}");
        assert_eq!((life(token, "\"60\""), life(token, "299"), life(token, "300")), (3600, 17_940, 300));
        for unsaid in ["null", "0", "-1", "\"soon\""] {
            assert_eq!(life(token, unsaid), 1800, "{unsaid}");
        }
    }
    assert_eq!(life(&jwt(r#"{"iat":0,"exp":99999999999}"#), "60"), Duration::from_secs(86_400).as_secs());
}

#[test]
fn an_answer_without_a_usable_token_is_none() {
    let bodies = ["", "{}", "[]", r#"{"access_token":null}"#, r#"{"access_token":"a b"}"#];
    for body in bodies {
        assert!(granted(body.as_bytes()).is_none(), "{body}");
    }
    let line_end = r#"{"access_token":"a\r\nx: y"}"#;
    assert!(granted(line_end.as_bytes()).is_none());
    assert!(!format!("{:?}", granted(br#"{"access_token":"abc"}"#)).contains("abc"));
}
