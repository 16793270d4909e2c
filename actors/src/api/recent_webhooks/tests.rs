//! Tests of the recent webhooks.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use precall_call::At;
use precall_store::events::rows::Time;
use uuid::Uuid;

use super::*;

fn webhook(id: &str, at: i64, sha256: &str) -> WebhookRow {
    WebhookRow {
        id: Uuid::nil(),
        kind: "3cx".into(),
        provider_id: id.to_owned(),
        event_timestamp: Time(At(at)),
        body_sha256: sha256.to_owned(),
        received_at: Time(At(at)),
        state: "done".into(),
        outcome: "accepted".into(),
        reason: None,
        body: None,
    }
}

#[test]
fn webhook_is_known_only_if_every_part_of_its_key_is_equal() {
    let recent = RecentlyKept::default();
    let key = recent.key_if_new(&webhook("1", 5, "ab")).unwrap();
    assert!(recent.key_if_new(&webhook("1", 5, "ab")).is_some(), "it is not durable yet");
    recent.kept(key);
    assert_eq!(recent.key_if_new(&webhook("1", 5, "ab")), None);
    for other in [webhook("2", 5, "ab"), webhook("1", 6, "ab"), webhook("1", 5, "cd")] {
        assert!(recent.key_if_new(&other).is_some());
    }
}

#[test]
fn the_newest_keys_are_known_and_the_memory_stays_as_it_was_at_the_start() {
    let recent = RecentlyKept::default();
    let room = || {
        let keys = recent.keys();
        (keys.known.capacity(), keys.by_age.capacity(), keys.by_age.len())
    };
    let (known, by_age, length) = room();
    assert_eq!(length, REMEMBERED);
    let webhook = |n: usize| webhook(&n.to_string(), 5, "ab");
    for n in 0..8 * REMEMBERED {
        let key = recent.key_if_new(&webhook(n)).unwrap();
        recent.kept(key);
        recent.kept(key);
    }
    // Places of removed keys are not counted as room.
    assert!(room().0 <= known, "the table grew");
    assert_eq!((room().1, room().2), (by_age, length));
    assert_eq!(recent.keys().known.len(), REMEMBERED);
    for (n, is_known) in [(7 * REMEMBERED - 1, false), (7 * REMEMBERED, true), (8 * REMEMBERED - 1, true)] {
        assert_eq!(recent.key_if_new(&webhook(n)).is_none(), is_known, "{n}");
    }
}
