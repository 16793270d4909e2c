//! The live board: three static files. Their data comes from the API, with the visitor's key.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};

/// Content security policy of the pages: only precall's own files and API, and no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The beginning of an answer with a file of a page.
pub(super) fn answer(media_type: &'static str) -> HttpResponseBuilder {
    let mut response: HttpResponseBuilder = HttpResponse::Ok();
    response
        .content_type(media_type)
        .insert_header((header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)))
        .insert_header((header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")))
        .insert_header(("permissions-policy", "camera=(), microphone=(), geolocation=()"))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-cache")));
    response
}

/// The HTML page.
pub(crate) async fn page() -> HttpResponse {
    answer("text/html; charset=utf-8").body(include_str!("../../board/index.html"))
}

/// The script.
pub(crate) async fn script() -> HttpResponse {
    answer("text/javascript; charset=utf-8").body(include_str!("../../board/board.js"))
}

/// The style sheet.
pub(crate) async fn style() -> HttpResponse {
    answer("text/css; charset=utf-8").body(include_str!("../../board/board.css"))
}
