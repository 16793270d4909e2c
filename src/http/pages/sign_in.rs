//! Signing in and out, and whether pages show numbers.

use actix_web::http::header;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use super::error::PageError;
use super::viewer::Viewer;
use super::{document, secured};
use crate::config::{Scope, key_digest};
use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};
use crate::http::sessions::{cookie, is_from_elsewhere, is_https, no_cookie};
use crate::http::{audit_trail, client_address};

/// Longest `next`.
const NEXT_MAX: usize = 2_048;

/// Query of the sign-in page.
#[derive(Deserialize)]
pub(crate) struct Query {
    /// The page to show afterwards.
    next: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct SignIn {
    key: String,
    next: Option<String>,
}

/// What the forms of a session send.
#[derive(Deserialize)]
pub(crate) struct Change {
    csrf: String,
    show: Option<bool>,
    /// The page to show again.
    next: Option<String>,
}

/// `GET /sign-in`.
pub(crate) async fn page(app: web::Data<AppState>, query: web::Query<Query>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    secured(&mut response, "text/html; charset=utf-8");
    response.body(form(&app, query.next.as_deref(), None).into_string())
}

/// `POST /sign-in`: begins a session.
pub(crate) async fn sign_in(
    app: web::Data<AppState>,
    form_data: web::Form<SignIn>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    if is_from_elsewhere(&request) {
        return Err(Problem::new(Code::Forbidden, "sign in on the page of precall").into());
    }
    let (settings, SignIn { key, next }) = (app.settings(), form_data.into_inner());
    let address = client_address::address(&request, &settings);
    let signed_in = app.keys.authenticate(key.trim(), address).and_then(|principal| {
        match (principal.scopes.allow(Scope::Read), key_digest(key.trim())) {
            (true, Some(digest)) => Ok((principal, digest)),
            _ => Err(Problem::new(Code::Forbidden, "this needs a key with the scope read")),
        }
    });
    let (principal, digest) = match signed_in {
        Ok(known) => known,
        Err(problem) => {
            let mut response = HttpResponse::build(actix_web::ResponseError::status_code(&problem));
            secured(&mut response, "text/html; charset=utf-8");
            return Ok(response.body(form(&app, next.as_deref(), Some(&problem)).into_string()));
        }
    };
    request.extensions_mut().insert(principal);
    let secret = app.sessions.begin(digest);
    let response = HttpResponse::SeeOther()
        .cookie(cookie(secret, is_https(&request, &settings)))
        .insert_header((header::LOCATION, own_path(next.as_deref())))
        .finish();
    Ok(audit_trail::changed(response, "signed_in", None, None))
}

/// `POST /sign-out`: ends the session.
pub(crate) async fn sign_out(
    app: web::Data<AppState>,
    viewer: Viewer,
    change: web::Form<Change>,
) -> Result<HttpResponse, PageError> {
    checked(&viewer, &change)?;
    app.sessions.end(viewer.session.id);
    let response =
        HttpResponse::SeeOther().cookie(no_cookie()).insert_header((header::LOCATION, "/sign-in")).finish();
    Ok(audit_trail::changed(response, "signed_out", None, None))
}

/// `POST /session/personal`: shows or masks numbers and words on the pages of this session.
pub(crate) async fn show_personal(
    app: web::Data<AppState>,
    viewer: Viewer,
    change: web::Form<Change>,
) -> Result<HttpResponse, PageError> {
    checked(&viewer, &change)?;
    if !viewer.may(Scope::Pii) {
        return Err(Problem::new(Code::Forbidden, "this needs a key with the scope pii").into());
    }
    let shows = change.show == Some(true);
    app.sessions.show_personal(viewer.session.id, shows);
    let next = own_path(change.next.as_deref());
    let response = HttpResponse::SeeOther().insert_header((header::LOCATION, next)).finish();
    Ok(audit_trail::changed(response, "pages_show_numbers", None, json!({ "shows": shows })))
}

fn checked(viewer: &Viewer, change: &Change) -> Result<(), Problem> {
    if viewer.session.has_token(&change.csrf) {
        return Ok(());
    }
    Err(Problem::new(Code::Forbidden, "the form is of another session: load the page again"))
}

/// The path, if it is one of precall: not the address of another site.
fn own_path(next: Option<&str>) -> String {
    let is_own = |next: &&str| {
        let mut bytes = next.bytes();
        next.len() <= NEXT_MAX
            && bytes.next() == Some(b'/')
            && !matches!(bytes.next(), Some(b'/' | b'\\'))
            && next.bytes().all(|byte| byte.is_ascii_graphic())
    };
    next.filter(is_own).unwrap_or("/").to_owned()
}

fn form(app: &AppState, next: Option<&str>, problem: Option<&Problem>) -> Markup {
    document::bare(
        "Sign in",
        &html! {
            @if app.keys.is_empty() {
                p .notice role="status" {
                    "There is no API key yet. Make the first one on the host: "
                    code { "precall keys new --name NAME --scope admin" }
                    ", and put what it prints into " code { "API_KEYS" } "."
                }
            }
            @if let Some(problem) = problem { p .notice role="alert" { (problem.detail) "." } }
            form method="post" action="/sign-in" {
                @if let Some(next) = next { input type="hidden" name="next" value=(next); }
                label for="key" { "API key" }
                input #key name="key" type="password" autocomplete="current-password" spellcheck="false" required
                    minlength="32" maxlength="512" aria-describedby="key-hint" autofocus;
                p #key-hint {
                    "A key with the scope " code { "read" } ". The browser does not keep it: precall gives this "
                    "browser a session of at most 12 hours, which ends after 30 minutes without use."
                }
                button { "Sign in" }
            }
        },
    )
}

#[cfg(test)]
mod tests;
