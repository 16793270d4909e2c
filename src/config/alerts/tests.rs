//! Where alerts go, and what is refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use std::collections::BTreeMap;
use std::time::Duration;

use precall_providers::mail::Protection;

use super::Alerts;
use crate::config::{Config, ConfigError};

const MAIL: [(&str, &str); 3] = [
    ("ALERT_MAIL_TO", "a@example.com, Boss <b@example.com>"),
    ("ALERT_MAIL_FROM", "precall <precall@example.com>"),
    ("ALERT_SMTP_URL", "smtps://pre%40call:p%3Ass@mail.example.com"),
];

fn with(pairs: &[(&str, &str)]) -> Result<Alerts, ConfigError> {
    let set: BTreeMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::alerts_from_map(&set).map(|(alerts, _)| alerts)
}

fn smtp(url: &str) -> Result<Alerts, ConfigError> {
    with(&[MAIL[0], MAIL[1], ("ALERT_SMTP_URL", url)])
}

#[test]
fn without_variables_they_are_off() {
    let alerts = with(&[]).unwrap();
    assert!(!alerts.are_on());
    assert_eq!(alerts.remind_after, Duration::from_secs(6 * 3_600));
    assert!(!with(&[("ALERT_QUIET_HOURS", "22:00-07:00")]).unwrap().are_on());
}

#[test]
fn mail_needs_all_of_its_variables() {
    let mail = with(&MAIL).unwrap().mail.unwrap();
    assert_eq!(
        mail.to.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["a@example.com", "Boss <b@example.com>"]
    );
    assert_eq!((mail.server.host.as_str(), mail.server.port), ("mail.example.com", 465));
    let (user, password) = mail.server.login.unwrap();
    assert_eq!((user.as_str(), password.expose()), ("pre@call", "p:ss"));
    for missing in MAIL {
        let rest: Vec<_> = MAIL.into_iter().filter(|variable| *variable != missing).collect();
        let error = with(&rest).unwrap_err().to_string();
        assert!(error.contains(missing.0) && !error.contains("p%3Ass"), "{error}");
    }
}

#[test]
fn the_scheme_says_how_the_server_is_spoken_to() {
    for (url, host, port, protection) in [
        ("smtps://u:p@mail.example.com", "mail.example.com", 465, Protection::Tls),
        ("smtps://u:p@mail.example.com:8465", "mail.example.com", 8465, Protection::Tls),
        ("smtp://u:p@mail.example.com", "mail.example.com", 587, Protection::StartTls),
        ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, Protection::Plain),
        ("smtp://localhost/", "localhost", 25, Protection::Plain),
        ("smtp://[::1]:26", "::1", 26, Protection::Plain),
    ] {
        let server = smtp(url).unwrap().mail.unwrap().server;
        assert_eq!((server.host.as_str(), server.port, server.protection), (host, port, protection), "{url}");
    }
    for url in [
        "mail.example.com",
        "http://mail.example.com",
        "smtps://",
        "smtps://user@mail.example.com",
        "smtps://:pass@mail.example.com",
        "smtps://u:hidden@mail.example.com/path",
        "smtps://u:hidden@mail.example.com?tls=none",
    ] {
        let error = smtp(url).unwrap_err().to_string();
        assert!(error.contains("ALERT_SMTP_URL") && !error.contains("hidden"), "{url}: {error}");
    }
}

#[test]
fn a_webhook_is_signed_and_encrypted() {
    let with_url = |url: &str| with(&[("ALERT_WEBHOOK_URL", url), ("ALERT_WEBHOOK_SECRET", "s3cret")]);
    for url in ["https://alerts.example.com/hook?token=1", "http://127.0.0.1:8080/x", "http://localhost/x"] {
        assert_eq!(with_url(url).unwrap().webhook.unwrap().url.expose(), url);
    }
    for url in [
        "http://alerts.example.com/hidden",
        "ftp://x/hidden",
        "hidden",
        "https://u:hidden@x/",
        "https://x/#hidden",
    ] {
        let error = with_url(url).unwrap_err().to_string();
        assert!(error.contains("ALERT_WEBHOOK_URL") && !error.contains("hidden"), "{url}: {error}");
    }
    let error = with(&[("ALERT_WEBHOOK_URL", "https://x.example.com/")]).unwrap_err().to_string();
    assert!(error.contains("ALERT_WEBHOOK_SECRET: is required"), "{error}");
    assert!(with(&[("ALERT_WEBHOOK_SECRET", "s")]).is_err());
}

#[test]
fn nothing_of_an_address_is_shown() {
    let least = [
        ("ELEVENLABS_API_KEY", "sk_0123456789abcdef"),
        ("ELEVENLABS_AGENT_ID", "agent_1"),
        ("ELEVENLABS_PHONE_NUMBER_ID", "phnum_1"),
        ("THREECX_WEBHOOK_SECRET", "three-secret-three-secret"),
        ("WEBHOOK_SECRET", "eleven-secret-eleven-secret"),
        ("DATABASE_URL", "postgresql://app:dbpass@db.example.com/precall"),
        ("ALERT_WEBHOOK_URL", "https://alerts.example.com/hidden"),
        ("ALERT_WEBHOOK_SECRET", "hidden"),
    ];
    let config = Config::from_pairs(least.into_iter().chain(MAIL)).unwrap();
    let shown = format!("{}\n{:?}", config.show(), config.alerts);
    assert!(config.alerts.are_on() && !shown.contains("hidden") && !shown.contains("p%3Ass"), "{shown}");
    assert!(!shown.contains("p:ss"), "{shown}");
}
