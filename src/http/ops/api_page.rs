//! `/api/docs`: the OpenAPI document in a browser, by Swagger UI. The files hold no data: the page asks for a key, and
//! reads the document with it. The policy is that of the dashboard: Swagger UI needs no looser one.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use utoipa_swagger_ui::Config;

use crate::http::error::{Code, Problem};
use crate::http::pages;

/// The beginning of an answer with a file of the page. Browsers ask for it again: its path stays the same.
fn answer(media_type: &'static str) -> HttpResponseBuilder {
    let mut response = pages::answer(media_type);
    response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-cache")));
    response
}

/// The HTML page.
pub(crate) async fn page() -> HttpResponse {
    answer("text/html; charset=utf-8").body(include_str!("../../api_docs/index.html"))
}

/// The script of the page.
pub(crate) async fn script() -> HttpResponse {
    answer("text/javascript; charset=utf-8").body(include_str!("../../api_docs/page.js"))
}

/// The style sheet of the page.
pub(crate) async fn style() -> HttpResponse {
    answer("text/css; charset=utf-8").body(include_str!("../../api_docs/page.css"))
}

/// The script of Swagger UI.
pub(crate) async fn bundle() -> Result<HttpResponse, Problem> {
    vendored("swagger-ui-bundle.js", "text/javascript; charset=utf-8")
}

/// The style sheet of Swagger UI.
pub(crate) async fn bundle_style() -> Result<HttpResponse, Problem> {
    vendored("swagger-ui.css", "text/css; charset=utf-8")
}

/// A file of Swagger UI, which the program holds compressed. Every browser takes it so.
fn vendored(name: &str, media_type: &'static str) -> Result<HttpResponse, Problem> {
    let file = utoipa_swagger_ui::serve(name, Arc::new(Config::default())).ok().flatten();
    let file = file.ok_or_else(|| Problem::of(Code::Internal))?;
    let mut response = answer(media_type);
    if file.gzpipped {
        response.insert_header((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
    }
    Ok(response.body(file.bytes.into_owned()))
}
