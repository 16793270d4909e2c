//! Tests of answers, whole and cut into single bytes.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use proptest::prelude::{Strategy, any, prop};
use proptest::{prop_assert_eq, prop_oneof, proptest};

use super::*;

/// What was read of an answer: status, whether the connection is kept, audio, whether the body has an end, and what
/// follows.
type Read = (u16, bool, Vec<u8>, bool, Vec<u8>);

/// Reads an answer that arrives in pieces of so many bytes. A head that is cut counts as malformed.
fn read(bytes: &[u8], piece: usize) -> Result<Read, Malformed> {
    let (mut pieces, mut buffer) = (bytes.chunks(piece), BytesMut::new());
    let head = loop {
        match Head::take(&mut buffer)? {
            Some(head) => break head,
            None => buffer.extend_from_slice(pieces.next().ok_or(Malformed)?),
        }
    };
    let (mut body, mut audio) = (head.body, Vec::new());
    let has_end = loop {
        match body.next(&mut buffer)? {
            Next::Audio(bytes) => {
                audio.extend_from_slice(&buffer.split_to(bytes));
                body.taken(bytes);
            }
            Next::Read => match pieces.next() {
                Some(piece) => buffer.extend_from_slice(piece),
                None => break false,
            },
            Next::End => break true,
        }
    };
    let rest = pieces.flatten().copied();
    Ok((head.status, head.is_kept, audio, has_end, buffer.iter().copied().chain(rest).collect()))
}

/// Reads it in pieces of all sizes; each time it must be the same.
fn all_ways(text: &str) -> Result<Read, Malformed> {
    let whole = read(text.as_bytes(), text.len());
    for piece in 1..text.len() {
        assert_eq!(read(text.as_bytes(), piece), whole, "in pieces of {piece}: {text}");
    }
    whole
}

#[test]
fn a_chunked_body_ends_with_the_empty_chunk() {
    let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n\
        1A;x=y\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\nHTTP/1.1 500 Oh\r\n";
    let audio = b"helloabcdefghijklmnopqrstuvwxyz".to_vec();
    assert_eq!(all_ways(text), Ok((200, true, audio, true, b"HTTP/1.1 500 Oh\r\n".to_vec())));
    let with_fields =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, Chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n";
    assert_eq!(all_ways(with_fields), Ok((200, true, b"a".to_vec(), true, Vec::new())));
    let cut = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel";
    assert_eq!(all_ways(cut), Ok((200, true, b"hel".to_vec(), false, Vec::new())));
}

#[test]
fn a_body_with_a_length_ends_after_it() {
    let text = "HTTP/1.1 403 Forbidden\r\ncontent-length: 3\r\nConnection: Keep-Alive, Close\r\n\r\nabcd";
    assert_eq!(all_ways(text), Ok((403, false, b"abc".to_vec(), true, b"d".to_vec())));
    // RFC 9112, section 6.3: chunks win over a length.
    let both =
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
    assert_eq!(all_ways(both), Ok((200, true, b"a".to_vec(), true, Vec::new())));
    let none = "HTTP/1.1 204 No Content\r\n\r\nrest";
    assert_eq!(all_ways(none), Ok((204, true, Vec::new(), true, b"rest".to_vec())));
}

#[test]
fn a_body_without_either_ends_with_the_connection() {
    let text = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\nabc";
    assert_eq!(all_ways(text), Ok((200, false, b"abc".to_vec(), false, Vec::new())));
    let old = "HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(all_ways(old), Ok((404, false, Vec::new(), true, Vec::new())));
}

#[test]
fn interim_answers_are_passed_over() {
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 202 Accepted\r\n\
        Content-Length: 0\r\n\r\n";
    assert_eq!(all_ways(text), Ok((202, true, Vec::new(), true, Vec::new())));
}

#[test]
fn what_is_no_http_is_refused() {
    let long_field = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "a".repeat(HEAD_MAX));
    let many_fields = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(FIELDS_MAX + 1));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for text in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned(),
        long_field,
        many_fields,
        format!("{chunked}xyz\r\n"),
        format!("{chunked}1\r\nabc\r\n"),
        format!("{chunked}fffffffffffffffff\r\n"),
        format!("{chunked}1;{}", "x".repeat(CHUNK_LINE_MAX)),
        format!("{chunked}0\r\n{}", "x".repeat(HEAD_MAX)),
    ] {
        assert_eq!(read(text.as_bytes(), text.len()).map(|_| ()), Err(Malformed), "{text:.80}");
    }
}

/// Parts of answers, in any order and with any bytes between them.
fn parts() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        prop::sample::select(vec![
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Content-Length: 5\r\n",
            "Connection: close\r\n",
            "\r\n",
            "5\r\nhello\r\n",
            "0\r\n",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn an_answer_is_read_the_same_in_whatever_pieces_it_comes(rest in parts(), piece in 1_usize..9) {
        for start in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"] {
            let bytes = [start.as_bytes(), &rest].concat();
            prop_assert_eq!(read(&bytes, piece), read(&bytes, bytes.len().max(1)));
        }
    }
}
