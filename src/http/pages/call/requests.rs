//! Requests to 3CX and ElevenLabs with status, time and request id, and the whole wire record. Scope `operate`.

use maud::{Markup, html};
use precall_actors::observe::wire_log::{CallWire, KeptLine};
use precall_call::At;
use precall_providers::wire_record::Way;

use super::moment::offset;
use crate::http::pages::parts;

/// Requests that were sent: those with an answer, or with a failure in its place.
pub(super) fn requests(wire: &CallWire, begin: At) -> Markup {
    let is_request = |kept: &&KeptLine| {
        kept.line.way == Way::Sent
            && (kept.line.status.is_some() || kept.line.took.is_some() || kept.line.failure.is_some())
    };
    let requests: Vec<&KeptLine> = wire.lines.iter().filter(is_request).collect();
    if requests.is_empty() {
        return parts::empty(
            "No request is kept. They are in memory only: precall was restarted since, or the call is long over.",
        );
    }
    html! {
        div .scroll {
            table aria-label="Requests to providers" {
                thead { tr {
                    th scope="col" .number { "Time" } th scope="col" { "To" } th scope="col" { "Request" }
                    th scope="col" .number { "Status" } th scope="col" .number { "Took" }
                    th scope="col" { "Request id" }
                } }
                tbody {
                    @for KeptLine { at, line } in requests {
                        @let is_bad = line.failure.is_some() || line.status.is_some_and(|status| status >= 400);
                        tr {
                            td .number { (offset(*at, begin)) }
                            td { (line.peer) }
                            td .what { (line.what) }
                            td .number {
                                span class=[is_bad.then_some("bad")] {
                                    @match (line.status, &line.failure) {
                                        (Some(status), _) => { @if is_bad { "\u{2716} " } (status) },
                                        (None, Some(failure)) => { "\u{2716} " (failure) },
                                        (None, None) => "",
                                    }
                                }
                            }
                            td .number { @if let Some(took) = line.took { (took.as_millis()) " ms" } }
                            td .id { (line.request_id.as_deref().unwrap_or("")) }
                        }
                    }
                }
            }
        }
    }
}

/// Everything on the wire, redacted as it was kept.
pub(super) fn wire(wire: &CallWire, begin: At) -> Markup {
    if wire.lines.is_empty() {
        return parts::empty(
            "Nothing is kept of the wire: precall was restarted since, or the call is long over.",
        );
    }
    html! {
        @if wire.dropped > 0 { p .quiet { (wire.dropped) " messages are missing after the first 64." } }
        ol .wire {
            @for KeptLine { at, line } in &wire.lines {
                li {
                    span .quiet { (offset(*at, begin)) }
                    " " (if line.way == Way::Sent { "\u{2192}" } else { "\u{2190}" }) " "
                    b { (line.peer) } " " (line.what)
                    @if let Some(status) = line.status { ", " (status) }
                    @if let Some(failure) = &line.failure { ", " span .bad { (failure) } }
                    @for (name, text) in [("sent", &line.sent), ("received", &line.received)] {
                        @if let Some(text) = text { div .body { span .quiet { (name) " " } code { (text) } } }
                    }
                }
            }
        }
    }
}
