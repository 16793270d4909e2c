//! Tests of the erasure ledger.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use super::*;

#[test]
fn added_lines_are_read_and_an_unfinished_last_line_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/ledger.jsonl");
    let ledger = Ledger::at(&path);
    let line = |n| LedgerEntry {
        v: 1,
        erasure: Uuid::from_u128(n),
        scope: Scope { account: "default".into(), calls: vec![Uuid::from_u128(n)], ..Scope::default() },
    };
    ledger.add(&line(1)).unwrap();
    ledger.add(&line(2)).unwrap();
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"v\":1,").unwrap();
    assert_eq!(read(&path).unwrap(), [line(1), line(2)]);
    file.write_all(b"\n").unwrap();
    assert!(matches!(read(&path), Err(LedgerError::Line { line: 3, .. })));
}
