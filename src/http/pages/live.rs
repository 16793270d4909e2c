//! `/`: the live board. What is wrong, who is on the line, and what each call waits for. The first paint is made here;
//! the script goes on from the live stream.

mod row;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use precall_actors::api::{BoardView, Counters};
use precall_call::At;

use super::error::PageError;
use super::shell::{Page, Section};
use super::viewer::Viewer;
use super::{health, parts, shell};
use crate::http::app_state::AppState;
use crate::http::clock;
use crate::http::status::health::HealthAnswer;
use crate::http::status::seen_figures::SeenFigures;

/// Rows in the first paint; the script shows the others.
const FIRST_ROWS: usize = 60;

/// The live board.
pub(crate) async fn page(app: web::Data<AppState>, viewer: Viewer) -> Result<HttpResponse, PageError> {
    let answer = HealthAnswer::of(&app.engine.health(), SeenFigures::All);
    let now = clock::now();
    let mut board = app.engine.board().view(now);
    board.live.sort_by_key(|call| std::cmp::Reverse((call.offered_at, call.id)));
    board.ended.reverse();
    let body = html! {
        (health::lights(&answer))
        (health::problems(&answer))
        (counters(&board.counters))
        (health::capacity(&answer))
        (tools())
        (table(&board, now))
    };
    let page =
        Page { title: "Live calls", section: Section::Live, files: &["live/live.css", "live/live.js"] };
    Ok(shell::page(&viewer, &page, &body))
}

fn counters(counters: &Counters) -> Markup {
    let shown = [
        ("live", "live", counters.live),
        ("greeting", "greeting", counters.offered.saturating_add(counters.greeting)),
        ("holding", "holding", counters.holding),
        ("handing_off", "handing over", counters.handing_off),
        ("conversing", "conversing", counters.conversing),
    ];
    html! {
        ul #counters .counters aria-label="Live calls by state" {
            @for (name, words, count) in shown { li { (words) " " b data-counter=(name) { (count) } } }
            li {
                a href="/calls?status=failed&since=-1h" {
                    "failed in the last hour " b data-counter="failed_last_hour" { (counters.failed_last_hour) }
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

fn table(board: &BoardView, now: At) -> Markup {
    let is_empty = board.live.is_empty() && board.ended.is_empty();
    let room = FIRST_ROWS.saturating_sub(board.live.len());
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
                    @for call in board.live.iter().take(FIRST_ROWS) { (row::live(call, now)) }
                    @for call in board.ended.iter().take(room) { (row::ended(call, now)) }
                }
            }
            p #none .empty hidden[!is_empty] {
                "No call is live. A call appears here as soon as the PBX sends it to precall; "
                code { "precall demo" } " makes some to look at."
            }
        }
    }
}
