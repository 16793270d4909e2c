//! `.env.example` is what administrators read, so it must say what the code does: every variable once, in the
//! table's order, with its default, whether it is secret and when it is required, and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at what it did not expect"
)]

use std::collections::BTreeMap;
use std::path::Path;

use precall::config::{Config, Kind, Required, VARIABLES, Variable, VariableDefault, find, read_environment};

const EXAMPLE: &str = include_str!("../.env.example");

/// One variable as the file documents it.
struct Entry<'a> {
    name: &'a str,
    value: &'a str,
    is_active: bool,
    /// The comment lines above it.
    doc: Vec<&'a str>,
    /// The `[section]` it stands under.
    section: &'a str,
}

fn entries() -> Vec<Entry<'static>> {
    let mut entries = Vec::new();
    let (mut doc, mut section) = (Vec::new(), "");
    for line in EXAMPLE.lines() {
        let body = line.strip_prefix("# ").unwrap_or(line);
        let assigned = body.split_once('=').filter(|(name, _)| is_name(name));
        if line.is_empty() {
            doc.clear();
        } else if let Some(title) = body.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = title;
        } else if let Some((name, value)) = assigned {
            let is_active = !line.starts_with('#');
            entries.push(Entry { name, value, is_active, doc: std::mem::take(&mut doc), section });
        } else {
            assert!(line.starts_with('#'), "neither comment nor variable: {line}");
            doc.push(body);
        }
    }
    entries
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// The line of facts that the table asks for.
fn facts(variable: &Variable, unit: &str) -> String {
    let secret = if variable.kind == Kind::Secret { "Secret. " } else { "" };
    const LINE: usize = 60;
    let default = match variable.default {
        VariableDefault::Unset => "none".to_owned(),
        // Too long for the line of facts; the value itself is compared below.
        VariableDefault::Text(text) if text.len() > LINE => "below".to_owned(),
        VariableDefault::Text(text) => text.to_owned(),
        VariableDefault::ByEnvironment { production, development } => {
            format!("{production} in production, {development} in development")
        }
        VariableDefault::Cores => "one per core".to_owned(),
    };
    let required = match variable.required {
        Required::No => "no",
        Required::Yes => "yes",
        Required::When(case) => case,
    };
    format!("Unit: {unit}. {secret}Default: {default}. Required: {required}. Restart: yes.")
}

#[test]
fn the_file_lists_exactly_the_variables_of_the_table_in_its_order() {
    let documented: Vec<&str> = entries().iter().map(|entry| entry.name).collect();
    let accepted: Vec<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
    for name in &accepted {
        assert!(documented.contains(name), "{name} is accepted and not documented");
    }
    for name in &documented {
        assert!(accepted.contains(name), "{name} is documented and not accepted");
    }
    assert_eq!(documented, accepted);
}

#[test]
fn every_entry_says_what_the_table_says() {
    for entry in entries() {
        let variable = find(entry.name).unwrap();
        let said = *entry.doc.last().expect(entry.name);
        let unit = said.strip_prefix("Unit: ").and_then(|rest| rest.split_once(". ")).expect(entry.name).0;
        assert_eq!(said, facts(variable, unit), "{}", entry.name);
        assert!(entry.doc.len() >= 2, "{} has no sentence", entry.name);
        assert!(entry.doc[entry.doc.len() - 2].ends_with('.'), "{}: the sentence is cut off", entry.name);
        assert_eq!(entry.section, format!("{:?}", variable.section).to_lowercase(), "{}", entry.name);
        let wants_a_value = variable.required == Required::Yes
            || matches!(variable.required, Required::When(case)
                if !["THREECX_BASE_URL", "S3_BUCKET_NAME", "is s3"].iter().any(|word| case.contains(word)));
        assert_eq!(entry.is_active, wants_a_value, "{}: only what is usually required is active", entry.name);
        match variable.default {
            VariableDefault::Text(text) | VariableDefault::ByEnvironment { production: text, .. } => {
                assert_eq!(entry.value.trim_matches('\''), text, "{}", entry.name);
            }
            VariableDefault::Unset | VariableDefault::Cores => {}
        }
        if variable.kind == Kind::Secret {
            assert_eq!(entry.value, "", "{}: no example of a secret", entry.name);
        }
    }
}

/// The file as an administrator uses it: copied, the active lines filled in.
#[test]
fn the_file_works_once_the_active_lines_are_filled_in() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".env");
    std::fs::write(&file, filled(Lines::Active)).unwrap();
    let config = Config::from_map(&ours(&file)).unwrap();
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
}

/// Every default and every example in the file is a value that the code accepts, but for what it says it does not.
#[test]
fn every_commented_line_can_be_turned_on() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".env");
    std::fs::write(&file, filled(Lines::All)).unwrap();
    let mut set = ours(&file);
    set.insert("THREECX_CLIENT_SECRET".to_owned(), "pbx-key".to_owned());
    set.insert("AWS_SECRET_ACCESS_KEY".to_owned(), "bucket-key".to_owned());
    let problems = Config::from_map(&set).unwrap_err().problems;
    let names: Vec<&str> = problems.iter().map(|problem| problem.name.as_str()).collect();
    assert_eq!(names, ["THREECX_CA_FILE"], "{problems:?}");
    // The example's file is not on this machine.
    set.remove("THREECX_CA_FILE");
    Config::from_map(&set).unwrap();
}

#[derive(PartialEq)]
enum Lines {
    Active,
    All,
}

fn filled(lines: Lines) -> String {
    let mut text = String::new();
    for entry in entries().iter().filter(|entry| lines == Lines::All || entry.is_active) {
        let value = match entry.name {
            "DATABASE_URL" => "'postgresql://app:pass$word@db.example.com/precall'",
            _ if entry.is_active => "a-value-that-is-long-enough-for-a-secret",
            _ => entry.value,
        };
        text.push_str(&format!("{}={value}\n", entry.name));
    }
    text
}

/// What the file sets, without what the machine that runs the test happens to set.
fn ours(file: &Path) -> BTreeMap<String, String> {
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let mut set = read_environment(file).unwrap();
    set.retain(|name, _| !environment.contains_key(name));
    set
}
