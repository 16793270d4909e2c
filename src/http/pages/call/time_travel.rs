//! Time travel: the exact state of the call after an event, rebuilt from the log, with what the event changed.

use maud::{Markup, html};

use super::events;
use super::moment::{self, offset};
use super::state_tree::{Branch, Change, Leaf, tree};
use crate::story::Moment;

/// Groups that are long and rarely change: closed at first.
const CLOSED: [&str; 1] = ["policy"];

/// The place in `moments` of the event with this number; without one, of the last event.
pub(super) fn place(moments: &[Moment], at: Option<i64>) -> Option<usize> {
    let last = moments.len().checked_sub(1)?;
    let Some(at) = at else { return Some(last) };
    Some(moments.iter().rposition(|moment| moment.seq <= at).unwrap_or(0))
}

/// The state after the event at this place.
pub(super) fn shown(moments: &[Moment], place: usize) -> Markup {
    let Some(moment) = moments.get(place) else { return html! {} };
    let before = place.checked_sub(1).and_then(|before| moments.get(before));
    let begin = moments.first().map_or(moment.at, |first| first.at);
    let seq_of = |place: Option<usize>| place.and_then(|place| moments.get(place)).map(|moment| moment.seq);
    let last = moments.len().saturating_sub(1);
    let links = [
        ("First", seq_of((place > 0).then_some(0))),
        ("Previous", seq_of(place.checked_sub(1))),
        ("Next", seq_of(place.checked_add(1))),
        ("Last", seq_of((place < last).then_some(last))),
    ];
    let branches = moment.after.as_ref().map(|after| tree(before.and_then(|it| it.after.as_ref()), after));
    html! {
        nav .travel data-part="travel" aria-label="Time travel" {
            @for (name, seq) in links {
                @match seq {
                    Some(seq) => a href=(moment::link(seq)) data-at=(seq) data-key=(name) { (name) },
                    None => span .quiet aria-disabled="true" { (name) },
                }
            }
            form method="get" action="#state" {
                label for="at" { "Event" }
                input #at name="at" type="number" min=(moments.first().map_or(1, |first| first.seq))
                    max=(moments.get(last).map_or(1, |last| last.seq)) value=(moment.seq);
                button { "Show" }
            }
        }
        // Not a part: a part that is replaced would stop a drag.
        label .slider hidden { span .unseen { "Travel in time" }
            input #travel type="range" min="0" max=(last) value=(place)
                data-seqs=(moments.iter().map(|moment| moment.seq.to_string()).collect::<Vec<_>>().join(" "));
        }
        div data-part="moment" {
            p {
                "After event " b { (moment.seq) } " at " b { (offset(moment.at, begin)) } ": "
                (events::sentence(moment)) ". "
                a href=(moment::link(moment.seq)) { "Link to this moment" }
            }
            @match branches {
                Some(branches) => (shown_tree(&branches, place == 0)),
                None => p .empty { "The state cannot be rebuilt here: an event before is of a newer precall." },
            }
        }
    }
}

fn shown_tree(branches: &[Branch], is_first: bool) -> Markup {
    let changed: Vec<String> = branches.iter().filter_map(changes).collect();
    html! {
        p {
            @if is_first { "This is the first state." }
            @else if changed.is_empty() { "Changed: nothing but the log's version." }
            @else { "Changed: " (changed.join("; ")) "." }
        }
        div .tree {
            @for branch in branches {
                @let is_open = branch.is_changed() || !CLOSED.contains(&branch.name.as_str());
                details data-key={ "state-" (branch.name) } open[is_open] {
                    summary { (branch.name) @if branch.is_changed() { " " span .changed { "changed" } } }
                    dl { @for leaf in &branch.leaves { (shown_leaf(leaf)) } }
                }
            }
        }
    }
}

/// What changed in a group; the log's own version always does.
fn changes(branch: &Branch) -> Option<String> {
    if !branch.is_changed() || branch.name == "log" {
        return None;
    }
    if branch.leaves.iter().all(|leaf| leaf.change == Change::New) {
        return Some(format!("{} (new)", branch.name));
    }
    let changed = branch.leaves.iter().filter(|leaf| leaf.change != Change::None);
    let names: Vec<&str> = changed.map(|leaf| leaf.name.as_str()).collect();
    Some(format!("{}: {}", branch.name, names.join(", ")))
}

fn shown_leaf(leaf: &Leaf) -> Markup {
    html! {
        dt { (leaf.name) }
        @match &leaf.change {
            Change::None => dd { (leaf.value) },
            Change::New => dd { ins { (leaf.value) } " " span .changed { "new" } },
            Change::Was(was) => dd { ins { (leaf.value) } " " span .changed { "was " (was) } },
            Change::Gone => dd { del { (leaf.value) } " " span .changed { "gone" } },
        }
    }
}
