//! Answers that are not problems.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use serde::Serialize;

use super::error::{Code, Outcome, Problem};

/// 200 with JSON.
pub(crate) fn json(body: &impl Serialize) -> Result<HttpResponse, Problem> {
    json_with(StatusCode::OK, body)
}

/// JSON with another status.
pub(crate) fn json_with(status: StatusCode, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let text = serde_json::to_string(body).map_err(|_| Problem::of(Code::Internal))?;
    Ok(HttpResponse::build(status).content_type(ContentType::json()).body(text))
}

/// 200 with JSON, counted under `outcome`.
pub(crate) fn counted(outcome: &'static str, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let mut answer = json(body)?;
    answer.extensions_mut().insert(Outcome(outcome));
    Ok(answer)
}
