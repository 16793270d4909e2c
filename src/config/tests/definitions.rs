//! Each variable behaves as its definition says.

use super::super::{Config, DefaultValue, Kind, Shown, variables};
use super::with;

#[test]
fn setting_every_default_changes_nothing() {
    let defaults: Vec<(&str, &str)> = variables()
        .filter_map(|variable| match variable.default {
            DefaultValue::Text(text) | DefaultValue::ByRoute { callback: text, .. } => {
                Some((variable.name, text))
            }
            DefaultValue::ByEnvironment { production, .. } => Some((variable.name, production)),
            DefaultValue::Unset | DefaultValue::Cores => None,
        })
        .collect();
    let (plain, explicit) = (with(&[]).unwrap(), with(&defaults).unwrap());
    let values = |config: &Config| config.show().replace(" (default)", "");
    assert_eq!(values(&explicit), values(&plain));
}

#[test]
fn the_default_greeting_follows_the_route_and_is_shown() {
    let bridge = [
        ("THREECX_BASE_URL", "https://pbx.example.com:5001"),
        ("THREECX_CLIENT_ID", "900"),
        ("THREECX_CLIENT_SECRET", "pbx-key"),
        ("NOTICE_GIVEN_BY", "pbx"),
    ];
    let config = with(&bridge).unwrap();
    assert_eq!(config.greeting.message, "Hello! One moment please, you are being connected.");
    assert!(config.show().contains("Hello! One moment please, you are being connected. (default)"));
    assert!(with(&[]).unwrap().greeting.message.contains("call you straight back"));
    let set: Vec<_> = bridge.into_iter().chain([("GREETING_MESSAGE", "Hi.")]).collect();
    assert_eq!(with(&set).unwrap().greeting.message, "Hi.");
}

/// Both ends of every range are accepted, and the next number is not.
#[test]
fn the_range_of_a_number_is_the_one_in_the_table() {
    for variable in variables() {
        let Kind::Number { min, max, .. } = variable.kind else { continue };
        let try_value = |number: u64| with(&[(variable.name, &number.to_string())]);
        for end in [min, max] {
            assert!(try_value(end).is_ok(), "{}={end}: {:?}", variable.name, try_value(end).err());
        }
        let error = try_value(max.checked_add(1).unwrap()).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{}: ", variable.name)) && error.contains("is out of range"),
            "{error}"
        );
        assert!(error.contains(&format!("{min} to {max}")), "{error}");
    }
}

#[test]
fn every_word_in_the_table_is_accepted() {
    let words = variables().filter_map(|variable| match variable.kind {
        Kind::OneOf(words) => Some((variable, words)),
        _ => None,
    });
    let mut count = 0;
    for (variable, words) in words {
        for word in words {
            let refused = with(&[(variable.name, word)]).err();
            // A route may miss other variables, but its word is known.
            let is_unknown = refused.is_some_and(|error| error.to_string().contains("cannot be used"));
            assert!(!is_unknown, "{}={word}", variable.name);
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

/// Free text is wrong only with a NUL byte or too long.
#[test]
fn a_bad_value_is_reported_under_the_name_of_its_variable() {
    let free = [
        "GREETING_MESSAGE",
        "NOTICE_MESSAGE",
        "LOG_FILE",
        "PG_BIN_DIR",
        "EMBEDDED_DATABASE_DIR",
        "SPOOL_DIR",
        "ERASURE_LEDGER",
        "LOCAL_VOICE_SAMPLES_PATH",
        "GREETING_AUDIO_FILE",
        "AGENT_FIRST_MESSAGE",
        "APOLOGY_MESSAGE",
        "PROMPT_CACHE_DIR",
    ];
    for variable in variables() {
        let (bad, shown) = if free.contains(&variable.name) {
            ("nul\0byte".repeat(500), "nul")
        } else {
            ("bad value\u{1}".to_owned(), "\u{1}")
        };
        let error = with(&[(variable.name, &bad)]).map(|_| variable.name).unwrap_err();
        let names: Vec<_> = error.problems.iter().map(|problem| problem.name.as_str()).collect();
        assert!(names.contains(&variable.name), "{}: {names:?}", variable.name);
        if variable.is_secret() || variable.shown == Shown::Masked {
            assert!(!error.to_string().contains(shown), "{error}");
        }
    }
}
