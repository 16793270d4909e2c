//! What an operator can do with the call. Only keys with the scope `operate` see it; the API checks it again.

use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use precall_call::Route;
use uuid::Uuid;

use super::record::Record;
use crate::config::Scope;
use crate::http::api::sight::Sight;
use crate::http::pages::parts;
use crate::http::pages::viewer::Viewer;
use crate::http::settings::Settings;

/// The call, as far as its actions depend on it.
pub(super) struct Acted<'a> {
    /// precall's id.
    pub(super) id: Uuid,
    /// Whether it goes on.
    pub(super) is_live: bool,
    /// How greeting and handoff reach the caller.
    pub(super) route: Option<&'a str>,
    /// The caller's number. A masked one names nobody.
    pub(super) number: Option<&'a str>,
    /// Whether the viewer sees the number masked.
    pub(super) hides_number: bool,
}

impl<'a> Acted<'a> {
    /// The call of a record.
    pub(super) fn of(record: &'a Record) -> Self {
        let row = &record.detail.call;
        let (number, is_whole) = (row.caller_id.as_deref(), record.sight == Sight::Whole);
        Self {
            id: row.id,
            is_live: record.is_live(),
            route: row.route.as_deref(),
            number: number.filter(|_| is_whole),
            hides_number: number.is_some() && !is_whole,
        }
    }
}

/// The actions for this call and this viewer.
pub(super) fn shown(call: &Acted<'_>, viewer: &Viewer, settings: &Settings) -> Markup {
    if !viewer.may(Scope::Operate) {
        return html! {};
    }
    let path = |action: &str| format!("/api/v1/calls/{}/{action}", call.id);
    let none = html! {};
    let (is_live, has_leg) = (call.is_live, call.route != Some(Route::Callback.name()));
    html! {
        div .actions role="group" aria-label="Actions" {
            @if is_live {
                @if has_leg && !settings.persons.is_empty() {
                    (parts::action("POST", &path("transfer"), "Send to",
                        "Send the caller to this person? The agent waits meanwhile.", &persons(settings)))
                }
                @if has_leg && settings.has_fallback {
                    (parts::action("POST", &path("fallback"), "Send to FALLBACK_DESTINATION",
                        "Send the caller to FALLBACK_DESTINATION?", &none))
                }
                (parts::action("POST", &path("handoff"), "Hand off now",
                    "Hand the call off as soon as its voice is decided?", &none))
            }
            @if is_live {
                (parts::action("POST", &path("fallback-voice"), "Use the fallback voice",
                    "Go on in the fallback voice? An agent that speaks with the cloned voice is replaced.", &none))
            }
            (parts::action("POST", &path("retry-clone"), "Retry the clone",
                "Clone the caller's voice once more? This can cost a clone at ElevenLabs.", &none))
            @if let Some(number) = call.number {
                @let cached = utf8_percent_encode(number, NON_ALPHANUMERIC);
                (parts::action("DELETE", &format!("/api/v1/cache/{cached}"), "Forget the cached voice",
                    "Forget the caller's cached voice? The next call clones again.", &none))
            } @else if call.hides_number && viewer.may(Scope::Pii) {
                span .quiet { "Show numbers (menu at the top) to forget the cached voice." }
            }
            @if is_live {
                (parts::action("POST", &path("hangup"), "Hang up", "End this call for the caller?", &none))
            }
        }
    }
}

fn persons(settings: &Settings) -> Markup {
    html! {
        label {
            span .unseen { "Person" }
            select #person name="destination" {
                @for person in settings.persons.iter() { option value=(person) { (person) } }
            }
        }
    }
}
