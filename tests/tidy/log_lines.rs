//! Every log line is in docs/LOGGING.md, and every log line of that page is in the code: an operator at night searches
//! the page for the words of the line.

use std::collections::BTreeSet;

use crate::source::Source;
use crate::tree::tree;

/// Macros whose lines an operator sees. Debug lines are for engineers.
const LEVELS: [&str; 4] = ["info!(", "warn!(", "error!(", "crit!("];
/// Code whose lines are another program's, or no operator's.
const OTHERS: [&str; 5] =
    ["crates/simulators/", "crates/embedded-postgres/", "crates/test-support/", "src/demo", "tests/"];

/// The messages of a file's log lines: the first string of each macro, where the macro is not the last of its line.
fn messages(source: &Source) -> Vec<String> {
    let code = source.shipped();
    let mut found = Vec::new();
    for level in LEVELS {
        for (at, _) in code.match_indices(level) {
            let line = code[..at].matches('\n').count() + 1;
            let last = line + code[at..].split(';').next().unwrap_or_default().matches('\n').count();
            let strings = source.strings.iter().find(|(number, _)| (line..=last).contains(number));
            found.extend(strings.map(|(_, text)| text.clone()));
        }
    }
    found
}

#[test]
fn every_log_line_is_documented() {
    let sources = tree().iter().filter(|source| {
        source.is_rust() && !source.is_test() && !OTHERS.iter().any(|place| source.is_under(place))
    });
    let page = &tree().iter().find(|source| source.path == "docs/LOGGING.md").expect("the page").text;
    let code: BTreeSet<String> = sources.flat_map(messages).filter(|message| message.contains(' ')).collect();
    assert!(code.len() > 80, "only {} log lines were found", code.len());
    let missing: Vec<&String> =
        code.iter().filter(|message| !page.contains(&format!("`{message}`"))).collect();
    assert!(missing.is_empty(), "not in docs/LOGGING.md:\n{missing:#?}");
}

#[test]
fn every_documented_log_line_is_in_the_code() {
    let page = &tree().iter().find(|source| source.path == "docs/LOGGING.md").expect("the page").text;
    // An entry is a list item that begins with the line in backquotes.
    let entries = page.lines().filter_map(|line| line.strip_prefix("- `")?.split('`').next());
    // Lines of libraries are written with dots.
    let lines: Vec<&str> = entries.filter(|entry| entry.contains(' ') && !entry.ends_with("...")).collect();
    assert!(lines.len() > 60, "only {} entries were found", lines.len());
    let is_in_code = |line: &str| {
        tree()
            .iter()
            .filter(|source| source.is_rust() && !source.is_test())
            .any(|source| source.strings.iter().any(|(_, text)| text == line))
    };
    let lost: Vec<&str> = lines.into_iter().filter(|line| !is_in_code(line)).collect();
    assert!(lost.is_empty(), "no such log line in the code:\n{lost:#?}");
}

#[test]
fn the_message_of_a_log_line_is_found() {
    let source = Source::new(
        "src/x.rs",
        "fn a() {\n    warn!(\n        log,\n        \"a leg is lost\"; \"call\" => %id);\n}\n\
         fn b() { debug!(log, \"seen here\"); }",
    );
    assert_eq!(messages(&source), ["a leg is lost"]);
}
