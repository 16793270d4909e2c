//! Tests of the actor tree, from whole calls that are played through the machine of calls.

use precall_call::{AgentLoss, CallPart, Event, LegSeen};

use super::{Actor, tree};
use crate::story::replay;
use crate::story::tests::played::{Played, failed, lost, ready};

/// Each actor as `depth name FROM-TO end`, in seconds after the offer.
fn shown(played: &Played) -> Vec<String> {
    let begin = 1_796_029_200_000_000;
    let line = |actor: Actor| {
        let to = actor.to.map(|to| ((to.0 - begin) / 1_000_000).to_string()).unwrap_or_default();
        let restarts =
            if actor.restarts > 0 { format!(", restarts {}", actor.restarts) } else { String::new() };
        let from = (actor.from.0 - begin) / 1_000_000;
        format!("{} {} {from}-{to} {}{restarts}", actor.depth, actor.name, actor.end).trim_end().to_owned()
    };
    tree(&replay(&played.happened()), &[]).into_iter().map(line).collect()
}

#[test]
fn each_actor_stands_below_the_one_that_started_it() {
    let call = Played::talking().then(lost(1, AgentLoss::Lost)).then(ready(2));
    assert_eq!(
        shown(&call),
        [
            "0 call 0-",
            "1 clone worker 0-4 voice ready",
            "1 player 1-",
            "2 greeting 1-6 played",
            "2 relay 6-8 agent lost: lost",
            "2 relay 9-",
            "1 handoff 1 4-5 reached",
            "1 handoff 2 8-9 reached",
        ]
    );
}

#[test]
fn a_failed_handoff_and_the_end_are_in_the_tree() {
    let call = Played::bridge()
        .then(Event::VoiceMissing { why: precall_call::NoVoice::NoSlot, job: None })
        .then(failed(1, precall_call::HandoffFailure::Refused))
        .then(Event::LegGone)
        .waits_for_the_end();
    let shown = shown(&call);
    for line in [
        "1 clone worker 0-4 no voice: no slot",
        "1 handoff 1 4-5 failed: refused",
        "1 player 1-6 audio stopped",
    ] {
        assert!(shown.iter().any(|found| found == line), "{line}: {shown:#?}");
    }
    assert!(shown.first().is_some_and(|call| call.ends_with("ended: caller hung up")), "{shown:?}");
}

#[test]
fn faults_and_restarts_are_counted() {
    let call = Played::bridge()
        .then(Event::Panicked { part: CallPart::Call, ordinal: 1 })
        .then(Event::Panicked { part: CallPart::Greeting, ordinal: 2 });
    let found = shown(&call);
    assert!(found.contains(&"0 call 0-5 ended: panicked, restarts 1".to_owned()), "{found:?}");
    assert!(found.contains(&"2 greeting 1-5 stopped by a fault".to_owned()), "{found:?}");
    let resumed = Played::talking().then(Event::Resumed { generation: 2, leg: LegSeen::Present });
    let found = shown(&resumed);
    assert!(found.contains(&"0 call 0- , restarts 1".to_owned()), "{found:?}");
    assert!(found.contains(&"2 relay 6-8 gone with the last process".to_owned()), "{found:?}");
}
