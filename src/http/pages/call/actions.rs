//! What an operator can do with the call. Only keys with the scope `operate` see it; the API checks it again.

use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use precall_call::Route;

use super::record::Record;
use crate::config::Scope;
use crate::http::api::sight::Sight;
use crate::http::pages::parts;
use crate::http::pages::viewer::Viewer;
use crate::http::settings::Settings;

/// The actions for this call and this viewer.
pub(super) fn shown(record: &Record, viewer: &Viewer, settings: &Settings) -> Markup {
    if !viewer.may(Scope::Operate) {
        return html! {};
    }
    let path = |action: &str| format!("/api/v1/calls/{}/{action}", record.id());
    let none = html! {};
    let is_live = record.is_live();
    let has_leg = record.detail.call.route.as_deref() != Some(Route::Callback.name());
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
            @if let Some(number) = cached_of(record) {
                (parts::action("DELETE", &format!("/api/v1/cache/{number}"), "Forget the cached voice",
                    "Forget the caller's cached voice? The next call clones again.", &none))
            } @else if record.detail.call.caller_id.is_some() && viewer.may(Scope::Pii) {
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

/// The number for the path of the cache. A masked number names nobody.
fn cached_of(record: &Record) -> Option<String> {
    let number = record.detail.call.caller_id.as_deref().filter(|_| record.sight == Sight::Whole)?;
    Some(utf8_percent_encode(number, NON_ALPHANUMERIC).to_string())
}
