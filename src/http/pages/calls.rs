//! `/calls`: the history. Its filters are the URL, so that a search can be sent to a colleague.

mod asked;
mod export;
mod histogram;
mod row;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use maud::{Markup, html};
use precall_call::{Blame, Cause, Told};
use precall_store::reads::call_histogram;
use precall_store::reads::call_list::{self, CallFilter, Place};
use precall_store::reads::calls::CallRow;
use serde_json::json;

use self::asked::{Asked, now};
pub(super) use self::export::export;
use super::error::PageError;
use super::shell::{Page, Section};
use super::viewer::Viewer;
use super::{parts, shell};
use crate::http::api::page::{cursor_of_place, limit, place_of_cursor};
use crate::http::api::read::read;
use crate::http::api::sight::seen;
use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};
use crate::http::openapi::names::{CALL_STATES, CALL_STATUSES};

/// `GET /calls`.
pub(crate) async fn page(
    app: web::Data<AppState>,
    viewer: Viewer,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let now = now()?;
    let read = Asked::parse(request.query_string()).and_then(|asked| Ok((asked.filter(&app, now)?, asked)));
    let (filter, asked) = match read {
        Ok(read) => read,
        Err(problem) => return Ok(refused(&viewer, request.query_string(), &problem)),
    };
    let (calls, next) = listed(&app, &filter, &asked).await?;
    let drawing = drawing(&app, &filter, &asked, now).await?;
    let body = html! {
        (form(&asked))
        (drawing)
        (table(&viewer, &calls))
        (pager(&asked, next.as_deref(), calls.len()))
    };
    let answer = shell::page(&viewer, &described(), &body);
    Ok(seen(&viewer.principal, answer, "calls_seen", None, json!({ "calls": calls.len() })))
}

fn described() -> Page<'static> {
    Page { title: "Calls", section: Section::Calls, files: &["calls/calls.css", "calls/calls.js"] }
}

/// The page with its form and what is wrong with the filters.
fn refused(viewer: &Viewer, query: &str, problem: &Problem) -> HttpResponse {
    let body = html! {
        (form(&Asked::parse(query).unwrap_or_default()))
        p .notice role="alert" { (problem.detail) "." }
    };
    let mut answer = shell::page(viewer, &described(), &body);
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    answer
}

/// A page of calls, and the cursor of the next one.
async fn listed(
    app: &AppState,
    filter: &CallFilter,
    asked: &Asked,
) -> Result<(Vec<CallRow>, Option<String>), Problem> {
    let most =
        limit(asked.get("limit").map(str::parse).transpose().map_err(|_| Problem::of(Code::BadQuery))?)?;
    let behind = place_of_cursor(asked.get("cursor"))?;
    let wanted = most.saturating_add(1);
    let mut calls =
        read(app, app.pools.history(async |pool| call_list::list(pool, filter, behind, wanted).await))
            .await?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let has_more = calls.len() > most;
    calls.truncate(most);
    let next = calls.last().filter(|_| has_more).map(|call| cursor_of_place(&Place::behind(call)));
    Ok((calls, next))
}

async fn drawing(
    app: &AppState,
    filter: &CallFilter,
    asked: &Asked,
    now: Timestamp,
) -> Result<Markup, Problem> {
    let Some(span) = histogram::span(filter, now) else { return Ok(html! {}) };
    let bins =
        read(app, app.pools.history(async |pool| call_histogram::bins(pool, filter, &span).await)).await?;
    Ok(histogram::drawing(asked, &span, &bins))
}

/// Filters that are folded away until one has a value.
const FOLDED: [&str; 9] = [
    "called_number",
    "line",
    "blame",
    "pbx",
    "state",
    "told",
    "threecx_call_id",
    "conversation_id",
    "canary",
];

