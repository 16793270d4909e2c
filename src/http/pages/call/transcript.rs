//! What was said in a call, as it grows. Scope `pii`, and only while the pages show personal data.

use maud::{Markup, html};

use super::record::Record;
use crate::http::api::sight::Sight;
use crate::http::pages::parts;

/// The transcript.
pub(super) fn shown(record: &Record) -> Markup {
    if record.sight == Sight::Masked {
        return parts::empty(
            "The transcript is hidden. A key with the scope pii can show it: menu at the top, \"Show numbers \
             and words\".",
        );
    }
    if !record.said.is_empty() {
        return utterances(record);
    }
    match record.detail.transcript.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => reported(text),
        None if record.is_live() => {
            parts::empty("Nothing was said so far. Words appear here as soon as agent and caller speak.")
        }
        None => parts::empty("There is no transcript: no agent spoke, or ElevenLabs has not reported yet."),
    }
}

/// While the call goes on: each utterance with its time.
fn utterances(record: &Record) -> Markup {
    let is_corrected = |number: i64| record.said.iter().any(|later| later.corrects == Some(number));
    html! {
        ol .said {
            @for said in record.said.iter().filter(|said| !is_corrected(said.number)) {
                li class={ "by-" (if said.by == "agent" { "agent" } else { "caller" }) } {
                    span .quiet { (record.offset(said.at)) } " " b { (said.by) ": " }
                    @match &said.text {
                        Some(text) => (text),
                        None => span .quiet { "erased" },
                    }
                    @if said.corrects.is_some() { " " span .quiet { "(interrupted)" } }
                }
            }
        }
    }
}

/// Of the report: one `role: message` a line.
fn reported(text: &str) -> Markup {
    html! {
        ol .said {
            @for line in text.lines() {
                @match line.split_once(": ") {
                    Some((role @ ("agent" | "user"), words)) => {
                        li class={ "by-" (if role == "agent" { "agent" } else { "caller" }) } {
                            b { (if role == "agent" { "agent" } else { "caller" }) ": " } (words)
                        }
                    },
                    _ => li { (line) },
                }
            }
        }
    }
}
