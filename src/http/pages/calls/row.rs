//! A row of the history.

use maud::{Markup, html};
use precall_store::reads::calls::CallRow;

use crate::http::api::sight::Sight;
use crate::http::pages::parts;

/// The row of a call, as this viewer sees it.
pub(super) fn row(sight: Sight, call: &CallRow) -> Markup {
    let href = format!("/calls/{}", call.id);
    let caller = call.caller_id.clone().map(|number| sight.number(number));
    let title = sight.personal(call.summary_title.as_deref());
    html! {
        tr data-href=(href) {
            td { (ended(call)) }
            td { time datetime=(call.started_at.to_string()) { (call.started_at.strftime("%Y-%m-%d %H:%M:%S")) } }
            td { a href=(href) title=[title] { (caller.as_deref().unwrap_or("unknown")) } }
            td { (call.called_number.as_deref().unwrap_or_default()) }
            td { (call.line) @if call.pbx != "default" { span .quiet { " on " (call.pbx) } } }
            td { (call.route.as_deref().unwrap_or_default()) }
            td { (voice(call)) }
            td { (worded(call.cause.as_deref())) }
            td { (worded(call.blame.as_deref())) }
            td { (worded(call.told.as_deref())) }
            td .number { (seconds(call).map(parts::clock).unwrap_or_default()) }
            td .number { (call.duration_seconds.map(|seconds| parts::clock(i64::from(seconds))).unwrap_or_default()) }
            td .number { (cost(call)) }
        }
    }
}

/// How the call ended, or its state while it is live.
fn ended(call: &CallRow) -> Markup {
    if call.state != "released" {
        return parts::state(&call.state);
    }
    let (class, words) = match (call.status.as_str(), call.told.as_deref()) {
        (_, Some("person")) => ("s-person", "to a person"),
        ("failed", _) => ("s-failed", "failed"),
        ("completed", _) => ("s-completed", "completed"),
        _ => ("s-released", "ended"),
    };
    html! { span class={ "state " (class) } { (words) } }
}

fn voice(call: &CallRow) -> String {
    match (&call.cloned_voice_id, &call.voice_missing) {
        (_, Some(why)) => format!("fallback: {}", parts::words(why)),
        (Some(_), None) => "cloned".to_owned(),
        (None, None) => String::new(),
    }
}

fn worded(name: Option<&str>) -> String {
    name.map(parts::words).unwrap_or_default()
}

/// How long the whole call took.
pub(super) fn seconds(call: &CallRow) -> Option<i64> {
    call.ended_at.map(|ended| ended.as_second().saturating_sub(call.started_at.as_second()))
}

/// What its conversations cost, in dollars where ElevenLabs says them.
fn cost(call: &CallRow) -> String {
    match (call.cost_usd, call.cost_credits) {
        (Some(dollars), _) => format!("${dollars:.3}"),
        (None, Some(credits)) => format!("{credits} credits"),
        (None, None) => String::new(),
    }
}
