//! The screen of `precall status`.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use serde_json::json;

use super::{FailedCall, Live, last_canary, screen};

fn live(health: &serde_json::Value, items: &serde_json::Value) -> Live {
    let mut whole = json!({
        "status": "ok", "database": "ok", "elevenlabs": "ok", "threecx": "not_configured", "spool": "ok", "ready": true,
        "standby": false, "draining": false, "problems": [], "version": "0.1.0",
        "capacity": {
            "live_calls": { "used": 1, "limit": 500, "short": false },
            "voice_slots": { "used": null, "limit": null, "short": false },
            "spool_bytes": { "used": 3_145_728, "limit": 1_073_741_824, "short": false },
            "budgets": [], "spool_free_bytes": 7,
        },
    });
    for (name, value) in health.as_object().unwrap() {
        whole.as_object_mut().unwrap().insert(name.clone(), value.clone());
    }
    let answer = json!({ "now": "2026-11-29T12:00:00Z", "health": whole, "items": items });
    serde_json::from_value(answer).unwrap()
}

#[test]
fn a_quiet_service_is_shown_on_a_few_lines() {
    assert_eq!(
        screen(&live(&json!({}), &json!([])), Some(&[])),
        "precall 0.1.0 takes calls: ok
  database ok, 3CX not configured, ElevenLabs ok, spool ok

Problems
  none

On the line: 0

Failed in the last hour
  none

Capacity
  live calls       1 of 500
  spool (MiB)      3 of 1024
"
    );
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let problem = json!({
        "area": "clone", "since": "2026-11-29T11:58:00Z", "words": "no free voice slot", "remedy": "Delete voices.",
        "failed": 3, "succeeded": 1, "call": "0199",
    });
    let call = json!({
        "id": "0200", "caller": "+49***12", "line": "shop", "state": "handing_off", "voice": "cloned",
        "offered_at": "2026-11-29T11:59:30Z",
    });
    let health = json!({ "status": "degraded", "ready": false, "draining": true, "problems": [problem] });
    let failed = |cause: &str, blame: &str| FailedCall {
        cause: Some(cause.to_owned()),
        blame: Some(blame.to_owned()),
    };
    let failures = [failed("no_leg", "pbx"), failed("busy", "caller"), failed("no_leg", "pbx")];
    assert_eq!(
        screen(&live(&health, &json!([call])), Some(&failures)),
        "precall 0.1.0 is being stopped and takes no new calls: degraded
  database ok, 3CX not configured, ElevenLabs ok, spool ok

Problems
  clone: no free voice slot (for 2:00 min), 3 of 4 in ten minutes
    To do: Delete voices.
    The last call: precall why 0199

On the line: 1 (1 handing off)
  for     caller    line  state        voice   id
  30.0 s  +49***12  shop  handing_off  cloned  0200

Failed in the last hour
      2  no_leg (pbx): precall calls --since 1h --cause no_leg
      1  busy (caller): precall calls --since 1h --cause busy

Capacity
  live calls       1 of 500
  spool (MiB)      3 of 1024
"
    );
    assert!(screen(&live(&json!({}), &json!([])), None).contains("not known: the database does not answer"));
}

#[test]
fn the_last_test_call_is_shown_with_its_step_and_reason() {
    let run = json!({ "outcome": "failed", "started_at": "2026-11-29T10:00:00Z", "step": "agent", "words": "refused" });
    let said = last_canary(&json!({ "items": [run] }));
    assert_eq!(said, "\nLast test call\n  failed, began 2026-11-29T10:00:00Z, step agent: refused\n");
    assert_eq!(last_canary(&json!({ "items": [] })), "");
}
