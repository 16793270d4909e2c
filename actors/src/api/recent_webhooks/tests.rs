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
