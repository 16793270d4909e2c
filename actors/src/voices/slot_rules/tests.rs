//! Tests of slot rules.

use super::*;

fn held(job: u128, used: i64, expires: i64) -> Held {
    let key = CallerKey { account: "default".to_owned(), caller: format!("+1{job}") };
    Held { job: CloneJobId(job), next_seq: 3, key, last_used: At(used), expires: At(expires) }
}

fn voice(name: &str) -> VoiceId {
    VoiceId::new(name)
}

fn book() -> SlotBook {
    let mut book = SlotBook::default();
    book.hold(voice("a"), held(1, 10, 1_000));
    book.hold(voice("b"), held(2, 20, 1_000));
    book.set_limit(4, 3);
    book
}

#[test]
fn the_voice_that_was_used_longest_ago_makes_room_and_one_that_is_in_use_never_does() {
    let mut book = book();
    assert_eq!(book.want(CloneJobId(7)), Slot::Granted, "one of four is somebody else's, and one is free");
    assert_eq!(book.want(CloneJobId(8)), Slot::After(voice("a"), held(1, 10, 1_000)));
    book.pin(CallId(5), &voice("b"), At(30));
    assert_eq!(book.want(CloneJobId(9)), Slot::None, "a is going, b is in use");
    book.not_deleted(&voice("a"));
    assert_eq!(book.want(CloneJobId(9)), Slot::After(voice("a"), held(1, 10, 1_000)), "it was not deleted");
    book.take_over(CloneJobId(9), &voice("a"));
    book.unpin(CallId(5));
    assert_eq!(book.want(CloneJobId(8)), Slot::After(voice("b"), held(2, 30, 1_000)));
    book.take_over(CloneJobId(8), &voice("b"));
    assert_eq!((book.held(), book.want(CloneJobId(6))), (0, Slot::None), "three are being made");
    book.release(CloneJobId(9));
    assert_eq!(book.want(CloneJobId(6)), Slot::Granted);
}

#[test]
fn where_the_plan_bounds_how_many_are_made_deleting_one_does_not_help() {
    let mut book = book();
    book.set_edits(Some(1));
    assert_eq!(book.want(CloneJobId(7)), Slot::Granted);
    assert_eq!(book.want(CloneJobId(8)), Slot::None, "the last one is being made");
    book.release(CloneJobId(7));
    assert_eq!(book.want(CloneJobId(8)), Slot::Granted);
    book.hold(voice("c"), held(8, 30, 1_000));
    assert_eq!(book.want(CloneJobId(9)), Slot::None);
    book.set_edits(None);
    assert!(matches!(book.want(CloneJobId(9)), Slot::After(..)), "a slot can be made free again");
}

#[test]
fn a_voice_that_was_used_again_is_not_the_next_to_go() {
    let mut book = book();
    book.pin(CallId(5), &voice("a"), At(40));
    book.unpin(CallId(5));
    assert_eq!(book.is_full(CloneJobId(7)), Slot::After(voice("b"), held(2, 20, 1_000)));
    assert_eq!(book.is_full(CloneJobId(8)), Slot::After(voice("a"), held(1, 40, 1_000)), "b is going");
}

#[test]
fn expired_and_unwanted_voices_go_when_no_call_uses_them() {
    let mut book = book();
    assert_eq!(book.expired(At(999), 9), []);
    book.pin(CallId(5), &voice("a"), At(40));
    let gone = book.expired(At(1_000), 9);
    assert_eq!(gone, [(voice("b"), held(2, 20, 1_000))]);
    assert_eq!(book.expired(At(1_000), 9), [], "it is going");
    book.deleted(&voice("b"));
    book.unpin(CallId(5));
    book.hold(voice("c"), Held { job: CloneJobId(9), ..held(1, 50, 5_000) });
    let gone = book.expired(At(50), 9);
    assert_eq!(gone.len(), 1, "a was replaced by c: {gone:?}");
    book.deleted(&voice("a"));
    book.not_wanted(&held(1, 0, 0).key);
    assert_eq!(book.expired(At(50), 9).len(), 1);
}
