//! The dashboard: a folder a page. Pages are made on the server and complete without JavaScript; small modules keep
//! them up to date. They read what the API reads, and they act by the API, so that both have the same rules.
//!
//! - [`viewer`]: who looks, by the session of the browser. Every handler of a page takes a [`viewer::Viewer`].
//! - [`shell`]: what is around every page. Every page is made by [`shell::page`].
//! - [`health`]: lights, problems, capacity.
//! - [`parts`]: what several pages show: states, times, ages, lights, actions.
//! - [`assets`]: scripts and style sheets, with a hash of them all in their path.
//! - [`document`]: the head of every page; pages without a viewer.
//! - [`routes`]: the paths of the pages.
//! - [`call`]: one call.
//! - [`error`]: what a page answers when it cannot be shown.

mod assets;
mod audit;
pub(super) mod call;
mod callers;
mod calls;
mod document;
mod error;
mod health;
mod lines;
mod live;
mod parts;
pub(super) mod routes;
mod shell;
mod sign_in;
mod system;
mod viewer;
mod webhooks;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};

/// Content security policy of every page: only precall's own files and API, no inline script or style, no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' \
                      data:; media-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The beginning of an answer with a page or a file of one.
pub(crate) fn answer(media_type: &'static str) -> HttpResponseBuilder {
    let mut response: HttpResponseBuilder = HttpResponse::Ok();
    secured(&mut response, media_type);
    response
}

/// Adds the headers that every page needs.
fn secured(response: &mut HttpResponseBuilder, media_type: &'static str) {
    response
        .content_type(media_type)
        .insert_header((header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)))
        .insert_header((header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")))
        .insert_header(("permissions-policy", "camera=(), microphone=(), geolocation=()"));
}
