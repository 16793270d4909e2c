//! Tests of the strips, from whole calls that are played through the machine of calls.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use std::sync::Arc;
use std::time::Duration;

use precall_call::{
    Admission, AgentLoss, At, CloneJobId, Event, Grade, HandoffFailure, NoVoice, Offer, Person, Policy,
    Purpose, Route, VoiceId, VoiceSource,
};
use precall_store::reads::clone_steps::{CloneEnd, CloneSteps};

use super::{Job, Look, Strip, scale, strips};
use crate::story::replay;
use crate::story::tests::played::{
    PLAYED, Played, call_policy, failed, lost, missing, operator, ready, reported,
};

/// Each span of a strip as `words FROM-TO`, in seconds after the offer; a moment as `words @AT`.
fn spans(strips: &[Strip], name: &str) -> Vec<String> {
    let begin = 1_796_029_200_000_000;
    let after = |at: At| format!("{}", (at.0 - begin) / 1_000_000);
    let strip = strips.iter().find(|strip| strip.name == name).unwrap();
    let shown = strip.spans.iter().map(|span| match span.to {
        Some(to) if to == span.from => format!("{} @{}", span.words, after(to)),
        Some(to) => format!("{} {}-{}", span.words, after(span.from), after(to)),
        None => format!("{} {}-", span.words, after(span.from)),
    });
    shown.collect()
}

fn of(played: &Played) -> Vec<Strip> {
    strips(&replay(&played.happened()), &[])
}

#[test]
fn a_good_call_on_the_line_is_heard_in_order() {
    let live = Played::talking();
    let drawn = of(&live);
    assert_eq!(
        spans(&drawn, "the caller heard"),
        [
            "silence before the first sound 1-3",
            "greeting 3-6",
            "silence until the agent's first word 6-7",
            "agent 7-",
        ]
    );
    assert_eq!(spans(&drawn, "voice"), ["asked 0-4", "cloned, 3.0 s @4"]);
    assert_eq!(
        spans(&drawn, "agent"),
        [
            "attempt 1: socket, cloned voice: reached 4-5",
            "ready, waits for the greeting 5-6",
            "with the caller 6-",
        ]
    );
    assert_eq!(spans(&drawn, "leg at the PBX"), ["connected 1-"]);
    let over = of(&live.then(Event::AgentEnded { attempt: 1 }));
    assert_eq!(spans(&over, "the caller heard").last().unwrap(), "agent 7-8");
    assert_eq!(spans(&over, "leg at the PBX"), ["connected 1-8"]);
    assert_eq!(spans(&over, "PBX commands"), ["drop @8"]);
}

#[test]
fn the_notice_and_the_music_are_told_apart() {
    let policy = Policy { notice: Some("v1".into()), ..call_policy(Route::Bridge) };
    let call = Played::of(policy).greeted().then(Event::NoticeEnded { version: "v1".into() }).then(PLAYED);
    let drawn = of(&call);
    assert_eq!(
        spans(&drawn, "the caller heard"),
        ["silence before the first sound 1-3", "notice 3-4", "greeting 4-5", "hold music 5-"]
    );
    let hold = drawn[0].spans.last().unwrap();
    assert_eq!((hold.look, hold.by.as_str()), (Look::Music, "precall"));
}

#[test]
fn a_refused_agent_and_a_person_are_drawn_with_their_outcomes() {
    let call = Played::of(Policy { has_transfer: false, ..call_policy(Route::Bridge) })
        .greeted()
        .then(missing(NoVoice::NoConsent))
        .then(failed(1, HandoffFailure::Refused))
        .then(PLAYED)
        .then(Event::HandoffSucceeded { attempt: 2, conversation: None });
    assert!(call.call.is_released());
    let drawn = of(&call);
    assert_eq!(spans(&drawn, "voice"), ["asked 0-4", "no voice: no consent @4"]);
    assert_eq!(spans(&drawn, "agent"), ["attempt 1: socket, fallback voice: refused 4-5"]);
    assert_eq!(spans(&drawn, "PBX commands"), ["route to FALLBACK_DESTINATION: done 6-7", "drop @7"]);
    let heard = spans(&drawn, "the caller heard");
    assert_eq!(heard[2..], ["hold music 6-7", "a person or queue took the call @7"]);
}

