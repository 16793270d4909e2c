//! Several calls with one id: a PBX gives its ids again after a restart.

use actix_web::{HttpResponse, web};
use maud::html;
use precall_store::reads::calls;
use uuid::Uuid;

use crate::http::api::read::read;
use crate::http::api::sight::{Sight, seen};
use crate::http::app_state::AppState;
use crate::http::pages::error::PageError;
use crate::http::pages::parts;
use crate::http::pages::shell::{self, Page, Section};
use crate::http::pages::viewer::Viewer;

/// A page with the calls that have this id.
pub(super) async fn page(
    app: &web::Data<AppState>,
    viewer: &Viewer,
    wanted: &str,
    ids: &[Uuid],
) -> Result<HttpResponse, PageError> {
    let (sight, mut rows) = (Sight::of(&viewer.principal), Vec::new());
    for id in ids {
        rows.extend(read(app, calls::find(&app.pool, *id)).await?.map(|found| found.call));
    }
    let count = rows.len();
    let body = html! {
        p { "Several calls have the id " b { (wanted) } ". The newest is the first." }
        div .scroll data-rows="" {
            table {
                thead { tr { th scope="col" { "Came in" } th scope="col" { "State" } th scope="col" { "Caller" }
                    th scope="col" { "Line" } th scope="col" { "Cause" } } }
                tbody {
                    @for row in rows {
                        @let href = format!("/calls/{}", row.id);
                        tr data-href=(href) {
                            td { a href=(href) { (parts::time(row.started_at)) } }
                            td { (parts::state(&row.state)) }
                            td { (row.caller_id.map_or_else(|| "withheld".to_owned(), |number| sight.number(number))) }
                            td { (row.line) }
                            td { (row.cause.as_deref().map(parts::words).unwrap_or_default()) }
                        }
                    }
                }
            }
        }
    };
    let page = Page { title: "Several calls", section: Section::Live, files: &["call/call.css"] };
    let answer = shell::page(viewer, &page, &body);
    Ok(seen(&viewer.principal, answer, "calls_seen", None, serde_json::json!({ "calls": count })))
}
