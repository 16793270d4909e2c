//! `/audit`: who changed what, and who looked at personal data.

use actix_web::{HttpResponse, web};
use maud::html;
use precall_store::people::audit;
use serde::Deserialize;

use super::error::PageError;
use super::shell::{Page, Section};
use super::viewer::Viewer;
use super::{parts, shell};
use crate::config::Scope;
use crate::http::api::page::{id_of_cursor, limit};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};

/// Query of the page.
#[derive(Deserialize)]
pub(crate) struct Query {
    cursor: Option<String>,
}

/// `GET /audit`.
pub(crate) async fn page(
    app: web::Data<AppState>,
    viewer: Viewer,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    if !viewer.may(Scope::Admin) {
        return Err(Problem::new(Code::Forbidden, "this needs a key with the scope admin").into());
    }
    let (before, most) = (id_of_cursor(query.cursor.as_deref())?, limit(None)?);
    let mut rows = read(&app, audit::list(&app.pool, before, most.saturating_add(1))).await?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let has_more = rows.len() > most;
    rows.truncate(most);
    let next = rows.last().filter(|_| has_more).map(|row| row.id);
    let body = html! {
        @if rows.is_empty() {
            (parts::empty("No row yet. Each change by the API, the pages or the command line gets one, and each \
                look at numbers or words of callers."))
        } @else {
            div .scroll {
                table {
                    thead {
                        tr {
                            th scope="col" { "Time" } th scope="col" { "Who" } th scope="col" { "Action" }
                            th scope="col" { "Subject" } th scope="col" { "Detail" }
                        }
                    }
                    tbody {
                        @for row in &rows {
                            tr {
                                td { (parts::time(row.at)) }
                                td { (row.who) }
                                td { (parts::words(&row.action)) }
                                td .id {
                                    @if let Some(subject) = row.subject {
                                        @if row.action.starts_with("call_") {
                                            a href={ "/calls/" (subject) } { (subject) }
                                        } @else { (subject) }
                                    }
                                }
                                td .id { (row.detail.as_ref().map(ToString::to_string).unwrap_or_default()) }
                            }
                        }
                    }
                }
            }
        }
        nav .pager aria-label="Pages of the list" {
            @if query.cursor.is_some() { a href="/audit" { "Newest rows" } }
            @if let Some(next) = next { a href={ "/audit?cursor=" (next) } rel="next" { "Older rows" } }
        }
    };
    Ok(shell::page(&viewer, &Page { title: "Audit", section: Section::Audit, files: &[] }, &body))
}
