//! Tests of body.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at what it did not expect"
)]
use std::sync::Arc;

use super::{Body, BodyReader, Limits};
use crate::http::error::{Code, Problem};
use crate::http::fair_share::{BODY_PIECE, BodyRoom};

const MIB: usize = 1024 * 1024;
const LIMITS: Limits = Limits { plain: MIB, transcription: 4 * MIB, audio: 16 * MIB };

fn take(room: &Arc<BodyRoom>, head: &str, filler: usize) -> Result<Body, Problem> {
    let mut reader = BodyReader::new(LIMITS, None, room.share(None));
    reader.take(head.as_bytes())?;
    let chunk = vec![b'A'; 32 * 1024];
    let mut left = filler;
    while left > 0 {
        let size = left.min(chunk.len());
        reader.take(&chunk[..size])?;
        left -= size;
    }
    reader.finish(None)
}

fn room() -> Arc<BodyRoom> {
    BodyRoom::new(1024)
}

#[test]
fn a_recording_is_detected_early_and_not_kept() {
    let room = room();
    let head = r#"{"type":"post_call_audio","data":{"agent_id":"a","conversation_id":"c","full_audio":""#;
    let Body::Recording(head, _) = take(&room, head, 15 * MIB).unwrap() else { panic!("kept") };
    assert_eq!(head.conversation.unwrap().as_str(), "c");
    let mut whole = room.share(None);
    whole.hold(512 * BODY_PIECE).unwrap();
}

#[test]
fn a_recording_with_a_late_type_is_detected_by_its_field() {
    let body = take(&room(), r#"{"data":{"conversation_id":"c","full_audio":""#, 15 * MIB).unwrap();
    assert!(matches!(body, Body::Recording(..)));
}

#[test]
fn each_kind_has_its_own_limit() {
    let too_large = |head: &str, filler| match take(&room(), head, filler) {
        Ok(_) => false,
        Err(problem) => problem.code == Code::BodyTooLarge,
    };
    let (transcription, failure) = (r#"{"type":"post_call_transcription","d":""#, r#"{"type":"other","d":""#);
    assert!(!too_large(transcription, 3 * MIB));
    assert!(too_large(transcription, 4 * MIB));
    assert!(!too_large(failure, MIB / 2));
    assert!(too_large(failure, MIB + 1));
    assert!(too_large(r#"{"type":"post_call_audio","d":""#, 16 * MIB));
    assert!(too_large(r#"{"d":""#, 4 * MIB));
}

#[test]
fn all_bodies_share_one_room() {
    let room = BodyRoom::new(6);
    let mut first = BodyReader::new(LIMITS, None, room.share(None));
    let piece = vec![b'A'; BODY_PIECE];
    for _ in 0..3 {
        first.take(&piece).unwrap();
    }
    assert_eq!(first.take(&piece).unwrap_err().code, Code::TooManyAtOnce);
    let mut second = BodyReader::new(LIMITS, None, room.share(None));
    assert_eq!(second.take(&piece).unwrap_err().code, Code::TooManyAtOnce, "the first holds it all");
    drop(first);
    let mut third = BodyReader::new(LIMITS, None, room.share(None));
    third.take(&piece).unwrap();
}
