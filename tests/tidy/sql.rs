//! What is said to PostgreSQL, and the history of its tables.

use crate::source::Source;
use crate::tree::{catches, holds, spares, tree};

/// How a statement in upper case begins; alone some of them are HTTP methods or plain words.
const SHOUTED: [&str; 10] = [
    "SELECT ",
    "INSERT INTO ",
    "UPDATE ",
    "DELETE FROM ",
    "CREATE ",
    "ALTER ",
    "DROP ",
    "TRUNCATE ",
    "BEGIN;",
    "COMMIT;",
];

#[test]
fn migrations_are_lower_case() {
    let rule = |source: &Source| {
        let lines = source.code.lines().enumerate().filter(|_| source.path.ends_with(".sql"));
        let shouting = lines.filter(|(_, line)| line.contains(|letter: char| letter.is_uppercase()));
        shouting.map(|(index, line)| source.breach(index + 1, line.trim())).collect()
    };
    holds(rule);
    catches(rule, "sql/V1__x.sql", "CREATE table x ();");
    spares(rule, "sql/V1__x.sql", "-- One.\nselect 'A', \"B\" /* C */;");
}

#[test]
fn statements_in_the_code_are_lower_case() {
    let rule = |source: &Source| {
        let strings = source.strings.iter().filter(|_| source.is_rust());
        let shouting =
            strings.filter(|(_, text)| SHOUTED.iter().any(|start| text.trim_start().starts_with(start)));
        shouting.map(|(line, _)| source.breach(*line, "a statement in upper case")).collect()
    };
    let shouted = concat!("client.execute(\"SEL", "ECT 1\", &[])");
    holds(|source: &Source| {
        // This file holds the very words.
        if source.path == "tests/tidy/sql.rs" { Vec::new() } else { rule(source) }
    });
    catches(rule, "actors/src/store/x.rs", shouted);
    spares(rule, "src/x.rs", "method(\"DELETE\"); client.execute(\"select 1\", &[])");
}

#[test]
fn migrations_are_numbered_without_a_gap() {
    let names = tree().iter().filter_map(|source| source.path.strip_prefix("sql/"));
    let numbers = numbers_of(names).unwrap();
    assert!(!numbers.is_empty());
    assert_gapless(&numbers).unwrap();
    assert!(numbers_of(["V2_two.sql"].into_iter()).is_err());
    assert!(numbers_of(["V1__One.sql"].into_iter()).is_err());
    assert!(numbers_of(["old/V1__one.sql"].into_iter()).is_err());
    assert!(assert_gapless(&[1, 3]).is_err());
    assert!(assert_gapless(&[1, 2, 2]).is_err());
}

fn numbers_of<'names>(names: impl Iterator<Item = &'names str>) -> Result<Vec<usize>, String> {
    let mut numbers = Vec::new();
    for name in names.filter(|name| *name != "README.md") {
        let parts = name.strip_prefix('V').and_then(|rest| rest.strip_suffix(".sql")?.split_once("__"));
        let is_snake = |text: &str| {
            !text.is_empty() && text.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
        };
        let number = parts.filter(|(_, text)| is_snake(text)).and_then(|(number, _)| number.parse().ok());
        numbers.push(number.ok_or_else(|| format!("sql/{name} is not called V<n>__<name>.sql"))?);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn assert_gapless(numbers: &[usize]) -> Result<(), String> {
    let expected: Vec<usize> = (1..=numbers.len()).collect();
    if numbers == expected { Ok(()) } else { Err(format!("{numbers:?}")) }
}
