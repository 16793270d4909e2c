//! Tests of the slot rules.

use super::*;

fn held(job: u128, used: i64, expires: i64) -> HeldVoice {
    let key = CallerKey { account: "default".to_owned(), caller: format!("+1{job}") };
    HeldVoice { job: CloneJobId(job), next_seq: 3, key, last_used: At(used), expires: At(expires) }
}

fn voice(name: &str) -> VoiceId {
    VoiceId::new(name)
}

fn slots() -> SlotRules {
    let mut slots = SlotRules::default();
    slots.hold(voice("a"), held(1, 10, 1_000));
    slots.hold(voice("b"), held(2, 20, 1_000));
    slots.set_limit(4, 3);
    slots
}

#[test]
fn least_recently_used_voice_is_deleted_and_a_voice_in_use_never() {
    let mut slots = slots();
    assert_eq!(slots.request(CloneJobId(7)), Slot::Granted, "one of four slots is not ours, one is free");
    assert_eq!(slots.request(CloneJobId(8)), Slot::After(voice("a"), held(1, 10, 1_000)));
    slots.pin(CallId(5), &voice("b"), At(30));
    assert_eq!(slots.request(CloneJobId(9)), Slot::None, "a is being deleted, b is in use");
    slots.deletion_failed(&voice("a"));
    assert_eq!(
        slots.request(CloneJobId(9)),
        Slot::After(voice("a"), held(1, 10, 1_000)),
        "the deletion of a failed"
    );
    slots.take_over(CloneJobId(9), &voice("a"));
    slots.unpin(CallId(5));
    assert_eq!(slots.request(CloneJobId(8)), Slot::After(voice("b"), held(2, 30, 1_000)));
    slots.take_over(CloneJobId(8), &voice("b"));
    assert_eq!((slots.held(), slots.request(CloneJobId(6))), (0, Slot::None), "three clones are running");
    slots.release(CloneJobId(9));
    assert_eq!(slots.request(CloneJobId(6)), Slot::Granted);
}

#[test]
fn deleting_a_voice_does_not_help_at_the_edit_limit() {
    let mut slots = slots();
    slots.set_edits(Some(1));
    assert_eq!(slots.request(CloneJobId(7)), Slot::Granted);
    assert_eq!(slots.request(CloneJobId(8)), Slot::None, "the last edit is taken");
    slots.release(CloneJobId(7));
    assert_eq!(slots.request(CloneJobId(8)), Slot::Granted);
    slots.hold(voice("c"), held(8, 30, 1_000));
    assert_eq!(slots.request(CloneJobId(9)), Slot::None);
    slots.set_edits(None);
    assert!(matches!(slots.request(CloneJobId(9)), Slot::After(..)), "a slot can be freed again");
}

#[test]
fn recent_use_protects_a_voice_from_eviction() {
    let mut slots = slots();
    slots.pin(CallId(5), &voice("a"), At(40));
    slots.unpin(CallId(5));
    assert_eq!(slots.account_full(CloneJobId(7)), Slot::After(voice("b"), held(2, 20, 1_000)));
    assert_eq!(
        slots.account_full(CloneJobId(8)),
        Slot::After(voice("a"), held(1, 40, 1_000)),
        "b is being deleted"
    );
}

#[test]
fn expired_voices_are_deleted_when_no_call_uses_them() {
    let mut slots = slots();
    assert_eq!(slots.expired(At(999), 9), []);
    slots.pin(CallId(5), &voice("a"), At(40));
    let gone = slots.expired(At(1_000), 9);
    assert_eq!(gone, [(voice("b"), held(2, 20, 1_000))]);
    assert_eq!(slots.expired(At(1_000), 9), [], "it is being deleted");
    slots.deleted(&voice("b"));
    slots.unpin(CallId(5));
    slots.hold(voice("c"), HeldVoice { job: CloneJobId(9), ..held(1, 50, 5_000) });
    let gone = slots.expired(At(50), 9);
    assert_eq!(gone.len(), 1, "a was replaced by c: {gone:?}");
    slots.deleted(&voice("a"));
    slots.expire_caller(&held(1, 0, 0).key);
    assert_eq!(slots.expired(At(50), 9).len(), 1);
}

#[test]
fn a_newer_voice_expires_the_older_ones_of_its_caller_alone() {
    let mut slots = slots();
    let expires = |slots: &SlotRules, name| slots.get(&voice(name)).map(|held| held.expires);
    let of = |job, caller: u128| HeldVoice { key: held(caller, 0, 0).key, ..held(job, 30, 1_000) };
    slots.hold(voice("c"), of(5, 1));
    assert_eq!(expires(&slots, "a"), Some(At(0)));
    assert_eq!(expires(&slots, "b"), Some(At(1_000)));
    slots.hold(voice("late"), of(4, 1));
    assert_eq!(expires(&slots, "c"), Some(At(1_000)), "an older job says nothing of a newer voice");
    // The same voice again, under another caller.
    slots.hold(voice("c"), of(6, 2));
    assert_eq!(expires(&slots, "b"), Some(At(0)));
    slots.expire_caller(&held(1, 0, 0).key);
    assert_eq!(expires(&slots, "late"), Some(At(0)));
    assert_eq!(expires(&slots, "c"), Some(At(1_000)));
    for name in ["a", "b", "c", "late"] {
        slots.deleted(&voice(name));
    }
    assert!(slots.by_caller.is_empty() && slots.held() == 0);
}
