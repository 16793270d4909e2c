//! `/calls/{id}`: one call. Why it went as it did, in the sentences of `precall why`; all below is the proof: a
//! timeline to scale, the actors, the log with the state after each event, requests, log lines, transcript, report.

mod actions;
mod actors;
mod candidates;
mod events;
mod from_memory;
mod head;
mod log_lines;
pub(crate) mod looks;
mod mailboxes;
mod moment;
mod record;
mod report;
mod requests;
pub(super) mod search;
mod state_tree;
mod strips;
mod supervise;
mod time_travel;
mod timeline;
mod transcript;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use precall_actors::api::{ActorMailbox, SupervisionView};
use precall_call::{At, CallId};
use serde::Deserialize;
use uuid::Uuid;

use self::actions::Acted;
use self::record::Record;
use self::timeline::Scale;
use super::error::PageError;
use super::shell::{Page, Section};
use super::viewer::Viewer;
use super::{parts, shell};
use crate::config::Scope;
use crate::http::api::call_id::call_id;
use crate::http::api::sight::{Sight, seen};
use crate::http::app_state::AppState;
use crate::http::error::Code;
use crate::logging::RecentLines;

/// Shown in place of a timeline.
const NO_LOG: &str = "The log of this call is empty: it was deleted, or the call is of the service before.";

/// Query of the page.
#[derive(Deserialize)]
pub(crate) struct Query {
    /// Time travel: the number of an event.
    at: Option<i64>,
}

/// The page of a call. Another id of it leads to the page with precall's id.
pub(crate) async fn page(
    app: web::Data<AppState>,
    viewer: Viewer,
    id: web::Path<String>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let named = id.into_inner();
    let id = match call_id(&app, &named).await {
        Ok(id) => id,
        Err(problem) if problem.code == Code::SeveralCalls => {
            return candidates::page(&app, &viewer, &named, problem.candidates()).await;
        }
        Err(problem) => return Err(problem.into()),
    };
    let own = id.to_string();
    if named != own {
        let at = query.at.map(|at| format!("?at={at}")).unwrap_or_default();
        let place = format!("/calls/{own}{at}");
        return Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, place)).finish());
    }
    let call = CallId(id.as_u128());
    let record = match Record::read(&app, id, viewer.sight()).await {
        Ok(record) => record,
        // The database is away, or the call is so new that it does not have it.
        Err(problem) => match app.engine.board().find(call) {
            Some(live) => return Ok(from_memory::page(&app, &viewer, &live, &problem).await),
            None => return Err(problem.into()),
        },
    };
    let supervision = supervise::view(&app, &viewer, &record).await;
    let waits = mailboxes::asked(&app, call).await;
    let body = body(&app, &viewer, &record, query.at, supervision.as_ref(), waits.as_deref());
    let title = format!("Call of {}", record.caller().as_deref().unwrap_or("a withheld number"));
    let files: &[&str] = match supervision {
        Some(_) => &["call/call.css", "call/call.js", "call/listen.js"],
        None => &["call/call.css", "call/call.js"],
    };
    let page = Page { title: &title, section: Section::Calls, files };
    let answer = shell::page(&viewer, &page, &body);
    let is_new = record.sight == Sight::Whole && app.looks.is_new(viewer.session.id, id, record.now);
    Ok(if is_new { seen(&viewer.principal, answer, "call_seen", Some(id), None) } else { answer })
}

/// A part of the page. The script replaces it alone when it has changed.
fn part(id: &str, title: &str, content: &Markup) -> Markup {
    html! {
        section id=(id) data-part=(id) aria-labelledby={ "h-" (id) } {
            h2 id={ "h-" (id) } { (title) }
            (content)
        }
    }
}

fn body(
    app: &AppState,
    viewer: &Viewer,
    record: &Record,
    at: Option<i64>,
    supervision: Option<&SupervisionView>,
    waits: Option<&[ActorMailbox]>,
) -> Markup {
    let (begin, end) = strips::scale(&record.moments, record.now);
    let place = time_travel::place(&record.moments, at);
    let travelled = place.and_then(|place| record.moments.get(place));
    let chosen = travelled.filter(|_| at.is_some());
    let strips = strips::strips(&record.moments, &record.jobs);
    let actors = actors::tree(&record.moments, &record.jobs);
    let last = record.moments.last().map_or(0, |last| last.seq);
    html! {
        div #call data-id=(record.id()) data-changes[record.changes()] data-live[record.is_live()] data-seq=(last) {
            section #head data-part="head" aria-label="In short" { (head::shown(record)) }
            div #actions data-part="actions" { (actions::shown(&Acted::of(record), viewer, &app.settings())) }
            (part("timeline", "Timeline", &html! {
                @if record.moments.is_empty() { (parts::empty(NO_LOG)) } @else {
                    (timeline::shown(&strips, &record.moments, Scale { begin, end }, chosen))
                }
            }))
            div .columns {
                div {
                    @if let Some(view) = supervision {
                        (part("supervision", "Live supervision", &supervise::state(view)))
                        (supervise::controls(viewer, record))
                    }
                    (part("actors", "Actors", &actors::shown(&actors, begin, waits)))
                    (part("transcript", "Transcript", &transcript::shown(record)))
                    (part("report", "Report", &report::shown(record)))
                }
                // Its parts are inside: the slider must not be replaced while it is dragged.
                section #state aria-labelledby="h-state" {
                    h2 #h-state { "State after an event" }
                    @if let Some(place) = place { (time_travel::shown(&record.moments, place)) }
                    @else { (parts::empty("There is no event to travel to.")) }
                }
            }
            (part("events", "Events", &events::shown(record, travelled)))
            @if viewer.may(Scope::Operate) { (for_operators(app, record.id(), record.begin())) }
            @else { p .quiet { "Requests, log lines and the wire record need a key with the scope operate." } }
        }
    }
}

/// What only memory has of the call.
fn for_operators(app: &AppState, id: Uuid, begin: At) -> Markup {
    let wire = app.engine.wire().of(CallId(id.as_u128())).unwrap_or_default();
    html! {
        (part("requests", "Requests", &requests::requests(&wire, begin)))
        (part("log", "Log lines", &log_lines::shown(&RecentLines::of_process().of(&id.to_string()))))
        (part("wire", "Wire", &html! {
            details data-key="wire" {
                summary { (wire.lines.len()) " messages, without audio, numbers, words and secrets" }
                (requests::wire(&wire, begin))
            }
        }))
    }
}
