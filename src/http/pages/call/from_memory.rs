//! The page of a live call that cannot be read from the database: what the engine knows of it. It can be acted upon.

use actix_web::HttpResponse;
use maud::{Markup, html};
use precall_actors::api::LiveCall;
use precall_call::At;
use uuid::Uuid;

use super::actions::Acted;
use super::{actions, for_operators, mailboxes, moment, part};
use crate::config::Scope;
use crate::http::app_state::AppState;
use crate::http::clock;
use crate::http::error::{Code, Problem};
use crate::http::pages::shell::{Page, Section};
use crate::http::pages::viewer::Viewer;
use crate::http::pages::{parts, shell};

/// The page. `problem`: why the database did not give the call.
pub(super) async fn page(
    app: &AppState,
    viewer: &Viewer,
    live: &LiveCall,
    problem: &Problem,
) -> HttpResponse {
    let (id, begin) = (Uuid::from_u128(live.id.0), At(live.offered_at));
    let acted = Acted {
        id,
        is_live: true,
        route: Some(live.route.name()),
        // The board has masked numbers only.
        number: None,
        hides_number: false,
    };
    let waits = mailboxes::asked(app, live.id).await;
    let body = html! {
        div #call data-id=(id) data-changes data-live data-from-memory data-seq="0" {
            section #head data-part="head" aria-label="In short" { (head(live, problem)) }
            div #actions data-part="actions" { (actions::shown(&acted, viewer, &app.settings())) }
            (part("actors", "Actors", &html! {
                @match &waits {
                    Some(waits) => (mailboxes::shown(waits)),
                    None => (parts::empty("The actors of this call do not answer.")),
                }
            }))
            @if viewer.may(Scope::Operate) { (for_operators(app, id, begin)) }
        }
    };
    let files = &["call/call.css", "call/call.js"];
    let title = format!("Call of {}", live.parties.caller);
    shell::page(viewer, &Page { title: &title, section: Section::Calls, files }, &body)
}

fn head(live: &LiveCall, problem: &Problem) -> Markup {
    let since = |at: At| moment::offset(at, At(live.offered_at));
    html! {
        p .who {
            (parts::state(live.state)) " " b { (live.parties.caller) } " on " b { (live.parties.line) }
            @if let Some(called) = &live.parties.called { " (" (called) ")" }
            " \u{b7} route " (live.route.name())
            @if let Some(at) = clock::timestamp(At(live.offered_at)) { " \u{b7} " (parts::time(at)) }
            @if let Some(deadline) = &live.deadline { " \u{b7} next deadline at " (since(deadline.due)) }
        }
        p .why {
            span .warn { "\u{25B2} " (why(problem)) }
            " This is what precall has in memory. The call goes on, and you can act on it; its story, timeline and \
             log come back with the database."
        }
        p .advice {
            @if let Some(problem) = &live.problem { b { "Problem: " } (problem) ". " }
            b { "The voice: " } (parts::words(live.voice))
            @if let Some(missing) = live.voice_missing { ", " (parts::words(missing)) }
            ". "
            @if let Some(event) = live.last_event {
                b { "Last event: " } (parts::words(event)) " at " (since(live.last_event_at)) "."
            }
        }
        p .ids.id {
            "id " (live.id)
            @if let Some(id) = &live.parties.threecx_call_id { " \u{b7} 3CX id " (id) }
            @if let Some(id) = &live.conversation { " \u{b7} conversation " (id) }
        }
    }
}

fn why(problem: &Problem) -> &'static str {
    match problem.code {
        Code::CallNotFound => "The database does not have this call yet.",
        Code::DatabaseSlow => "The database does not answer in time.",
        Code::DatabaseUnreachable => "The database cannot be reached.",
        _ => "The call cannot be read from the database.",
    }
}