#[test]
fn a_lost_agent_and_a_parked_one_are_drawn() {
    let call = Played::talking()
        .then(lost(1, AgentLoss::Lost))
        .then(ready(2))
        .then(Event::AgentSpoke { attempt: 2 });
    let drawn = of(&call);
    let heard = spans(&drawn, "the caller heard");
    assert_eq!(
        heard[3..],
        ["agent 7-8", "hold music 8-9", "silence until the agent's first word 9-10", "agent 10-"]
    );
    assert!(spans(&drawn, "agent").contains(&"lost: lost @8".to_owned()), "{:?}", spans(&drawn, "agent"));

    let call = Played::talking()
        .then(Event::TransferAsked { person: Person::Fallback, by: operator("night") })
        .then(Event::HandoffFailed { attempt: 2, why: HandoffFailure::NoAnswer });
    let drawn = of(&call);
    assert_eq!(spans(&drawn, "PBX commands"), ["route to FALLBACK_DESTINATION: no answer 8-9"]);
    let agent = spans(&drawn, "agent");
    assert_eq!(
        agent[2..],
        ["with the caller 6-8", "parked while a person is called 8-9", "with the caller again 9-"]
    );
}

#[test]
fn a_call_back_has_two_telephone_calls() {
    let call = Played::called_back().then(ready(1)).then(reported(Purpose::Agent, Grade::Completed));
    let drawn = of(&call);
    assert!(!drawn.iter().any(|strip| strip.name.contains("PBX")), "there is no leg");
    assert_eq!(
        spans(&drawn, "the caller heard"),
        [
            "greeting call: dialled 0-1",
            "greeting call: rings or speaks 1-3",
            "agent's call: dialled 3-4",
            "agent's call: rings or speaks 4-5"
        ]
    );
}

#[test]
fn a_clone_job_splits_the_wait_into_queue_and_upload() {
    let job = CloneJobId(7);
    let ready = Event::VoiceReady {
        voice: VoiceId::new("v"),
        job: Some(job),
        source: VoiceSource::Clone,
        took: Duration::from_secs(3),
    };
    let call = Played::bridge().then(ready);
    let begin = replay(&call.happened())[0].at;
    let at = |seconds| begin.plus(Duration::from_secs(seconds));
    let end = CloneEnd { at: at(3), took: None, failed: None };
    let jobs = [Job { id: job, steps: CloneSteps { requested: Some(at(1)), end: Some(end) } }];
    let drawn = strips(&replay(&call.happened()), &jobs);
    assert_eq!(spans(&drawn, "voice"), ["queued 0-1", "uploading 1-3", "cloned, 3.0 s @4"]);
}

#[test]
fn a_late_report_does_not_stretch_the_scale() {
    let over = Played::talking().then(Event::AgentEnded { attempt: 1 });
    let released = over.call.instants.released.unwrap();
    let mut late = over;
    let conversation = late.call.conversations[0].id.clone().unwrap();
    let mut report = crate::story::tests::played::report(Purpose::Agent, Grade::Completed);
    report.conversation = conversation;
    late.take(Event::Reported(report), released.plus(Duration::from_secs(900)), None);
    let moments = replay(&late.happened());
    let end = scale(&moments, released.plus(Duration::from_secs(5_000))).1;
    assert!(end >= released && end < released.plus(Duration::from_secs(1)), "{end:?}");
    let live = replay(&Played::bridge().happened());
    let now = live.last().unwrap().at.plus(Duration::from_secs(9));
    assert_eq!(scale(&live, now).1, now);
}

#[test]
fn a_refused_call_and_an_unreadable_log_draw_nothing_that_was_not() {
    let refused = Offer {
        policy: Arc::new(call_policy(Route::Bridge)),
        admission: Admission::Refused(precall_call::Cause::AtCapacity),
    };
    for strip in of(&Played::offered(refused)) {
        assert!(strip.spans.is_empty(), "{strip:?}");
    }
    let mut log = Played::talking().happened();
    log[2].event = serde_json::json!({ "v": 99, "kind": "a_kind_of_tomorrow" });
    let moments = replay(&log);
    assert!(moments[2].after.is_none() && moments.last().unwrap().after.is_none());
    assert_eq!(spans(&strips(&moments, &[]), "the caller heard"), ["silence before the first sound 1-"]);
}
