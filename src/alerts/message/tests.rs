//! What a message says.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use precall_call::At;
use serde_json::{Value, json};

use super::{of, test};
use crate::alerts::book::{Notice, Turn};
use crate::alerts::rules::rule;

/// 2025-11-29T14:11:25Z.
const AT: At = At(1_764_425_485_000_000);

fn notice(name: &str, turn: Turn, words: &str) -> Notice {
    let ended_at = (turn == Turn::Resolved).then_some(At(AT.0 + 600_000_000));
    Notice { rule: rule(name).unwrap(), turn, opened_at: AT, ended_at, words: words.to_owned() }
}

#[test]
fn a_message_says_what_is_wrong_and_where_to_read_on() {
    assert_eq!(of(&[], "shop", AT), None);
    let notices = [
        notice("PrecallPbxAway", Turn::Opened, "401 for +493055501234"),
        notice("PrecallPanicked", Turn::Resolved, "1 in an hour"),
    ];
    let message = of(&notices, "shop", AT).unwrap();
    assert_eq!(message.subject, "[shop] 3CX cannot be reached (and 1 more)");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        message.text,
        format!(
            "3CX cannot be reached
  401 for +*****234
  PrecallPbxAway (page), since 2025-11-29 14:11 UTC
  What to do: docs/OPERATIONS.md#the-pbx-is-away

Over: A part of precall panicked
  1 in an hour
  PrecallPanicked (ticket), since 2025-11-29 14:11 UTC, until 2025-11-29 14:21 UTC
  What to do: docs/OPERATIONS.md#how-a-call-can-end

precall {version}, installation shop
"
        )
    );
    let body: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!(
        body,
        json!({
            "installation": "shop", "version": version, "sent_at": "2025-11-29T14:11:25Z",
            "alerts": [
                {
                    "name": "PrecallPbxAway", "severity": "page", "status": "open",
                    "summary": "3CX cannot be reached", "words": "401 for +*****234",
                    "opened_at": "2025-11-29T14:11:25Z", "ended_at": null,
                    "runbook": "docs/OPERATIONS.md#the-pbx-is-away",
                },
                {
                    "name": "PrecallPanicked", "severity": "ticket", "status": "resolved",
                    "summary": "A part of precall panicked", "words": "1 in an hour",
                    "opened_at": "2025-11-29T14:11:25Z", "ended_at": "2025-11-29T14:21:25Z",
                    "runbook": "docs/OPERATIONS.md#how-a-call-can-end",
                },
            ],
        })
    );
}

#[test]
fn a_reminder_and_a_test_say_that_they_are_one() {
    let message = of(&[notice("PrecallPbxAway", Turn::Reminder, "x")], "shop", AT).unwrap();
    assert_eq!(message.subject, "[shop] Still: 3CX cannot be reached");
    assert!(message.body.contains("\"status\":\"reminder\""), "{}", message.body);
    let message = test("shop", AT);
    assert!(
        message.text.contains("Nothing is wrong") && message.body.contains("\"alerts\":[]"),
        "{message:?}"
    );
}
