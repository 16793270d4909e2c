//! Tests of the state tree and of what an event changes in it.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use precall_call::{AgentLoss, Event};

use super::{Branch, Change, tree};
use crate::story::tests::played::{Played, lost};
use crate::story::{Moment, replay};

/// What the last event changed, as `group.name: value (change)`.
fn changes(branches: &[Branch]) -> Vec<String> {
    let mut changes = Vec::new();
    for branch in branches {
        for leaf in &branch.leaves {
            let (name, value) = (&leaf.name, &leaf.value);
            match &leaf.change {
                Change::None => {}
                Change::New => changes.push(format!("{}.{name}: {value}, new", branch.name)),
                Change::Was(was) => changes.push(format!("{}.{name}: {value}, was {was}", branch.name)),
                Change::Gone => changes.push(format!("{}.{name}: {value}, gone", branch.name)),
            }
        }
    }
    changes
}

fn last_two(moments: &[Moment]) -> Vec<Branch> {
    let mut last = moments.iter().rev().map(|moment| moment.after.as_ref());
    let after = last.next().flatten().unwrap();
    tree(last.next().flatten(), after)
}

#[test]
fn the_first_state_has_no_changes_and_all_groups() {
    let moments = replay(&Played::bridge().happened());
    let branches = tree(None, moments.first().unwrap().after.as_ref().unwrap());
    assert_eq!(changes(&branches), Vec::<String>::new());
    let names: Vec<&str> = branches.iter().map(|branch| branch.name.as_str()).collect();
    assert_eq!(names, ["phase", "voice", "leg", "handoff", "deadlines", "instants", "log", "policy"]);
    let policy = branches.last().unwrap();
    assert!(policy.leaves.iter().any(|leaf| leaf.name == "route" && leaf.value == "bridge"), "{policy:?}");
}

#[test]
fn an_event_marks_what_it_changed_and_nothing_else() {
    let moments = replay(&Played::bridge().then(Event::AudioLost).happened());
    let branches = last_two(&moments);
    let changed = changes(&branches);
    for expected in ["phase.phase: handing_off, was holding", "log.version: 6, was 5"] {
        assert!(changed.iter().any(|change| change == expected), "{expected}: {changed:#?}");
    }
    assert!(!changed.iter().any(|change| change.starts_with("policy.")), "{changed:?}");
    let lost = replay(&Played::talking().then(lost(1, AgentLoss::Lost)).happened());
    let place = lost.iter().position(|moment| moment.kind == "agent_lost").unwrap();
    let changed = changes(&last_two(lost.get(..=place).unwrap()));
    for expected in
        ["phase.phase: holding, was conversing", "phase.attempt: 1, gone", "handoff.agent lost: lost, new"]
    {
        assert!(changed.iter().any(|change| change == expected), "{expected}: {changed:#?}");
    }
}

#[test]
fn every_state_is_the_fold_of_the_log_up_to_its_event() {
    let happened = Played::talking().then(Event::AgentEnded { attempt: 1 }).happened();
    let moments = replay(&happened);
    for (place, moment) in moments.iter().enumerate() {
        let alone = replay(happened.get(..=place).unwrap());
        assert_eq!(alone.last().unwrap().after, moment.after);
        assert_eq!(moment.after.as_ref().unwrap().version, u64::try_from(moment.seq).unwrap());
    }
}
