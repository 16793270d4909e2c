//! Successful responses.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use serde::Serialize;

use super::error::{Code, Outcome, Problem};

/// 200 with JSON.
pub(crate) fn json(body: &impl Serialize) -> Result<HttpResponse, Problem> {
    json_with(StatusCode::OK, body)
}

/// JSON with `status`.
pub(crate) fn json_with(status: StatusCode, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let text = serde_json::to_string(body).map_err(|_| Problem::of(Code::Internal))?;
    Ok(HttpResponse::build(status).content_type(ContentType::json()).body(text))
}

/// 200 with JSON. The metrics count it under `outcome`.
pub(crate) fn counted(outcome: &'static str, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let mut response = json(body)?;
    response.extensions_mut().insert(Outcome(outcome));
    Ok(response)
}
