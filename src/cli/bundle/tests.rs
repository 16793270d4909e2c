//! Tests of the archive.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use super::*;

#[test]
fn what_was_said_and_whole_numbers_are_not_in_the_archive() {
    let call = json!({
        "id": "01990000-0000-7000-8000-123456789012", "caller_id": "+4930123456", "called_number": null,
        "transcript": "agent: hello", "conversations": [{ "analysis": { "summary": "a secret" }, "ordinal": 1 }],
    });
    let shown = redacted(call);
    let expected = json!({
        "id": "01990000-0000-7000-8000-123456789012", "caller_id": "+*****456", "called_number": null,
        "transcript": "left out", "conversations": [{ "analysis": "left out", "ordinal": 1 }],
    });
    assert_eq!(shown, expected);
}

#[test]
fn the_log_has_the_lines_of_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precall.log");
    fs::write(&path, "{\"call\":\"a-1\"}\n{\"call\":\"a-2\"}\n{\"msg\":\"x\",\"call\":\"a-1\"}\n").unwrap();
    let lines = |call| String::from_utf8(log_lines(&path, call).unwrap()).unwrap();
    assert_eq!(lines(Some("a-1")), "{\"call\":\"a-1\"}\n{\"msg\":\"x\",\"call\":\"a-1\"}\n");
    assert_eq!(lines(None).lines().count(), 3);
    assert!(log_lines(&folder.path().join("gone"), None).is_err());
}

#[test]
fn an_archive_can_be_unpacked_and_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.tar");
    pack(&path, &[Piece::text("why.txt", "it rained\n"), Piece::json("call.json", &json!({}))]).unwrap();
    let mut archive = tar::Archive::new(File::open(&path).unwrap());
    let names: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    assert_eq!(names, ["precall-bundle/why.txt", "precall-bundle/call.json"]);
    assert_eq!(pack(&path, &[]).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
}
