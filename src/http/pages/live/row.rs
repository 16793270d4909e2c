//! A row of the live board, as the first paint has it. `live.js` makes the same row.

use maud::{Markup, html};
use precall_actors::api::LiveCall;
use precall_call::At;

use crate::http::pages::parts;

/// Seconds from `from` to `to`.
fn seconds(from: i64, to: At) -> i64 {
    to.0.saturating_sub(from) / 1_000_000
}

/// The row of a call.
pub(super) fn row(call: &LiveCall, now: At) -> Markup {
    let href = format!("/calls/{}", call.id);
    html! {
        tr data-id=(call.id) data-href=(href) {
            td {}
            td { (parts::state(call.state)) }
            td .number { (parts::clock(seconds(call.offered_at, now))) }
            td { (deadline(call, now)) }
            td { a href=(href) { (call.parties.caller) } }
            td { (call.parties.line) }
            td { (call.route.name()) }
            td { (voice(call)) }
            td { (call.last_event.map(parts::words).unwrap_or_default()) }
        }
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

fn voice(call: &LiveCall) -> String {
    match call.voice_missing {
        Some(why) => format!("{}: {}", call.voice, parts::words(why)),
        None => parts::words(call.voice),
    }
}
