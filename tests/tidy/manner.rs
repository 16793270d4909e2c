//! How a file looks, and what it may not do.

use crate::source::{Source, has_word};
use crate::tree::{catches, holds, spares};

const LINES_AT_MOST: usize = 500;

#[test]
fn no_rust_file_is_longer_than_500_lines() {
    let rule = |source: &Source| {
        let lines = source.text.lines().count();
        if !source.is_rust() || lines <= LINES_AT_MOST {
            return Vec::new();
        }
        vec![source.breach(lines, "hides a second noun")]
    };
    holds(rule);
    catches(rule, "src/x.rs", &"\n".repeat(LINES_AT_MOST + 1));
    spares(rule, "src/x.rs", &"\n".repeat(LINES_AT_MOST));
}

/// Migrations that were applied somewhere: their text has a checksum and stays as it is.
const APPLIED_MIGRATIONS: [&str; 7] =
    ["sql/V1_", "sql/V2_", "sql/V3_", "sql/V4_", "sql/V5_", "sql/V6_", "sql/V7_"];

const COLUMNS_AT_MOST: usize = 120;

#[test]
fn no_line_is_longer_than_120_columns() {
    let rule = |source: &Source| {
        let is_ours = !APPLIED_MIGRATIONS.iter().any(|migration| source.is_under(migration))
            && !source.path.contains("/fixtures/");
        let lines = source.text.lines().enumerate().filter(|_| is_ours);
        let long = lines.filter(|(_, line)| line.chars().count() > COLUMNS_AT_MOST);
        long.map(|(index, _)| source.breach(index + 1, "wrap it at 120 columns")).collect()
    };
    holds(rule);
    catches(rule, "docs/X.md", &"x".repeat(COLUMNS_AT_MOST + 1));
    catches(rule, "sql/V8__x.sql", &"x".repeat(COLUMNS_AT_MOST + 1));
    spares(rule, "src/x.rs", &"ü".repeat(COLUMNS_AT_MOST));
}

#[test]
fn every_rust_file_begins_with_why_it_exists() {
    let rule = |source: &Source| {
        let says = source.text.lines().next().is_some_and(|line| line.starts_with("//! ") && line.len() > 8);
        if says || !source.is_rust() {
            return Vec::new();
        }
        vec![source.breach(1, "the first line is no `//!` doc")]
    };
    holds(rule);
    catches(rule, "src/x.rs", "use std::fs;\n//! Late.");
    catches(rule, "src/x.rs", "//! \nfn x() {}");
}

#[test]
fn nothing_imports_a_prelude_of_actix() {
    let rule = |source: &Source| source.lines_with(&source.code, &["actix::prelude"], "use by name");
    holds(rule);
    catches(rule, "actors/src/x.rs", "use actix::prelude::*;");
    catches(rule, "actors/src/x.rs", "use actix::prelude::Actor;");
}

#[test]
fn no_module_is_called_utils() {
    let vague = ["util", "utils", "helper", "helpers", "misc", "common"];
    let rule = |source: &Source| {
        let stem = source.path.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default();
        let modules: Vec<String> = vague.iter().map(|name| format!("mod {name}")).collect();
        let words: Vec<&str> = modules.iter().map(String::as_str).collect();
        let mut breaches = source.lines_with(&source.code, &words, "name the noun");
        if vague.contains(&stem) {
            breaches.push(source.breach(1, "the file's name says nothing"));
        }
        breaches.retain(|_| source.is_rust());
        breaches
    };
    holds(rule);
    catches(rule, "src/x.rs", "pub(crate) mod utils;");
    catches(rule, "tests/common.rs", "");
    spares(rule, "src/x.rs", "mod utilisation;");
}

#[test]
fn no_test_is_ignored() {
    let rule = |source: &Source| {
        let lines = source.code.lines().enumerate().filter(|_| source.is_rust());
        let ignored = lines.filter(|(_, line)| line.contains("#[") && has_word(line, "ignore"));
        ignored.map(|(index, _)| source.breach(index + 1, "run it or remove it")).collect()
    };
    holds(rule);
    catches(rule, "tests/x.rs", concat!("#[", "ignore]\nfn x() {}"));
    catches(rule, "src/x.rs", concat!("#[cfg_attr(unix, ", "ignore = \"slow\")]"));
}

