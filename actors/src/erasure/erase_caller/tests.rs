//! Tests of the erasure of a caller.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use super::*;

#[test]
fn only_damaged_files_with_the_number_are_deleted() {
    let root = tempfile::tempdir().unwrap();
    let start = root.path().join("start");
    fs::create_dir(&start).unwrap();
    let mut long = vec![b'x'; READ_AT_ONCE - 3];
    long.extend(b"12025550123");
    for (name, content) in [
        ("1.damaged", &b"{\"caller_id\":\"+12025550123\"}"[..]),
        ("2.damaged", b"{\"caller_id\":\"+12025550124\"}"),
        ("3.damaged", &long),
        ("4.spool", b"12025550123"),
    ] {
        fs::write(start.join(name), content).unwrap();
    }
    assert_eq!(delete_files_with(root.path(), b"12025550123").unwrap(), 2);
    let mut left: Vec<_> = fs::read_dir(&start).unwrap().map(|file| file.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["2.damaged", "4.spool"]);
    assert_eq!(delete_files_with(&root.path().join("nothing"), b"12025550123").unwrap(), 0);
}
