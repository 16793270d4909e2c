//! `/`: the live board. What is wrong, who is on the line, and what each call waits for. The first paint is made here;
//! the script goes on from the live stream.

mod row;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use precall_actors::api::LiveCall;
use precall_call::At;

use super::error::PageError;
use super::shell::{Page, Section};
use super::viewer::Viewer;
use super::{health, parts, shell};
use crate::http::app_state::AppState;
use crate::http::clock;
use crate::http::ops::figures::SeenFigures;
use crate::http::status::health::HealthAnswer;

/// Rows in the first paint; the script shows the others.
const FIRST_ROWS: usize = 60;

/// The live board.
pub(crate) async fn page(app: web::Data<AppState>, viewer: Viewer) -> Result<HttpResponse, PageError> {
    let answer = HealthAnswer::of(&app.engine.health(), SeenFigures::All);
    let mut calls = app.engine.live();
    calls.sort_by_key(|call| std::cmp::Reverse((call.offered_at, call.id)));
    let body = html! {
        (health::lights(&answer))
        (health::problems(&answer))
        (counters(&calls))
        (health::capacity(&answer))
        (tools())
        (table(&calls))
    };
    let page =
        Page { title: "Live calls", section: Section::Live, files: &["live/live.css", "live/live.js"] };
    Ok(shell::page(&viewer, &page, &body))
}

fn counters(calls: &[LiveCall]) -> Markup {
    let of = |state: &str| calls.iter().filter(|call| call.state == state).count();
    html! {
        ul #counters .counters aria-label="Live calls by state" {
            li { "live " b data-counter="live" { (calls.len()) } }
            li { "greeting " b data-counter="greeting" { (of("offered") + of("greeting")) } }
            li { "holding " b data-counter="holding" { (of("holding")) } }
            li { "handing over " b data-counter="handing_over" { (of("handing_off")) } }
            li { "conversing " b data-counter="conversing" { (of("conversing")) } }
            li {
                a href="/calls?status=failed&since=-1h" {
                    "failed in the last hour " b data-counter="failed_last_hour" { "-" }
                }
            }
        }
    }
}

/// Filter and order of the rows. They need the script.
fn tools() -> Markup {
    html! {
        form #tools .filters hidden {
            label { "Filter"
                input #filter type="search" placeholder="number, line, 3CX id, conversation" autocomplete="off";
            }
            label { "State"
                select #state-filter {
                    option value="" { "all" }
                    @for state in ["greeting", "holding", "handing_off", "conversing", "released"] {
                        option value=(state) { (parts::state_words(state)) }
                    }
                }
            }
            label { "Order"
                select #order {
                    option value="new" { "newest first" }
                    option value="problems" { "problems first" }
                    option value="old" { "oldest first" }
                    option value="deadline" { "next deadline first" }
                }
            }
            button #fresh type="button" hidden { "Show new calls" }
            span #shown .quiet {}
        }
    }
}

fn table(calls: &[LiveCall]) -> Markup {
    let now: At = clock::now();
    html! {
        div #board .board data-rows="" {
            table #calls aria-label="Live calls" {
                thead {
                    tr {
                        th scope="col" { span .unseen { "Problem" } }
                        th scope="col" { "State" }
                        th scope="col" .number { "Age" }
                        th scope="col" { "Deadline" }
                        th scope="col" { "Caller" }
                        th scope="col" { "Line" }
                        th scope="col" { "Route" }
                        th scope="col" { "Voice" }
                        th scope="col" { "Last event" }
                    }
                }
                tbody #rows {
                    @for call in calls.iter().take(FIRST_ROWS) { (row::row(call, now)) }
                }
            }
            p #none .empty hidden[!calls.is_empty()] {
                "No call is live. A call appears here as soon as the PBX sends it to precall; "
                code { "precall demo" } " makes some to look at."
            }
        }
    }
}
