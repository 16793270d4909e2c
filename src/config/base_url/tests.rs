//! Base addresses: forms that are accepted and refused.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
use super::{BaseUrl, FromText};

#[test]
fn the_version_may_be_written_or_left_out() {
    for text in [
        "https://api.example.com",
        "https://api.example.com/",
        "https://api.example.com/v1",
        "https://api.example.com/v1/",
    ] {
        let base = BaseUrl::from_text(text).unwrap().without_last("v1");
        assert_eq!(base.as_str(), "https://api.example.com", "{text}");
    }
    let base = BaseUrl::from_text("http://127.0.0.1:8080/el/v1").unwrap().without_last("v1");
    assert_eq!(base.as_str(), "http://127.0.0.1:8080/el");
    let base = BaseUrl::from_text("https://api.example.com/dev1").unwrap().without_last("v1");
    assert_eq!(base.as_str(), "https://api.example.com/dev1");
}

#[test]
fn plain_http_is_for_loopback_alone() {
    for text in ["http://localhost:1", "http://127.0.0.9", "http://[::1]:8080", "http://[::ffff:127.0.0.1]"] {
        assert!(BaseUrl::from_text(text).unwrap().is_loopback(), "{text}");
    }
    for text in ["http://example.com", "http://localhost.example.com", "ftp://localhost", "file:///etc", "x"]
    {
        assert!(BaseUrl::from_text(text).is_err(), "{text}");
    }
}

#[test]
fn credentials_are_refused_and_not_quoted() {
    let complaint = BaseUrl::from_text("https://user:hunter2@example.com").unwrap_err();
    assert!(!format!("{complaint:?}").contains("hunter2"));
    assert!(BaseUrl::from_text("https://example.com/?key=1").is_err());
}
