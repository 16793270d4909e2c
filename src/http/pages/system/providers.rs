//! Requests to ElevenLabs and 3CX: how long they took, and how they ended.

use maud::{Markup, html};
use precall_actors::api::{Distribution, RequestFigures, System};

use super::goals::quantile;
use crate::http::pages::parts;

/// Height of the small histogram, and the width of a bar.
const HEIGHT: u64 = 16;
const STEP: usize = 6;

/// One table for both.
pub(super) fn providers(system: &System) -> Markup {
    html! {
        section aria-labelledby="providers" {
            h2 #providers { "Providers" }
            p {
                "Cloning: "
                @if system.breaker_is_open {
                    b .bad { "breaker open" }
                    ": five clones failed one after another, calls get the fallback voice for a while"
                } @else { "breaker closed" }
                ". "
                @if let Some(feed) = &system.feed {
                    "3CX token: "
                    @match (feed.token_since.and_then(crate::http::clock::timestamp), feed.token_failing_since) {
                        (_, Some(_)) => { b .bad { "refused or not granted" } }
                        (Some(since), None) => { "held since " (parts::time(since)) }
                        (None, None) => { "not asked for yet" }
                    }
                    "."
                }
            }
            @if system.requests.is_empty() {
                (parts::empty("No request was made since the start. The first call makes some."))
            } @else {
                div .scroll {
                    table {
                        thead {
                            tr {
                                th scope="col" { "Request" }
                                th scope="col" .number { "Number" }
                                th scope="col" .number { "Failed" }
                                th scope="col" { "By status" }
                                th scope="col" .number { "p50" }
                                th scope="col" .number { "p95" }
                                th scope="col" { "Latency" }
                            }
                        }
                        tbody { @for request in &system.requests { (row(request)) } }
                    }
                }
            }
        }
    }
}

fn row(request: &RequestFigures) -> Markup {
    let total = request.took.total();
    let failed = request.ends.iter().filter(|(status, _)| *status != "2xx");
    let failed = failed.fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    let service = if request.service == "threecx" { "3CX" } else { "ElevenLabs" };
    html! {
        tr {
            th scope="row" { (service) " " (parts::words(request.endpoint)) }
            td .number { (total) }
            td .number {
                span .bad[failed > 0] {
                    (failed) " (" (failed.saturating_mul(100).checked_div(total).unwrap_or(0)) " %)"
                }
            }
            td {
                @for (number, (status, count)) in request.ends.iter().enumerate() {
                    @if number > 0 { ", " }
                    (status) ": " (count)
                }
            }
            td .number { (quantile(&request.took, 0.5)) }
            td .number { (quantile(&request.took, 0.95)) }
            td { (bars(&request.took)) }
        }
    }
}

fn bars(took: &Distribution) -> Markup {
    let highest = took.counts.iter().max().copied().unwrap_or(0).max(1);
    html! {
        svg .small viewBox={ "0 0 " (took.counts.len().saturating_mul(STEP)) " " (HEIGHT) } aria-hidden="true" {
            @for (number, count) in took.counts.iter().enumerate() {
                @let height = count.saturating_mul(HEIGHT).checked_div(highest).unwrap_or(0).max(u64::from(*count > 0));
                rect .bar x=(number.saturating_mul(STEP)) y=(HEIGHT.saturating_sub(height))
                    width=(STEP.saturating_sub(1)) height=(height) {}
            }
        }
    }
}
