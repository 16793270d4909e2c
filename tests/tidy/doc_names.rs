//! The documents name things where they are: after `` `x.rs`, `name` `` or `` `name` (`x.rs` `` a reader looks for
//! `name` in that file.

use crate::source::Source;
use crate::tree::{catches, holds, spares, tree};

const KEYWORDS: [&str; 8] = ["fn", "struct", "enum", "trait", "type", "const", "static", "mod"];

/// Whether the file defines this name. Of `Type::name` the last part counts.
fn defines(source: &Source, name: &str) -> bool {
    let name = name.rsplit("::").next().unwrap_or(name);
    let words: Vec<&str> = source
        .code
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    words.windows(2).any(|pair| KEYWORDS.contains(&pair[0]) && pair[1] == name)
}

fn is_file(code: &str) -> bool {
    code.ends_with(".rs") && !code.contains(' ')
}

fn is_name(code: &str) -> bool {
    !code.is_empty() && code.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':')
}

/// The names that a document places in a file, as (file, name).
fn placed(text: &str) -> Vec<(String, String)> {
    let flowing = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Every other part is between backquotes.
    let parts: Vec<&str> = flowing.split('`').collect();
    let mut found = Vec::new();
    let mut file = None;
    for at in (1..parts.len()).step_by(2) {
        let (code, before) = (parts[at], parts[at - 1]);
        if is_file(code) {
            if at >= 3 && matches!(before, " (" | " in ") && is_name(parts[at - 2]) {
                found.push((code.to_owned(), parts[at - 2].to_owned()));
            }
            file = Some(code);
        } else if let Some(named) = file.filter(|_| matches!(before, ", " | " and ") && is_name(code)) {
            found.push((named.to_owned(), code.to_owned()));
        } else {
            file = None;
        }
    }
    found
}

#[test]
fn documents_name_things_where_they_are() {
    let rule = |source: &Source| {
        let pairs = if source.path.ends_with(".md") { placed(&source.text) } else { Vec::new() };
        let is_there = |file: &str, name: &str| {
            let ending = format!("/{file}");
            let mut files = tree().iter().filter(|known| known.path == file || known.path.ends_with(&ending));
            files.any(|known| defines(known, name))
        };
        let lost = pairs.iter().filter(|(file, name)| !is_there(file, name));
        lost.map(|(file, name)| format!("{}: `{name}` is not defined in `{file}`", source.path)).collect()
    };
    holds(rule);
    assert!(
        tree().iter().map(|source| placed(&source.text).len()).sum::<usize>() > 30,
        "few names were found"
    );
    catches(rule, "docs/X.md", "`actors/src/call/call_actor.rs`,\n  `gone`: does it.");
    catches(rule, "docs/X.md", "`call_actor.rs`, `CallActor` and `gone`");
    catches(rule, "docs/X.md", "it calls `gone` in `call_actor.rs`");
    spares(
        rule,
        "docs/X.md",
        "`call_actor.rs`, `CallActor::new`, ends. `gone`, a word. `CallActor` (`call_actor.rs`)",
    );
}
