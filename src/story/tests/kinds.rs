//! A table of kinds of calls: what happens to each, played through the machine of calls, and the whole story that
//! `precall why` tells of it. The stories are in fixtures/kinds.txt, to be read. `UPDATE_DOCS=1 cargo test --lib story`
//! writes them again.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at what it did not expect")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use precall_call::{
    Admission, AgentLoss, Answered, AudioHeard, CallPart, Cause, Event, Grade, GreetingEnd, HandoffFailure,
    LegSeen, NoVoice, Offer, Operator, Person, Policy, ProofWay, Purpose, Report, Request, Route, Telling,
    Voice,
};
use precall_test_support::call_policy;

use super::played::{PLAYED, Played, cloned, failed, lost, operator, ready, report, reported, without};

fn told(number: u16, what: Telling) -> Event {
    Event::AgentTold { number, what, by: Operator::new("night") }
}

/// What happens, as a person would say it, and the call.
fn kinds() -> Vec<(&'static str, Played)> {
    let unpublished = "the agent is not published (status 404)";
    let quota = "This request exceeds your quota (quota_exceeded)";
    let alone = Policy { has_transfer: false, has_destination: false, ..call_policy(Route::Bridge) };
    let no_transfer = || Policy { has_transfer: false, ..call_policy(Route::Bridge) };
    let heard = AudioHeard {
        written: Duration::from_secs(61),
        longest_gap: Duration::from_millis(180),
        gaps: 2,
        ..AudioHeard::default()
    };
    vec![
        (
            "a good call on the line",
            Played::talking().then(Event::AudioEnded(heard)).then(Event::AgentEnded { attempt: 1 }),
        ),
        (
            "a good call back",
            Played::called_back().then(ready(1)).then(reported(Purpose::Agent, Grade::Completed)),
        ),
        ("the caller hangs up in the greeting", Played::bridge().then(Event::LegGone).waits_for_the_end()),
        (
            "the caller hangs up in the conversation",
            Played::talking().then(Event::LegGone).waits_for_the_end(),
        ),
        (
            "the caller hangs up before the call back",
            Played::callback().then(Event::PbxCallEnded { duration: Some(Duration::from_secs(4)) }),
        ),
        (
            "3CX reports the end before the call",
            Played::offered(Offer {
                policy: Arc::new(call_policy(Route::Callback)),
                admission: Admission::EndedBefore,
            }),
        ),
        (
            "the agent hangs up twice before it speaks",
            Played::of(alone.clone())
                .greeted()
                .then(cloned())
                .then(ready(1))
                .then(PLAYED)
                .then(Event::AgentEnded { attempt: 1 })
                .then(ready(2))
                .then(Event::AgentEnded { attempt: 2 })
                .waits_for_the_end(),
        ),
        (
            "an operator ends the call",
            Played::talking().then(Event::OperatorAsked { request: Request::HangUp, by: operator("night") }),
        ),
        (
            "an operator sends the caller to a person",
            Played::talking()
                .then(Event::TransferAsked { person: Person::Fallback, by: operator("night") })
                .then(Event::HandoffSucceeded { attempt: 2, conversation: None })
                .waits_for_the_end(),
        ),
        (
            "an operator tells the agent something, and has it say something",
            Played::of(Policy { supervised: true, ..call_policy(Route::Bridge) })
                .greeted()
                .then(cloned())
                .then(ready(1))
                .then(PLAYED)
                .then(Event::AgentSpoke { attempt: 1 })
                .then(told(1, Telling::Context))
                .then(told(2, Telling::Say))
                .then(Event::AgentEnded { attempt: 1 }),
        ),
        (
            "the caller presses 0 for a person",
            Played::talking()
                .then(Event::DtmfReceived { key: '0' })
                .then(Event::HandoffSucceeded { attempt: 2, conversation: None })
                .waits_for_the_end(),
        ),
        (
            "the caller asks the agent for a person",
            Played::talking()
                .then(Event::PersonAsked { number: 1, person: Person::Fallback })
                .then(Event::HandoffSucceeded { attempt: 2, conversation: None })
                .waits_for_the_end(),
        ),
        (
            "nobody answers the call back",
            Played::callback().then(Event::GreetingEnded { end: GreetingEnd::NoAnswer }),
        ),
        ("the caller's telephone is busy", Played::called_back().then(failed(1, HandoffFailure::Busy))),
        (
            "a voicemail box answers the call back",
            Played::callback().then(cloned()).then(Event::Reported(Report {
                answered: Answered::Voicemail,
                ..report(Purpose::Greeting, Grade::Failed)
            })),
        ),
        ("the number may not be called", Played::refused(Route::Callback, Cause::DialRefused)),
        ("the caller's number is precall's own", Played::refused(Route::Callback, Cause::Loop)),
        ("an earlier call back still runs", Played::refused(Route::Callback, Cause::Busy)),
        ("3CX announces a call that never comes", Played::of(call_policy(Route::Bridge)).waits_for_the_end()),
        ("all places are taken", Played::refused(Route::Bridge, Cause::AtCapacity).waits_for_the_end()),
        ("a budget is used up", Played::refused(Route::Callback, Cause::Budget)),
        ("the bypass is on", Played::refused(Route::Callback, Cause::Bypassed)),
        ("precall is being stopped", Played::refused(Route::Callback, Cause::Draining)),
        ("nothing can be stored", Played::refused(Route::Callback, Cause::NoStorage)),
        (
            "the recording notice cannot be played",
            Played::of(Policy { notice: Some("0a1b".into()), ..alone.clone() })
                .then(Event::LegConnected)
                .said(
                    Event::GreetingEnded { end: GreetingEnd::Failed },
                    "the recording of the notice cannot be read",
                )
                .waits_for_the_end(),
        ),
        (
            "no audio reaches the caller",
            Played::of(alone.clone()).then(Event::LegConnected).then(Event::AudioLost).waits_for_the_end(),
        ),
        (
            "every attempt fails on the line",
            Played::of(alone.clone())
                .greeted()
                .then(cloned())
                .said(failed(1, HandoffFailure::Refused), unpublished)
                .then(PLAYED)
                .said(failed(2, HandoffFailure::Refused), unpublished)
                .then(Event::HandoffSucceeded { attempt: 3, conversation: None })
                .waits_for_the_end(),
        ),
        (
            "every attempt fails at the call back",
            Played::called_back()
                .said(failed(1, HandoffFailure::Refused), quota)
                .said(failed(2, HandoffFailure::Refused), quota),
        ),
        (
            "the agent fails and a person takes the call",
            Played::of(no_transfer())
                .greeted()
                .then(cloned())
                .said(failed(1, HandoffFailure::Refused), unpublished)
                .then(PLAYED)
                .said(failed(2, HandoffFailure::Refused), unpublished)
                .then(Event::HandoffSucceeded { attempt: 3, conversation: None })
                .waits_for_the_end(),
        ),
        (
            "the agent is lost for good",
            Played::of(alone.clone())
                .greeted()
                .then(cloned())
                .then(ready(1))
                .then(PLAYED)
                .then(Event::AgentSpoke { attempt: 1 })
                .said(lost(1, AgentLoss::Lost), "the connection was reset")
                .said(failed(2, HandoffFailure::Unknown), "the connection was reset")
                .said(failed(3, HandoffFailure::Unknown), "the connection was reset")
                .then(Event::HandoffSucceeded { attempt: 4, conversation: None })
                .waits_for_the_end(),
        ),
        (
            "the agent is silent for too long",
            Played::of(alone)
                .greeted()
                .then(cloned())
                .then(ready(1))
                .then(PLAYED)
                .said(lost(1, AgentLoss::Stalled), "no word for 15 s")
                .then(ready(2))
                .said(lost(2, AgentLoss::Stalled), "no word for 15 s")
                .then(ready(3))
                .said(lost(3, AgentLoss::Stalled), "no word for 15 s")
                .then(Event::HandoffSucceeded { attempt: 4, conversation: None })
                .waits_for_the_end(),
        ),
        ("the conversation is too long", Played::talking().waits_for_the_end()),
        (
            "the caller is gone after a restart",
            Played::talking().then(Event::Resumed { generation: 8, leg: LegSeen::Gone }).waits_for_the_end(),
        ),
        (
            "precall is restarted and the conversation goes on",
            Played::talking()
                .then(Event::Resumed { generation: 8, leg: LegSeen::Present })
                .then(ready(2))
                .then(Event::AgentSpoke { attempt: 2 })
                .then(Event::AgentEnded { attempt: 2 }),
        ),
        (
            "a fault in precall stops the call twice",
            Played::callback()
                .then(Event::Panicked { part: CallPart::Call, ordinal: 1 })
                .then(Event::Panicked { part: CallPart::Call, ordinal: 2 }),
        ),
        (
            "the cloning stops by a fault in precall",
            Played::bridge()
                .then(Event::Panicked { part: CallPart::CloneWorker, ordinal: 1 })
                .then(ready(1))
                .then(PLAYED)
                .then(Event::AgentSpoke { attempt: 1 })
                .then(Event::AgentEnded { attempt: 1 }),
        ),
        ("3CX stops carrying the audio", Played::talking().then(Event::AudioLost).waits_for_the_end()),
        ("no voice is mapped", without(NoVoice::NoMapping, None)),
        ("no consent covers the sample", without(NoVoice::NoConsent, None)),
        (
            "no voice slot is free",
            without(NoVoice::NoSlot, Some("You have reached your voice limit (voice_limit_reached)")),
        ),
        (
            "the caller gives wrong PINs",
            Played::of(call_policy(Route::Bridge))
                .greeted()
                .then(Event::ProofAsked { way: ProofWay::LegOrPin })
                .then(Event::PinRefused { number: 1 })
                .then(Event::PinRefused { number: 2 })
                .then(Event::PinRefused { number: 3 })
                .then(ready(1))
                .then(PLAYED)
                .then(Event::AgentSpoke { attempt: 1 })
                .then(Event::AgentEnded { attempt: 1 }),
        ),
        (
            "the sample cannot be used",
            without(NoVoice::SampleRefused, Some("the recording lasts 4 s, 30 s are needed")),
        ),
        (
            "the provider refuses to clone",
            without(NoVoice::CloneFailed, Some("The audio is too noisy (status 422)")),
        ),
        (
            "the clone takes too long",
            Played::bridge()
                .then(PLAYED)
                .waits()
                .then(ready(1))
                .then(Event::AgentSpoke { attempt: 1 })
                .then(Event::AgentEnded { attempt: 1 }),
        ),
        ("the database is away", without(NoVoice::DatabaseUnreachable, None)),
        (
            "the agent does not allow its voice to be set",
            Played::bridge()
                .then(cloned())
                .said(failed(1, HandoffFailure::VoiceRefused), "override of tts.voice_id is not allowed")
                .then(ready(2))
                .then(PLAYED)
                .then(Event::AgentSpoke { attempt: 2 })
                .then(Event::AgentEnded { attempt: 2 }),
        ),
        ("cloning failed several times before", without(NoVoice::BreakerOpen, None)),
        ("the caller's clones of the day are used up", without(NoVoice::Budget, None)),
        (
            "the caller's data is erased during the call",
            Played::bridge()
                .then(cloned())
                .then(Event::VoiceWithdrawn { why: NoVoice::Erased })
                .then(ready(2))
                .then(PLAYED)
                .then(Event::AgentSpoke { attempt: 2 })
                .then(Event::AgentEnded { attempt: 2 }),
        ),
        (
            "an operator asks for the fallback voice",
            Played::bridge()
                .then(cloned())
                .then(Event::OperatorAsked {
                    request: Request::FallbackVoice,
                    by: Some(Operator::new("anna")),
                })
                .then(ready(2))
                .then(PLAYED)
                .then(Event::AgentSpoke { attempt: 2 })
                .then(Event::AgentEnded { attempt: 2 }),
        ),
    ]
}

