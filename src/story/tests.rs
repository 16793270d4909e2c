//! Stories of calls: one in full, and the end of each kind of call.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod kinds;
pub(crate) mod played;

use std::collections::BTreeSet;

use precall_call::{Blame, Cause, NoVoice, Told};
use serde_json::{Value, json};

use super::{Called, Happened, replay};

/// The text of the story.
fn story(call: &Called, events: &[Happened]) -> String {
    super::story(call, &replay(events)).to_string()
}

fn call(more: &Value) -> Called {
    let mut whole = json!({
        "id": "0199", "threecx_call_id": "17", "caller_id": "+4930123456", "called_number": "+4930100", "line": "shop",
        "route": "bridge", "state": "released", "cause": "completed", "blame": null, "told": "goodbye",
        "voice_missing": null, "started_at": "2026-11-29T11:00:00Z", "ended_at": "2026-11-29T11:01:05Z",
    });
    for (name, value) in more.as_object().unwrap() {
        whole.as_object_mut().unwrap().insert(name.clone(), value.clone());
    }
    serde_json::from_value(whole).unwrap()
}

fn happened(events: &[(&str, Value)]) -> Vec<Happened> {
    let read = |(at, event): &(&str, Value)| {
        let mut stored = event.clone();
        let fields = stored.as_object_mut().unwrap();
        fields.insert("v".to_owned(), json!(1));
        let detail = fields.remove("detail");
        serde_json::from_value(
            json!({ "at": format!("2026-11-29T11:{at}Z"), "event": stored, "detail": detail }),
        )
        .unwrap()
    };
    events.iter().map(read).collect()
}

#[test]
fn a_call_that_lost_its_agent_is_told_in_order() {
    let refused = "the agent is not published (status 404)";
    let events = happened(&[
        ("00:00", json!({ "kind": "leg_connected" })),
        ("00:00.1", json!({ "kind": "greeting_started" })),
        ("00:00.4", json!({ "kind": "sound_started" })),
        ("00:02.5", json!({ "kind": "voice_missing", "why": "no_consent" })),
        ("00:02.5", json!({ "kind": "handoff_started", "attempt": 1, "rung": "bridge_fallback" })),
        ("00:04", json!({ "kind": "handoff_failed", "attempt": 1, "why": "refused", "detail": refused })),
        ("00:04", json!({ "kind": "handoff_started", "attempt": 2, "rung": "destination" })),
        ("00:05", json!({ "kind": "line_spoken", "number": 1, "by": "agent" })),
        ("00:06", json!({ "kind": "a_kind_of_tomorrow" })),
    ]);
    // The first of them is told already.
    let failures = json!([
        { "at": "2026-11-29T11:00:04Z", "kind": "handoff_failed", "detail": refused },
        { "at": "2026-11-29T11:00:05Z", "kind": "voice_missing", "detail": "no slot is free" },
    ]);
    let called = call(&json!({
        "cause": "reached_person", "blame": "provider", "told": "person", "voice_missing": "no_consent",
        "failures": failures,
    }));
    assert_eq!(
        story(&called, &events),
        "Call 0199 from +4930123456 to +4930100, line shop, route bridge, 3CX id 17
It came in at 2026-11-29T11:00:00Z and was over after 1:05 min.

What happened
   +0.0 s  The caller is connected to precall
   +0.1 s  The greeting begins
   +0.4 s  The caller hears the first sound
   +2.5 s  There is no cloned voice: no valid consent covers the voice sample
   +2.5 s  Attempt 1 to connect the caller: the agent in the fallback voice, on this line
   +4.0 s  Attempt 1 failed: it was refused. In the words of who said it: \"the agent is not published (status 404)\"
   +4.0 s  Attempt 2 to connect the caller: a transfer to FALLBACK_DESTINATION
   +6.0 s  Event \"a_kind_of_tomorrow\"

In short
  Why it ended:  no agent could be reached, and a person took the call
  Whose fault:   ElevenLabs
  The caller:    heard the greeting, then a person or queue: the call went on there
  The voice:     not the caller's own, because no valid consent covers the voice sample

What others said
   +5.0 s  voice missing: no slot is free

What to do
  Look at the provider's words above, and run `precall check`.
  Add a consent of the speaker that covers this sample: `POST /api/v1/speakers/{id}/consents`.
"
    );
}

#[test]
fn a_live_call_says_how_far_it_is() {
    let live =
        json!({ "state": "holding", "cause": null, "told": null, "ended_at": null, "caller_id": null });
    let told = story(&call(&live), &[]);
    for words in [
        "from a withheld number",
        "and is live: holding.",
        "It has not ended.",
        "has heard nothing of precall so far",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

/// The lines under a heading.
fn part<'a>(story: &'a str, heading: &str) -> &'a str {
    story.split_once(&format!("\n{heading}\n")).unwrap().1.split("\n\n").next().unwrap()
}

#[test]
fn every_end_is_said_in_words_that_need_no_table() {
    let mut whys = BTreeSet::new();
    for cause in Cause::ALL {
        for blame in std::iter::once(None).chain(Blame::ALL.iter().copied().map(Some)) {
            for told in Told::ALL {
                let end = json!({
                    "cause": cause.name(), "blame": blame.map(Blame::name), "told": told.name(),
                });
                let story = story(&call(&end), &[]);
                let (short, to_do) = (part(&story, "In short"), part(&story, "What to do"));
                assert!(!short.contains('_'), "{cause:?}: {short}");
                assert!(short.contains("Why it ended:") && short.contains("Whose fault:"), "{short}");
                assert!(to_do.trim().ends_with('.'), "{cause:?}: {to_do}");
                whys.insert(short.lines().next().unwrap().to_owned());
            }
        }
    }
    assert!(whys.len() >= Cause::ALL.len(), "each cause has its own words: {whys:#?}");
}

#[test]
fn every_missing_voice_is_said_with_what_to_do() {
    let mut whys = BTreeSet::new();
    for why in NoVoice::ALL {
        let story = story(&call(&json!({ "voice_missing": why.name() })), &[]);
        let (short, to_do) = (part(&story, "In short"), part(&story, "What to do"));
        let said = short.lines().find(|line| line.contains("The voice:")).unwrap();
        assert!(!said.contains('_') && said.contains("not the caller's own, because "), "{said}");
        whys.insert(said.to_owned());
        assert_eq!(
            to_do.trim() == "Nothing.",
            matches!(why, NoVoice::Erased | NoVoice::OperatorAsked),
            "{why:?}: {to_do}"
        );
    }
    assert_eq!(whys.len(), NoVoice::ALL.len());
}