fn form(asked: &Asked) -> Markup {
    let names = |names: &[&'static str]| names.to_vec();
    let causes: Vec<&str> = Cause::ALL.iter().map(|cause| cause.name()).collect();
    let blames: Vec<&str> = Blame::ALL.iter().map(|blame| blame.name()).collect();
    let told: Vec<&str> = Told::ALL.iter().map(|told| told.name()).collect();
    html! {
        form #filters .filters action="/calls" role="search" aria-label="Filters" {
            (text(asked, "since", "From (UTC)", "-24h or 2026-01-31T08:00"))
            (text(asked, "until", "Until (UTC)", "-1h or 2026-01-31"))
            (text(asked, "caller_id", "Caller", "number"))
            (choice(asked, "status", "Status", &names(&CALL_STATUSES)))
            (choice(asked, "cause", "Cause", &causes))
            details open[FOLDED.iter().any(|name| asked.get(name).is_some())] {
                summary { "More filters" }
                div .filters {
                    (text(asked, "called_number", "Called number", "number"))
                    (text(asked, "line", "Line", "name"))
                    (choice(asked, "blame", "Blame", &blames))
                    (text(asked, "pbx", "PBX", "name"))
                    (choice(asked, "state", "State", &names(&CALL_STATES)))
                    (choice(asked, "told", "The caller heard", &told))
                    (text(asked, "threecx_call_id", "3CX id", ""))
                    (text(asked, "conversation_id", "Conversation", "conv_..."))
                    label { "Made by"
                        select name="canary" {
                            option value="" { "callers" }
                            option value="true" selected[asked.get("canary") == Some("true")] { "test calls" }
                        }
                    }
                }
            }
            div .actions {
                button .primary { "Filter" }
                @if !asked.names().is_empty() { a href="/calls" { "All calls" } }
                a href=(asked.link("/calls.csv", &[("limit", None)])) download="calls.csv" { "Export as CSV" }
            }
        }
    }
}

fn text(asked: &Asked, name: &'static str, words: &str, example: &str) -> Markup {
    html! {
        label { (words)
            input name=(name) value=[asked.get(name)] placeholder=(example) maxlength="256" autocomplete="off"
                spellcheck="false";
        }
    }
}

fn choice(asked: &Asked, name: &'static str, words: &str, values: &[&str]) -> Markup {
    html! {
        label { (words)
            select name=(name) {
                option value="" { "any" }
                @for value in values {
                    option value=(value) selected[asked.get(name) == Some(value)] { (parts::state_words(value)) }
                }
            }
        }
    }
}

fn table(viewer: &Viewer, calls: &[CallRow]) -> Markup {
    if calls.is_empty() {
        return parts::empty(
            "No call fits. Calls appear here as soon as the PBX sends one to precall. With filters, take one away or \
             choose a longer time.",
        );
    }
    html! {
        div .scroll data-rows="" {
            table .history aria-label="Calls" {
                thead {
                    tr {
                        th scope="col" { "State" }
                        th scope="col" { "Started (UTC)" }
                        th scope="col" { "Caller" }
                        th scope="col" { "Called" }
                        th scope="col" { "Line" }
                        th scope="col" { "Route" }
                        th scope="col" { "Voice" }
                        th scope="col" { "Cause" }
                        th scope="col" { "Blame" }
                        th scope="col" { "Caller heard" }
                        th scope="col" .number { "Duration" }
                        th scope="col" .number { "Agent" }
                        th scope="col" .number { "Cost" }
                    }
                }
                tbody { @for call in calls { (row::row(viewer.sight(), call)) } }
            }
        }
    }
}

fn pager(asked: &Asked, next: Option<&str>, shown: usize) -> Markup {
    html! {
        nav .pager aria-label="Pages of the list" {
            @if asked.get("cursor").is_some() { a href=(asked.link("/calls", &[])) rel="first" { "Newest calls" } }
            @if let Some(next) = next {
                a href=(asked.link("/calls", &[("cursor", Some(next))])) rel="next" { "Older calls" }
            }
            @if shown > 0 { span .quiet { (shown) " on this page, newest first" } }
        }
    }
}
