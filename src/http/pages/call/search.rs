//! `GET /search?q=`: an id leads to its call, a number to the calls of that caller.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use maud::html;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::candidates;
use crate::http::api::call_id::call_id;
use crate::http::api::caller_id::caller_in_query;
use crate::http::app_state::AppState;
use crate::http::error::Code;
use crate::http::pages::error::PageError;
use crate::http::pages::shell::{self, Page, Section};
use crate::http::pages::viewer::Viewer;

/// Query of the search.
#[derive(Deserialize)]
pub(crate) struct Query {
    /// What is looked for.
    q: Option<String>,
}

/// Leads to what is looked for.
pub(crate) async fn search(
    app: web::Data<AppState>,
    viewer: Viewer,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let typed = query.into_inner().q.unwrap_or_default();
    let wanted = typed.trim();
    if wanted.is_empty() {
        return Ok(lead_to("/"));
    }
    let number = caller_in_query(&app, &typed).ok();
    // No id begins like that, and none has spaces. A plus that was not encoded is a space.
    let is_written_number = typed.starts_with(['+', '(', ' ']) || wanted.contains(' ');
    if let (Some(number), true) = (&number, is_written_number) {
        return Ok(lead_to(&calls_of(number)));
    }
    match call_id(&app, wanted).await {
        Ok(id) => Ok(lead_to(&format!("/calls/{id}"))),
        Err(problem) if problem.code == Code::SeveralCalls => {
            candidates::page(&app, &viewer, wanted, problem.candidates()).await
        }
        Err(problem) if problem.code == Code::CallNotFound => {
            Ok(number.map_or_else(|| nothing(&viewer, wanted), |number| lead_to(&calls_of(&number))))
        }
        Err(problem) => Err(problem.into()),
    }
}

fn lead_to(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, path)).finish()
}

fn calls_of(number: &str) -> String {
    format!("/calls?caller_id={}", utf8_percent_encode(number, NON_ALPHANUMERIC))
}

fn nothing(viewer: &Viewer, wanted: &str) -> HttpResponse {
    let body = html! {
        p .empty {
            "There is no call with the id " b { (wanted) } ". Search by precall's id, the id at 3CX, the id of a \
            conversation at ElevenLabs, or a caller's number."
        }
    };
    shell::page(viewer, &Page { title: "Search", section: Section::Live, files: &["call/call.css"] }, &body)
}
