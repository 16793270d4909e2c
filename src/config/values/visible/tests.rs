//! Every variable, with every character that nobody sees.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::collections::BTreeMap;
use std::fs;

use crate::config::{Config, Kind, variables};

const UNSEEN: &[char] = &[
    '\u{200b}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202e}', '\u{2060}', '\u{2066}', '\u{ad}', '\u{180e}',
    '\u{61c}', '\u{3164}',
];
const SPELLING: &[char] = &['\u{a0}', '\u{202f}', '\u{200d}', '\u{200c}', '\u{3000}'];

fn problems(name: &str, value: String) -> Vec<(String, String)> {
    let set = BTreeMap::from([(name.to_owned(), value)]);
    let error = Config::from_map(&set).unwrap_err();
    error.problems.into_iter().map(|problem| (problem.name, problem.wrong)).collect()
}

fn complaint(name: &str, value: String) -> Option<String> {
    let found = problems(name, value);
    found.into_iter().find(|(wrong, _)| wrong == name).map(|(_, wrong)| wrong)
}

#[test]
fn no_variable_takes_a_character_that_nobody_sees() {
    for variable in variables() {
        for unseen in UNSEEN.iter().chain(SPELLING) {
            let is_spoken = matches!(variable.kind, Kind::Text)
                || matches!(variable.kind, Kind::Form(form) if form.starts_with("text"));
            if is_spoken && SPELLING.contains(unseen) {
                continue;
            }
            for value in [format!("3{unseen}0"), format!("{unseen}30"), format!("30{unseen}")] {
                let wrong = complaint(variable.name, value).unwrap_or_default();
                let code = format!("(U+{:04X})", u32::from(*unseen));
                assert!(wrong.contains(&code), "{} {code}: {wrong:?}", variable.name);
                assert!(!wrong.contains('3') || code.contains('3') || wrong.ends_with('3'), "{wrong}");
            }
        }
    }
}

#[test]
fn spoken_text_keeps_what_its_spelling_needs() {
    let text = "Bonjour\u{202f}! \u{645}\u{6cc}\u{200c}\u{634}\u{648}\u{62f} \u{1f468}\u{200d}\u{1f469}";
    assert_eq!(complaint("GREETING_MESSAGE", text.to_owned()), None);
    assert_eq!(complaint("NOTICE_MESSAGE", text.to_owned()), None);
}

#[test]
fn a_mark_before_a_value_is_removed_with_a_word() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "\u{feff}cccccccccccccccccccccccccccccccc\r\n").unwrap();
    let path = secret.path().to_str().unwrap();
    let set = [
        ("ENVIRONMENT", "development"),
        ("HOST", "\u{feff}127.0.0.1"),
        ("PORT", "3006\r\n"),
        ("LOG_LEVEL", "warning\r"),
        ("ELEVENLABS_API_KEY", "\u{feff}sk_0123456789abcdef"),
        ("ELEVENLABS_AGENT_ID", "agent_1"),
        ("ELEVENLABS_PHONE_NUMBER_ID", "phnum_1"),
        ("WEBHOOK_SECRET_FILE", path),
        ("DATABASE_URL", "postgresql://app:dbpass@db.example.com/precall"),
    ];
    let config = Config::from_pairs(set).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:3006");
    let said = config.warnings().join("\n");
    for name in ["HOST", "PORT", "LOG_LEVEL", "ELEVENLABS_API_KEY", "WEBHOOK_SECRET_FILE"] {
        assert!(said.contains(&format!("{name} ")), "{name}: {said}");
    }
    let crate::config::WebhookAuth::Signed(read) = config.webhooks.elevenlabs.auth else {
        unreachable!("the secret is set")
    };
    assert_eq!(read.expose(), "cccccccccccccccccccccccccccccccc");
}

#[test]
fn a_secret_in_a_file_is_checked_as_one_in_a_variable() {
    let secrets: Vec<_> = variables().filter(|variable| variable.is_secret()).collect();
    assert!(secrets.len() > 5);
    for variable in secrets {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "cccccccccccccccc\u{200b}cccccccccccccccc\n").unwrap();
        let name = format!("{}_FILE", variable.name);
        let found = problems(&name, file.path().to_str().unwrap().to_owned());
        assert!(
            found.iter().any(|(wrong, why)| *wrong == name && why.contains("(U+200B) as character 17")),
            "{name}: {found:?}"
        );
        assert!(!found.iter().any(|(wrong, _)| wrong == variable.name), "{found:?}");
        fs::write(file.path(), b"\xff\xfec\0c\0").unwrap();
        let found = problems(&name, file.path().to_str().unwrap().to_owned());
        assert!(found.iter().any(|(wrong, why)| *wrong == name && why.contains("UTF-16")), "{found:?}");
    }
}
