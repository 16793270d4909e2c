//! Tests of pieces that the socket does not take, or takes in part; without a socket.

use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Instant;

use bytes::Bytes;

use super::*;
use crate::leg_events::LegAudioEvent;
use crate::net::stream_retry::AttemptError;
use crate::net::upload_body::{Part, UploadBody};
use crate::pacer::Lead;
use crate::playout::{ConversationStats, Playout, StreamEnd};

const LEAD: Lead =
    Lead { min: Duration::from_millis(60), max: Duration::from_millis(120), tick: Duration::from_millis(20) };

/// Takes the next piece, as the connection does.
fn pull(upload: &UploadBody) -> Option<Bytes> {
    match upload.next_part(None) {
        Some(Part::Piece(piece)) => Some(piece),
        Some(Part::End) | None => None,
    }
}

fn is_shut(upload: &UploadBody) -> bool {
    upload.is_shut(&mut Context::from_waker(Waker::noop()))
}

fn opened(speech: &mut Playout) -> Rc<UploadBody> {
    let upload = Rc::new(UploadBody::new());
    speech.attach(&upload, Instant::now(), None);
    upload
}

#[test]
fn the_playlist_waits_while_the_socket_takes_nothing() {
    let owner = Owner::new();
    let clip = speech(2_000 * MS);
    let mut speech = Playout::new(owner.reports.clone(), once(&clip), LEAD);
    let upload = opened(&mut speech);
    let began = Instant::now();
    for tick in 1..100 {
        speech.tick(began + LEAD.tick * tick, None);
    }
    let mut heard = pull(&upload).unwrap().to_vec();
    assert_eq!(pull(&upload), None);
    // The connection took the piece, the socket did not: there is no other piece yet.
    speech.tick(began + LEAD.tick * 100, None);
    assert_eq!(pull(&upload), None);
    upload.on_flushed();
    speech.tick(Instant::now() + 70 * MS, None);
    heard.extend(pull(&upload).unwrap());
    assert_eq!(heard, clip.pcm()[..heard.len()]);
}

#[test]
fn a_piece_taken_in_part_continues_at_the_next_byte() {
    for taken in [0, 1, 4, 5, 6, 105, 900, 965, 967] {
        let owner = Owner::new();
        let clip = speech(2_000 * MS);
        let mut speech = Playout::new(owner.reports.clone(), once(&clip), LEAD);
        let upload = opened(&mut speech);
        let first = pull(&upload).unwrap();
        upload.on_flushed();
        let later = Instant::now() + 62 * MS;
        speech.tick(later, None);
        let second = pull(&upload).unwrap();
        // A head such as "3C0\r\n" precedes a piece, "\r\n" follows it.
        assert!((0x100..0x1000).contains(&second.len()));
        upload.on_taken(taken);
        let said = first.len() + taken.saturating_sub(5).min(second.len()) / 2 * 2;
        assert!(matches!(speech.detach(StreamEnd::Broken, later, None), AttemptError::Cut(_)));
        owner.wait_for(&LegAudioEvent::Cut);
        let upload = Rc::new(UploadBody::new());
        speech.attach(&upload, later + 100 * MS, None);
        let next = pull(&upload).unwrap();
        assert_eq!(next, clip.pcm()[said..said + next.len()], "{taken}");
    }
}

#[test]
fn a_request_that_breaks_before_its_first_piece_is_no_open_stream() {
    let owner = Owner::new();
    let clip = speech(500 * MS);
    let mut speech = Playout::new(owner.reports.clone(), once(&clip), LEAD);
    for is_pulled in [false, true] {
        let upload = opened(&mut speech);
        if is_pulled {
            let _ = pull(&upload);
            upload.on_taken(100);
        }
        assert_eq!(speech.detach(StreamEnd::Broken, Instant::now(), None), AttemptError::Unreachable);
    }
    let upload = opened(&mut speech);
    assert_eq!(pull(&upload).unwrap(), clip.pcm()[..1920]);
    upload.on_flushed();
    speech.close(Instant::now(), ConversationStats::default());
    assert_eq!(owner.closed().posts_opened, 1);
    assert_eq!(owner.count(|news| *news == LegAudioEvent::Cut), 0);
}

#[test]
fn a_piece_stuck_in_the_socket_is_not_written_after_the_end() {
    let owner = Owner::new();
    let mut speech = Playout::new(owner.reports.clone(), once(&super::speech(500 * MS)), LEAD);
    let upload = opened(&mut speech);
    let _ = pull(&upload);
    speech.close(Instant::now(), ConversationStats::default());
    assert!(is_shut(&upload));
    // With no piece in the socket the request is ended properly.
    let mut speech = Playout::new(owner.reports.clone(), Playlist::default(), LEAD);
    let upload = opened(&mut speech);
    let _ = pull(&upload);
    upload.on_flushed();
    speech.close(Instant::now(), ConversationStats::default());
    assert!(!is_shut(&upload));
}

#[test]
fn a_socket_that_takes_nothing_is_shut_and_its_stream_has_stalled() {
    let owner = Owner::new();
    let mut speech = Playout::new(owner.reports.clone(), Playlist::default(), LEAD);
    let upload = opened(&mut speech);
    let _ = pull(&upload);
    upload.on_flushed();
    let began = Instant::now();
    speech.tick(began + 70 * MS, None);
    let _ = pull(&upload);
    speech.tick(began + 1_500 * MS, None);
    assert!(!is_shut(&upload));
    speech.tick(began + 1_600 * MS, None);
    assert!(is_shut(&upload));
    let end = speech.detach(StreamEnd::Stalled, began + 1_600 * MS, None);
    assert!(matches!(end, AttemptError::Stalled(_)), "{end:?}");
    owner.wait_for(&LegAudioEvent::Cut);
}

#[test]
fn a_new_playlist_replaces_a_piece_that_was_not_taken() {
    let owner = Owner::new();
    let (old, new) = (speech(500 * MS), Clip::from_samples(&[-5; 4_000]));
    let mut speech = Playout::new(owner.reports.clone(), once(&old), LEAD);
    let upload = opened(&mut speech);
    speech.play(once(&new));
    speech.tick(Instant::now(), None);
    assert_eq!(pull(&upload).unwrap(), new.pcm()[..1920]);
}

#[test]
fn only_a_refusal_within_half_a_second_takes_audio_back() {
    for (after, is_taken_back) in [(400, true), (600, false)] {
        let owner = Owner::new();
        let clip = speech(500 * MS);
        let mut speech = Playout::new(owner.reports.clone(), once(&clip), LEAD);
        let upload = opened(&mut speech);
        let first = pull(&upload).unwrap();
        upload.on_flushed();
        let later = Instant::now() + after * MS;
        let error = speech.detach(StreamEnd::Refused(AttemptError::NotReady), later, None);
        assert_eq!(error == AttemptError::NotReady, is_taken_back, "{error:?}");
        let upload = Rc::new(UploadBody::new());
        speech.attach(&upload, later, None);
        let begins = if is_taken_back { 0 } else { first.len() };
        assert_eq!(pull(&upload).unwrap(), clip.pcm()[begins..begins + 1920]);
    }
}
