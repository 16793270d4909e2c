//! The event log of a call as a table, with the payloads.

use std::borrow::Cow;

use maud::{Markup, html};
use precall_call::Event;

use super::moment::{self, offset};
use super::record::Record;
use crate::http::pages::parts;
use crate::story::Moment;

/// Of a long log the first and the last events are shown.
const FIRST: usize = 100;
const LAST: usize = 400;

/// What happened. The words of an utterance are in the transcript.
pub(super) fn sentence(moment: &Moment) -> Cow<'_, str> {
    match (&moment.sentence, &moment.event) {
        (Some(sentence), _) => Cow::Borrowed(sentence),
        (None, Some(Event::Utterance { by, .. })) => Cow::Owned(format!("Words of the {}", by.name())),
        (None, _) => Cow::Owned(parts::words(&moment.kind)),
    }
}

/// The table. `chosen` is the event of the time travel.
pub(super) fn shown(record: &Record, chosen: Option<&Moment>) -> Markup {
    let count = record.moments.len();
    let left_out = count.saturating_sub(FIRST + LAST);
    let is_shown = |place: usize| left_out == 0 || place < FIRST || place >= FIRST.saturating_add(left_out);
    let begin = record.begin();
    html! {
        div .scroll {
            table .events aria-label="Events of this call" {
                thead { tr {
                    th scope="col" .number { "Seq" } th scope="col" .number { "Time" } th scope="col" { "Kind" }
                    th scope="col" { "What happened" }
                } }
                tbody {
                    @for (place, (moment, happened)) in record.moments.iter().zip(&record.happened).enumerate() {
                        @if is_shown(place) {
                            @let is_chosen = chosen.is_some_and(|chosen| chosen.seq == moment.seq);
                            tr class=[is_chosen.then_some("at")] aria-current=[is_chosen.then_some("true")] {
                                td .number {
                                    a href=(moment::link(moment.seq)) data-at=(moment.seq)
                                        title="The state after this event" { (moment.seq) }
                                }
                                td .number { (offset(moment.at, begin)) }
                                td .kind { (moment.kind) }
                                td {
                                    (sentence(moment)) " "
                                    @if let Some(detail) = &moment.detail { q { (detail) } " " }
                                    details data-key={ "event-" (moment.seq) } {
                                        summary { "payload" }
                                        pre { (serde_json::to_string_pretty(&happened.event).unwrap_or_default()) }
                                    }
                                }
                            }
                        } @else if place == FIRST {
                            tr { td colspan="4" .quiet {
                                (left_out) " events are left out. "
                                code { "GET /api/v1/calls/" (record.id()) "/events" } " has all of them."
                            } }
                        }
                    }
                }
            }
        }
        @if record.is_cut {
            p .notice { "The log is longer: only the first " (count) " events were read." }
        }
    }
}
