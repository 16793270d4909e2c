//! Tests of the check of line ends: on pieces of every size.

use super::{LineEnds, Refused};

/// Takes the text in pieces of `size` bytes. Returns the place of the refused line feed.
fn refused(text: &[u8], size: usize) -> Option<usize> {
    let mut lines = LineEnds::new();
    let mut before = 0;
    for piece in text.chunks(size) {
        if let Err(Refused { at }) = lines.take(piece) {
            return Some(before + at);
        }
        before += piece.len();
    }
    None
}

fn check(text: &str, expected: Option<usize>) {
    for size in [1, 2, 3, 5, 7, 64, text.len()] {
        assert_eq!(refused(text.as_bytes(), size), expected, "{text:?} in pieces of {size}");
    }
}

const HEAD: &str = "POST /x HTTP/1.1\r\nhost: a\r\n";

#[test]
fn requests_with_line_feeds_in_their_bodies_pass() {
    check("\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\nGET /b HTTP/1.1\r\n\r\n", None);
    check(&format!("{HEAD}Content-Length: 5\r\n\r\n\n\n\r\n\nGET / HTTP/1.1\r\n\r\n"), None);
    check(&format!("{HEAD}content-length:0\r\n\r\nGET / HTTP/1.1\r\n\r\n"), None);
    let chunks = "A;x=1\r\n\n\n\n\n\n\n\n\n\n\n\r\n1\r\n\n\r\n0\r\nx: y\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    check(&format!("{HEAD}transfer-encoding: Chunked\r\n\r\n{chunks}"), None);
}

#[test]
fn a_bare_line_feed_is_found_wherever_a_line_ends() {
    let found = |text: &str| check(text, Some(text.len() - 1));
    found("\n");
    found("GET / HTTP/1.1\n");
    found("GET / HTTP/1.1\r\nhost: a\n");
    found("GET / HTTP/1.1\r\nhost: a\r\n\n");
    found("GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\n");
    found(&format!("{HEAD}content-length: 3\r\n\r\n\n\n\nGET / HTTP/1.1\n"));
    let chunked = format!("{HEAD}transfer-encoding: chunked\r\n\r\n");
    for framing in ["1\n", "1;x\n", "1\r\n\n\n", "0\r\n\n", "0\r\nx: y\n", "0\r\nx: y\r\n\n"] {
        found(&format!("{chunked}{framing}"));
    }
}

#[test]
fn a_length_that_cannot_be_followed_is_refused() {
    for header in ["content-length: 5x", "content-length: -1", "content-length: 99999999999999999999"] {
        let text = format!("{HEAD}{header}\r\n");
        check(&text, Some(text.len() - 1));
    }
    let hidden = format!("{HEAD}content-length: {}5\r\n", " ".repeat(200));
    check(&hidden, Some(hidden.len() - 1));
    check(&format!("{HEAD}x: {}\r\n\r\nGET / HTTP/1.1\r\n\r\n", "y".repeat(2_000)), None);
}
