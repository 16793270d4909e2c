//! What a line sets: as a list, and as a form for the next version.

use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::http::api::lines::settings::Settings;
use crate::http::pages::parts;

/// Each setting of one line of text with its name in the API.
fn texts(settings: &Settings) -> [(&'static str, Option<&str>); 9] {
    [
        ("agent_id", settings.agent_id.as_deref()),
        ("language", settings.language.as_deref()),
        ("greeting_voice_id", settings.greeting_voice_id.as_deref()),
        ("fallback_voice_id", settings.fallback_voice_id.as_deref()),
        ("fallback_destination", settings.fallback_destination.as_deref()),
        ("voice_policy", settings.voice_policy.as_deref()),
        ("phone_number_id", settings.phone_number_id.as_deref()),
        ("account_id", settings.account_id.as_deref()),
        ("greeting_message", settings.greeting_message.as_deref()),
    ]
}

/// Each setting that is a number.
fn numbers(settings: &Settings) -> [(&'static str, Option<i32>); 3] {
    [
        ("max_live_calls", settings.max_live_calls),
        ("greeting_max_seconds", settings.greeting_max_seconds),
        ("clone_max_wait_seconds", settings.clone_max_wait_seconds),
    ]
}

/// What the line sets, one under the other.
pub(super) fn set(settings: &Settings) -> Markup {
    let is_empty = texts(settings).iter().all(|(_, text)| text.is_none())
        && numbers(settings).iter().all(|(_, number)| number.is_none());
    html! {
        @if is_empty { span .quiet { "nothing: all as the default line" } }
        dl {
            @for (name, text) in texts(settings) {
                @if let Some(text) = text { dt { (parts::words(name)) } dd { (text) } }
            }
            @for (name, number) in numbers(settings) {
                @if let Some(number) = number { dt { (parts::words(name)) } dd { (number) } }
            }
        }
    }
}

/// The form of the next version, filled with the newest one. Its script sends it.
pub(super) fn form(number: &str, from: Option<&Settings>) -> Markup {
    let settings = from.cloned().unwrap_or_default();
    let path = format!("/api/v1/lines/{}", utf8_percent_encode(number, NON_ALPHANUMERIC));
    html! {
        form #next-version .version action=(path) {
            p .quiet { "An empty field takes the value of the default line." }
            @for (name, text) in texts(&settings) {
                label { (parts::words(name))
                    @if name == "greeting_message" {
                        textarea name=(name) rows="3" maxlength="2000" { (text.unwrap_or_default()) }
                    } @else if name == "voice_policy" {
                        select name=(name) {
                            option value="" { "as the default line" }
                            @for policy in ["number", "proof", "never"] {
                                option value=(policy) selected[text == Some(policy)] { (policy) }
                            }
                        }
                    } @else { input name=(name) value=[text] maxlength="200" autocomplete="off" spellcheck="false"; }
                }
            }
            @for (name, value) in numbers(&settings) {
                label { (parts::words(name)) input type="number" name=(name) value=[value] min="1" max="1000000"; }
            }
            label { "Note: why, for people" input name="note" maxlength="2000"; }
            div .actions {
                button type="submit" name="publish" value="false" { "Save as a draft" }
                button type="submit" name="publish" value="true" .primary { "Save and publish" }
            }
        }
    }
}
