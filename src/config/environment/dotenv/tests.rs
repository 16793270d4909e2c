//! The dialect of `.env` files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]
use std::collections::BTreeMap;

use super::{Assignment, Dotenv, Unreadable, Why, line_ends};
use crate::config::parse_dotenv;

fn environment(name: &str) -> Option<String> {
    let found = [("SET", "by the process"), ("EMPTY", "")].into_iter().find(|(set, _)| *set == name);
    found.map(|(_, value)| value.to_owned())
}

fn read(text: &str) -> Result<Vec<Assignment>, Unreadable> {
    Dotenv::new(text, environment).collect()
}

/// The value of the last variable.
fn value(text: &str) -> String {
    let read = read(text).unwrap_or_else(|wrong| panic!("{text:?}: {wrong:?}"));
    read.last().unwrap().value.clone()
}

/// The answers of python-dotenv 1.2.4. A case that other readers of such files see otherwise is not among them.
#[test]
fn files_are_read_as_python_dotenv_reads_them() {
    let cases = include_str!("../fixtures/python_dotenv.jsonl");
    for case in cases.lines() {
        let (text, expected): (String, BTreeMap<String, String>) = serde_json::from_str(case).unwrap();
        let (found, problem) = parse_dotenv(".env", text.as_bytes());
        assert_eq!((found, problem), (expected, None), "{text:?}");
    }
    assert!(cases.lines().count() > 40);
}

#[test]
fn files_are_read_as_compose_reads_them() {
    for (text, expected) in [
        ("A: two words", "two words"),
        ("A:1", "1"),
        ("A : \"x\" # comment", "x"),
        ("A: http://host:1/#fragment", "http://host:1/#fragment"),
        ("B=1\nA=$B-$B", "1-1"),
        ("B=1\nA=\"$B ${B}\"", "1 1"),
        ("B=1\nA='$B ${B}'", "$B ${B}"),
        ("A=\"\\$SET\"", "$SET"),
        ("A=${NONE-x}", "x"),
        ("A=${EMPTY-x}", ""),
        ("A=${EMPTY:-x}", "x"),
        ("A=${SET:-x}", "by the process"),
        ("SET=by the file\nA=$SET", "by the process"),
    ] {
        assert_eq!(value(text), expected, "{text:?}");
    }
}

#[test]
fn a_dollar_that_begins_no_set_name_stays() {
    for text in ["pa$word", "$", "$$", "a$$SET", "$5", "${", "${SET", "${SET?no}", "${9}", "$-", "€$é"] {
        assert_eq!(value(&format!("A={text}")), text);
        assert_eq!(value(&format!("A=\"{text}\"")), text);
    }
}

#[test]
fn each_variable_has_the_line_that_it_begins_on() {
    let text = "# one\r\n\nA=1\nB=\"x\ny\" # z\nC='\n\n'\n\nexport D = 4\rE=5";
    let lines: Vec<(String, usize)> =
        read(text).unwrap().into_iter().map(|found| (found.name, found.line)).collect();
    let expected = [("A", 3), ("B", 4), ("C", 6), ("D", 10), ("E", 11)];
    assert_eq!(lines, expected.map(|(name, line)| (name.to_owned(), line)));
    assert_eq!(line_ends(text), 10);
}

#[test]
fn an_unreadable_line_is_named_and_nothing_behind_it_is_read() {
    for (text, line, why) in [
        ("A=1\nB='open\nC=2\n", 2, Why::OpenQuote),
        ("A=1\n\nB=\"open\\\"\n", 3, Why::OpenQuote),
        ("A=\"1\" 2\nB=1", 1, Why::BehindQuote),
        ("A='it's'\n", 1, Why::BehindQuote),
        ("A=1\nmy name=2", 2, Why::NoName),
        ("=1", 1, Why::NoName),
        ("1A=1", 1, Why::NoName),
        ("- A=1", 1, Why::NoName),
        ("\u{200b}A=1", 1, Why::NoName),
        ("A\u{a0}B=1", 1, Why::NoName),
        ("GRÖSSE=1", 1, Why::NoName),
    ] {
        let mut pairs = Dotenv::new(text, environment);
        let found = pairs.by_ref().find_map(Result::err);
        assert_eq!(found, Some(Unreadable { line, why }), "{text:?}");
        assert_eq!(pairs.next(), None, "{text:?}");
    }
}