#[test]
fn forty_kinds_of_calls_are_told_as_they_stand_in_the_table() {
    let (mut page, mut causes, mut voices) = (String::new(), BTreeSet::new(), BTreeSet::new());
    let kinds = kinds();
    for (name, played) in &kinds {
        let _ = writeln!(page, "=== {name} ===\n\n{}", played.told());
        causes.insert(played.call.release().unwrap().cause.name());
        if let Voice::Fallback(why) = played.call.voice {
            voices.insert(why.name());
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/story/fixtures/kinds.txt");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert!(kinds.len() >= 40, "{} kinds", kinds.len());
    // A call whose log cannot be read has no log to tell, and one of the service before has none at all.
    let missing: Vec<&str> = Cause::ALL
        .iter()
        .filter(|cause| !matches!(cause, Cause::UnreadableLog | Cause::Adopted))
        .map(|cause| cause.name())
        .filter(|cause| !causes.contains(cause))
        .collect();
    assert!(missing.is_empty(), "causes without a kind: {missing:?}");
    let missing: Vec<&str> =
        NoVoice::ALL.iter().map(|why| why.name()).filter(|why| !voices.contains(why)).collect();
    assert!(missing.is_empty(), "missing voices without a kind: {missing:?}");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "the stories differ: read them after UPDATE_DOCS=1 cargo test --lib story");
}