#[test]
fn tests_sleep_only_in_their_support() {
    let rule = |source: &Source| {
        let is_support = source.path.ends_with("/support.rs");
        let may = !source.is_rust() || !source.is_under("tests/") || is_support;
        let code = if may { "" } else { source.code.as_str() };
        source.lines_with(code, &["sleep", "sleep_until"], "wait for a condition, by the support's deadline")
    };
    holds(rule);
    catches(rule, "tests/it/calls.rs", "tokio::time::sleep(SECOND).await;");
    catches(rule, "tests/it/calls.rs", "use std::thread::sleep;");
    spares(rule, "tests/it/calls.rs", "// Asks nobody to sleep.");
    spares(rule, "tests/embedded_postgres/support.rs", "thread::sleep(PAUSE);");
}

#[test]
fn nothing_blocks_a_thread_that_others_need() {
    let rule = |source: &Source| {
        // The launcher is synchronous: it waits for a child process before any actor lives.
        let may = source.is_test() || !source.is_rust() || source.is_under("crates/embedded-postgres/");
        let code = if may { "" } else { source.shipped() };
        source.lines_with(code, &["thread::sleep"], "anything that blocks is a bug")
    };
    holds(rule);
    catches(rule, "actors/src/call/handoff.rs", "std::thread::sleep(PAUSE);");
}

#[test]
fn public_functions_take_no_bool() {
    let rule = |source: &Source| {
        if !source.is_rust() {
            return Vec::new();
        }
        let code = source.shipped();
        let functions = code.match_indices("pub fn ").chain(code.match_indices("pub async fn "));
        let taking = functions.filter(|(at, _)| {
            let signature = code[*at..].split(['{', ';']).next().unwrap_or_default();
            let parameters = signature.split("->").next().unwrap_or_default();
            has_word(parameters, ": bool")
        });
        taking
            .map(|(at, _)| source.breach(code[..at].lines().count(), "a bool says nothing at the call"))
            .collect()
    };
    holds(rule);
    catches(rule, "src/x.rs", "pub fn open(\n    path: &str,\n    quietly: bool,\n) {}");
    spares(rule, "src/x.rs", "pub fn is_open(path: &str) -> bool { let x: bool = true; x }");
}

#[test]
fn comments_are_not_broken_after_a_word() {
    let words = |line: &str| {
        let text = line.trim_start();
        let mark = ["///", "//!", "//"].into_iter().find(|mark| text.starts_with(mark))?;
        Some((mark, text[mark.len()..].trim().to_owned()))
    };
    let rule = |source: &Source| {
        let lines: Vec<&str> = source.text.lines().filter(|_| source.is_rust()).collect();
        let broken = lines.windows(3).enumerate().filter(|(_, three)| {
            let [Some(before), Some(short), Some(after)] =
                [words(three[0]), words(three[1]), words(three[2])]
            else {
                return false;
            };
            let is_prose = after.1.starts_with(|c: char| c.is_alphabetic() || c == '`');
            let goes_on = before.0 == short.0 && short.0 == after.0 && is_prose;
            goes_on
                && before.1.len() > 90
                && (1..20).contains(&short.1.len())
                && !short.1.ends_with(['.', ':', '?'])
        });
        broken.map(|(index, _)| source.breach(index + 2, "join it with the next line")).collect()
    };
    holds(rule);
    let long = "x".repeat(100);
    catches(rule, "src/x.rs", &format!("/// {long}\n/// and\n/// the rest of it.\nfn x() {{}}"));
    spares(rule, "src/x.rs", &format!("/// {long}\n/// ends.\n/// The next one.\nfn x() {{}}"));
}

#[test]
fn nothing_is_left_to_do() {
    // Put together here, so that this file does not break its own rule.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
    let rule =
        |source: &Source| source.lines_with(&source.text, &marks, "do it, or write it down as an issue");
    holds(rule);
    catches(rule, "docs/X.md", concat!("TO", "DO: write this"));
    catches(rule, "src/x.rs", concat!("// FIX", "ME"));
    spares(rule, "src/x.rs", "// Nothing to do.");
}
