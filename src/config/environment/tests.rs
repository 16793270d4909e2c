//! The process environment and `.env`.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
use std::fs;

use super::{parse_dotenv, read_environment};

#[test]
fn a_missing_file_is_no_problem() {
    let dir = tempfile::tempdir().unwrap();
    let map = read_environment(&dir.path().join(".env")).unwrap();
    assert!(map.contains_key("PATH"));
}

#[test]
fn the_environment_wins_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".env");
    fs::write(&file, "PATH=from-the-file\n# comment\nGREETING_MESSAGE='costs $5'\n").unwrap();
    let map = read_environment(&file).unwrap();
    assert_ne!(map.get("PATH").map(String::as_str), Some("from-the-file"));
    assert_eq!(map.get("GREETING_MESSAGE").map(String::as_str), Some("costs $5"));
}

#[test]
fn a_broken_line_is_located_and_not_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".env");
    fs::write(&file, "PORT=3006\nWEBHOOK_SECRET='topsecret\n").unwrap();
    let message = read_environment(&file).unwrap_err().to_string();
    assert!(message.contains("after PORT"), "{message}");
    assert!(!message.contains("topsecret"), "{message}");
}

#[test]
fn values_that_repeat_each_other_are_refused_before_they_fill_the_memory() {
    let (map, problem) = parse_dotenv(".env", b"HOST=a\nA=$HOST.$HOST\nB=${A}.${A}\n");
    assert_eq!((map.get("B").map(String::as_str), problem), (Some("a.a.a.a"), None));
    let mut file = format!("A={}\n", "a".repeat(1_000));
    for (name, value) in [("B", "A"), ("C", "B"), ("D", "C")] {
        file.push_str(&format!("{name}={}\n", format!("${value}.").repeat(1_000)));
    }
    // Without the bound the last line has a terabyte.
    let (map, problem) = parse_dotenv(".env", file.as_bytes());
    assert!(problem.unwrap().wrong.contains("$NAME"));
    assert!(map.values().all(|value| value.len() < 8 * 1024 * 1024));
}

#[test]
fn a_file_that_is_too_large_is_refused_and_not_cut() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".env");
    fs::write(&file, format!("PORT=3007\n# {}\nHOST=x\n", "-".repeat(1024 * 1024))).unwrap();
    let message = read_environment(&file).unwrap_err().to_string();
    assert!(message.contains("larger than 1 MiB"), "{message}");
}

#[test]
fn a_file_of_windows_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".env");
    fs::write(&file, "\u{feff}PORT=3007\r\nWEBHOOK_SECRET=abc\r\nLOG_LEVEL=\"info\"\r\n").unwrap();
    let map = read_environment(&file).unwrap();
    for (name, value) in [("PORT", "3007"), ("WEBHOOK_SECRET", "abc"), ("LOG_LEVEL", "info")] {
        assert_eq!(map.get(name).map(String::as_str), Some(value), "{name}");
    }
    let wide: Vec<u8> = "\u{feff}PORT=3007\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(&file, wide).unwrap();
    assert!(read_environment(&file).unwrap_err().to_string().contains("UTF-16"));
}

#[test]
fn a_name_with_an_invisible_character_is_no_other_variable() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".env");
    for name in ["\u{200b}WEBHOOK_SECRET", "WEBHOOK\u{ad}_SECRET", "WEBHOOK\u{a0}_SECRET"] {
        fs::write(&file, format!("PORT=3006\n{name}=topsecret\n")).unwrap();
        let message = read_environment(&file).unwrap_err().to_string();
        assert!(message.contains("after PORT") && !message.contains("topsecret"), "{message}");
        let meant = super::meant(name);
        assert_eq!(meant.as_deref(), Some("WEBHOOK_SECRET"));
    }
    assert_eq!(super::meant("WEBHOOK_SECRET"), None);
    assert_eq!(super::meant("\u{feff}PATH"), None);
}

#[test]
fn a_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(read_environment(dir.path()).is_err());
}
