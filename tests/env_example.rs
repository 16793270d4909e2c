//! `.env.example` and docs/CONFIGURATION.md are written from the definitions in src/config/, and work as they say.
//!
//! `UPDATE_DOCS=1 cargo test --test env_example` writes both files again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at what it did not expect"
)]

use std::collections::BTreeMap;
use std::path::Path;

use precall::config::{
    BRIDGE_MINIMUM, CALLBACK_MINIMUM, Config, ConfigError, configuration_md, env_example, read_environment,
    variables,
};
use precall_call::Route;

/// Writes the documents instead of comparing them.
fn is_update() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

/// `.env.example` as it is checked in, or as this run writes it.
fn example() -> String {
    if is_update() { env_example() } else { read(".env.example") }
}

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_default()
}

/// `NAME=value` of a line that is commented out; `None` for other lines.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    line.strip_prefix("# ")?.split_once('=').filter(|(name, _)| is_name(name))
}

/// The assignments between the heading that contains `heading` and the next heading.
fn block(heading: &str) -> Vec<(String, String)> {
    let text = example();
    let mut lines = text.lines().skip_while(|line| !(line.starts_with("# ===") && line.contains(heading)));
    lines.next().expect(heading);
    let lines = lines.take_while(|line| !line.starts_with("# ===")).filter_map(assignment);
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The configuration that a `.env` file with these lines gives.
fn load(lines: &[(String, String)]) -> Result<Config, ConfigError> {
    let text: String = lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".env");
    std::fs::write(&file, text).unwrap();
    Config::from_map(&set_by(&file))
}

/// What the file sets, without what the machine that runs the test sets.
fn set_by(file: &Path) -> BTreeMap<String, String> {
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let mut set = read_environment(file).unwrap();
    set.retain(|name, _| !environment.contains_key(name));
    set
}

/// Fails when the file differs from the text; with `UPDATE_DOCS=1` writes the file instead.
fn is_current(file: &str, text: &str) {
    if is_update() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(file), text).unwrap();
        return;
    }
    let found = read(file);
    let differs = found.lines().zip(text.lines()).position(|(found, right)| found != right);
    let line = differs.unwrap_or_else(|| found.lines().count().min(text.lines().count())) + 1;
    assert!(
        found == text,
        "{file} differs from the definitions in src/config/, from line {line} on; this command writes it again:\n  \
         UPDATE_DOCS=1 cargo test --test env_example"
    );
}

#[test]
fn the_documents_match_the_definitions() {
    is_current(".env.example", &env_example());
    is_current("docs/CONFIGURATION.md", &configuration_md());
}

#[test]
fn no_line_of_the_documents_is_longer_than_120_characters() {
    for line in env_example().lines().chain(configuration_md().lines()) {
        assert!(line.chars().count() <= 120, "{line}");
    }
}

/// Read from the file itself, so that a fault of the writer shows.
#[test]
fn the_file_lists_every_variable_once_and_all_commented_out() {
    let documented: Vec<String> = block("All variables").into_iter().map(|(name, _)| name).collect();
    let accepted: Vec<&str> = variables().map(|variable| variable.name).collect();
    assert_eq!(documented, accepted);
    let text = example();
    let active: Vec<&str> = text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
    assert!(active.is_empty(), "{active:?}");
}

#[test]
fn the_minimum_for_bridge_loads_and_selects_bridge() {
    is_a_minimum("Minimum for route bridge", BRIDGE_MINIMUM, Route::Bridge);
}

#[test]
fn the_minimum_for_callback_loads_and_selects_callback() {
    is_a_minimum("Minimum for route callback", CALLBACK_MINIMUM, Route::Callback);
}

/// The block's lines alone give the route without unknown variables, and each line is necessary.
fn is_a_minimum(heading: &str, names: &[&str], route: Route) {
    let lines = block(heading);
    assert_eq!(lines.iter().map(|(name, _)| name).collect::<Vec<_>>(), names);
    let config = load(&lines).unwrap();
    assert_eq!(config.call.route, route);
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
    for left_out in 0..lines.len() {
        let mut fewer = lines.clone();
        let (name, _) = fewer.remove(left_out);
        let same = load(&fewer).is_ok_and(|config| config.call.route == route);
        assert!(!same, "{name} is not necessary");
    }
}

/// A placeholder that nobody replaced must not stay unnoticed where it opens something.
#[test]
fn the_placeholders_of_the_webhook_secrets_are_warned_about() {
    let notices = load(&block("Minimum for route bridge")).unwrap().notices().join("\n");
    for name in ["THREECX_WEBHOOK_SECRET", "WEBHOOK_SECRET"] {
        assert!(notices.contains(&format!("{name} is short")), "{notices}");
    }
}

/// Every default and every example in the file is a value that the code accepts.
#[test]
fn every_commented_line_can_be_turned_on() {
    let mut lines = block("All variables");
    let names: Vec<String> = load(&lines).unwrap_err().problems.into_iter().map(|p| p.name).collect();
    assert_eq!(names, ["ALERT_CA_FILE", "THREECX_CA_FILE"]);
    // The examples' files are not on this machine.
    lines.retain(|(name, _)| !name.ends_with("_CA_FILE"));
    let config = load(&lines).unwrap();
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
}
