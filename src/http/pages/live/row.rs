//! A row of the live board, as the first paint has it. `table.js` makes the same row.

use maud::{Markup, html};
use precall_actors::api::{EndedCall, LiveCall, Parties};
use precall_call::At;

use crate::http::pages::parts;

/// Seconds from `from` to `to`.
fn seconds(from: At, to: At) -> i64 {
    to.0.saturating_sub(from.0) / 1_000_000
}

/// A row: its classes, the call's id, and what its cells say behind the mark of a problem.
fn row(class: &str, is_bad: bool, id: &str, cells: [Markup; 8]) -> Markup {
    let href = format!("/calls/{id}");
    let [state, age, deadline, caller, line, route, voice, last] = cells;
    html! {
        tr class={ (class) @if is_bad { " is-bad" } } data-id=(id) data-href=(href) {
            td .mark { @if is_bad { "!" } }
            td { (state) }
            td .number { (age) }
            td { (deadline) }
            td { a href=(href) { (caller) } }
            td { (line) }
            td { (route) }
            td { (voice) }
            td { (last) }
        }
    }
}

/// The row of a live call.
pub(super) fn live(call: &LiveCall, now: At) -> Markup {
    let last = match (&call.problem, call.last_event) {
        (Some(problem), _) => problem.to_string(),
        (None, event) => event.map(parts::words).unwrap_or_default(),
    };
    let age = parts::clock(seconds(At(call.offered_at), now));
    let cells = [
        parts::state(call.state),
        html! { (age) },
        deadline(call, now),
        html! { (call.parties.caller) },
        html! { (line(&call.parties)) },
        html! { (call.route.name()) },
        html! { (voice(call.voice, call.voice_missing)) },
        html! { (last) },
    ];
    row("", call.problem.is_some(), &call.id.to_string(), cells)
}

/// The row of a call that ended a moment ago.
pub(super) fn ended(call: &EndedCall, now: At) -> Markup {
    let (class, word) = if call.failed { ("s-failed", "failed") } else { ("s-released", "ended") };
    let ago = parts::age(seconds(call.ended_at, now));
    let length = parts::clock(seconds(call.offered_at, call.ended_at));
    let cells = [
        html! { span class={ "state " (class) } { (word) " " (ago) " ago" } },
        html! { (length) },
        html! {},
        html! { (call.parties.caller) },
        html! { (line(&call.parties)) },
        html! { (call.route.name()) },
        html! { (voice(call.voice, call.voice_missing)) },
        html! { (parts::words(call.release.cause.name())) },
    ];
    row("over", call.failed, &call.id.to_string(), cells)
}

/// The line, with its PBX where that is not the one PBX that has no name. `table.js` does the same.
fn line(parties: &Parties) -> String {
    match parties.pbx.as_str() {
        "default" => parties.line.clone(),
        pbx => format!("{} \u{b7} {pbx}", parties.line),
    }
}

/// How much of the state's time is over.
fn deadline(call: &LiveCall, now: At) -> Markup {
    let Some(deadline) = &call.deadline else { return html! {} };
    let whole = deadline.due.0.saturating_sub(call.state_since).max(1);
    let left = deadline.due.0.saturating_sub(now.0).max(0);
    let [whole, left] = [whole, left].map(|micros| u32::try_from(micros / 1_000).unwrap_or(u32::MAX));
    let part = 1.0 - f64::from(left) / f64::from(whole.max(1));
    parts::bar(part, &parts::age(i64::from(left / 1_000)))
}

fn voice(voice: &str, missing: Option<&str>) -> String {
    match missing {
        Some(why) => format!("{}: {}", parts::words(voice), parts::words(why)),
        None => parts::words(voice),
    }
}
