//! `/webhooks`: what 3CX and ElevenLabs sent, what could not be read and why, and its replay.

mod refused;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use precall_store::reads::webhooks::{self, KeptWebhook};
use serde::Deserialize;

use super::error::PageError;
use super::shell::{Page, Section};
use super::viewer::Viewer;
use super::{parts, shell};
use crate::config::Scope;
use crate::http::api::page::{id_of_cursor, limit};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::openapi::names::WEBHOOK_STATES;

/// Query of the page.
#[derive(Deserialize)]
pub(crate) struct Query {
    state: Option<String>,
    cursor: Option<String>,
}

/// `GET /webhooks`.
pub(crate) async fn page(
    app: web::Data<AppState>,
    viewer: Viewer,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let before = id_of_cursor(query.cursor.as_deref())?;
    let state = query.state.as_deref().filter(|state| WEBHOOK_STATES.contains(state));
    let most = limit(None)?;
    let mut rows = read(&app, async {
        let client = app.pool.get().await?;
        webhooks::list(&**client, before, state, most.saturating_add(1)).await
    })
    .await?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let has_more = rows.len() > most;
    rows.truncate(most);
    let next = rows.last().filter(|_| has_more).map(|row| row.id);
    let of_state = state.map(|state| format!("&state={state}")).unwrap_or_default();
    let body = html! {
        nav .filters aria-label="Filter" {
            a href="/webhooks" aria-current=[state.is_none().then_some("true")] { "all" }
            @for name in WEBHOOK_STATES {
                a href={ "/webhooks?state=" (name) } aria-current=[(state == Some(name)).then_some("true")] { (name) }
            }
        }
        @if rows.is_empty() {
            (parts::empty("No webhook fits. 3CX and ElevenLabs send them for each call, once their addresses and \
                secrets are set up there. Those that were refused are below."))
        } @else { (table(&rows, viewer.may(Scope::Operate))) }
        nav .pager aria-label="Pages of the list" {
            @if query.cursor.is_some() { a href="/webhooks" { "Newest webhooks" } }
            @if let Some(next) = next {
                a href={ "/webhooks?cursor=" (next) (of_state) } rel="next" { "Older webhooks" }
            }
        }
        (refused::shown(&app.refusals.of_late(), viewer.may(Scope::Operate)))
    };
    Ok(shell::page(&viewer, &Page { title: "Webhooks", section: Section::Webhooks, files: &[] }, &body))
}

fn table(rows: &[KeptWebhook], may_replay: bool) -> Markup {
    html! {
        div .scroll data-rows="" {
            table .stack {
                thead {
                    tr {
                        th scope="col" { "Received" }
                        th scope="col" { "State" }
                        th scope="col" { "Kind" }
                        th scope="col" { "Outcome" }
                        th scope="col" { "Call or conversation" }
                        th scope="col" { "Why it could not be read" }
                        th scope="col" .number { "Bytes" }
                        th scope="col" { "Replay" }
                    }
                }
                tbody { @for row in rows { (line(row, may_replay)) } }
            }
        }
    }
}

fn line(row: &KeptWebhook, may_replay: bool) -> Markup {
    let is_quarantined = row.state == "quarantined";
    html! {
        tr {
            td data-label="Received" { (parts::time(row.received_at)) }
            td data-label="State" {
                span class={ "light " (if is_quarantined { "bad" } else { "good" }) } { (row.state) }
            }
            td data-label="Kind" { (parts::words(&row.kind)) }
            td data-label="Outcome" { (parts::words(&row.outcome)) }
            td .id data-label="Call or conversation" {
                @if !row.provider_id.is_empty() {
                    a href={ "/search?q=" (utf8_percent_encode(&row.provider_id, NON_ALPHANUMERIC)) } {
                        (row.provider_id)
                    }
                }
            }
            td data-label="Why it could not be read" { (row.reason.as_deref().unwrap_or_default()) }
            td .number data-label="Bytes" { (row.bytes) }
            td {
                @if is_quarantined && may_replay && row.bytes > 0 {
                    (parts::action("POST", &format!("/api/v1/webhooks/{}/replay", row.id), "Replay",
                        "precall reads this webhook again, as if it had come now.", &html! {}))
                }
            }
        }
    }
}
