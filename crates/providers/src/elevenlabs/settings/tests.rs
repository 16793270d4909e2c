//! Settings of the ElevenLabs client.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use super::{ApiKey, Settings, SettingsError};

fn settings(base: &str, key: &str) -> Result<Settings, SettingsError> {
    Settings::new(base.parse().unwrap(), ApiKey::new(key))
}

#[test]
fn the_base_is_accepted_with_and_without_version() {
    for (base, expected) in [
        ("https://api.elevenlabs.io", "https://api.elevenlabs.io/v1/voices/add"),
        ("https://api.elevenlabs.io/", "https://api.elevenlabs.io/v1/voices/add"),
        ("https://api.elevenlabs.io/v1", "https://api.elevenlabs.io/v1/voices/add"),
        ("https://api.elevenlabs.io/v1/", "https://api.elevenlabs.io/v1/voices/add"),
        ("http://127.0.0.1:8080/proxy/v1", "http://127.0.0.1:8080/proxy/v1/voices/add"),
    ] {
        assert_eq!(settings(base, "k").unwrap().endpoint(&["v1", "voices", "add"]).as_str(), expected);
    }
}

#[test]
fn an_id_stays_one_segment() {
    let url =
        settings("https://api.elevenlabs.io", "k").unwrap().endpoint(&["v1", "voices", "../../a?b#c d"]);
    assert_eq!(url.path(), "/v1/voices/..%2F..%2Fa%3Fb%23c%20d");
    assert_eq!(url.query(), None);
}

#[test]
fn a_bad_base_or_key_is_refused_and_a_key_is_never_printed() {
    for base in ["ftp://a", "https://user:pass@host", "https://host/?a=b", "mailto:a@b", "https://host/#x"] {
        assert_eq!(settings(base, "k").unwrap_err(), SettingsError::Base, "{base}");
    }
    for key in ["", "a b", "a\nb", "schl\u{fc}ssel"] {
        assert_eq!(settings("https://host", key).unwrap_err(), SettingsError::Key, "{key:?}");
    }
    let good = settings("https://host", "sk_verysecret").unwrap();
    assert!(!format!("{good:?} {:?}", good.key_header()).contains("verysecret"));
}
