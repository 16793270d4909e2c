//! The answer of an endpoint, before it becomes HTTP, so that faults can replace, delay or slow it down.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::shared::control::Refusal;

/// The body of an answer.
#[derive(Clone, Debug)]
pub(super) enum AnswerBody {
    /// A JSON document.
    Json(Value),
    /// Bytes of the named content type, sent with their length.
    Whole(&'static str, Bytes),
    /// Bytes of the named content type, sent in chunks as they would be generated.
    Chunked(&'static str, Bytes),
}

/// One answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: AnswerBody,
}

impl Answer {
    /// 200 with a JSON document.
    pub fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    /// Any status with a JSON document.
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: AnswerBody::Json(body) }
    }

    /// The same answer with one more header.
    pub(crate) fn with_header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// The framework's plain error, as FastAPI words it: `{"detail": "Not Found"}`.
    pub fn plain(status: u16, detail: &str) -> Self {
        Self::json(status, json!({ "detail": detail }))
    }

    /// A validation error, as FastAPI words it: `detail` is an array.
    pub fn invalid(problems: Vec<Value>) -> Self {
        Self::json(422, json!({ "detail": problems }))
    }

    /// The older error shape with `status` and `message` only. voices/add was seen to use it.
    pub(crate) fn legacy(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, json!({"detail": {"status": code, "message": message}}))
    }

    /// The error shape of 2026 (facts page, section 1). `type` was seen for payment_required only; the rest is
    /// derived from the status: do not rely on it.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let detail = json!({
            "type": error_type(status),
            "code": code,
            "message": message,
            "status": code,
            // Replaced by the id of the request once the answer is sent.
            "request_id": null,
            "param": null,
        });
        Self::json(status, json!({ "detail": detail }))
    }

    /// The documented error of a bare status, for faults that name no body.
    pub fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::json(status, json!({})),
            400 => Self::error(400, "invalid_request", "The request is invalid."),
            401 => Self::error(401, "unauthorized", "Invalid API key"),
            402 => Self::error(402, "insufficient_credits", "You do not have enough credits."),
            403 => Self::error(403, "feature_not_available", "Your plan does not include this feature."),
            404 => Self::plain(404, "Not Found"),
            409 => Self::error(409, "concurrent_modification", "The resource was changed meanwhile."),
            422 => Self::invalid(vec![problem(&["body", "name"], "missing", "Field required", Value::Null)]),
            429 => Self::error(429, "system_busy", "The system is busy. Please try again later."),
            503 => Self::error(503, "service_unavailable", "The service is unavailable."),
            500..=599 => Self::error(status, "internal_error", "Something went wrong."),
            _ => Self::plain(status, "error"),
        }
    }

    /// The same answer with the id of its request: in the headers, and in the body of an error that has the field. An
    /// id that a fault's body names is that of the request.
    pub(super) fn of_request(mut self, mut id: String) -> Self {
        if let AnswerBody::Json(body) = &mut self.body
            && let Some(shown) = body.pointer_mut("/detail/request_id")
        {
            match shown.as_str() {
                Some(told) => id = told.to_owned(),
                None => *shown = json!(id),
            }
        }
        self.with_header("request-id", &id).with_header("x-trace-id", &id)
    }

    /// The same error with other texts in its `detail`.
    pub(crate) fn with_detail(mut self, texts: &[(&str, &str)]) -> Self {
        if let AnswerBody::Json(body) = &mut self.body
            && let Some(detail) = body.get_mut("detail").and_then(Value::as_object_mut)
        {
            detail.extend(texts.iter().map(|&(name, text)| (name.to_owned(), json!(text))));
        }
        self
    }

    pub fn agent_not_found(id: &str) -> Self {
        Self::error(404, "agent_not_found", &format!("Agent with id {id} not found."))
    }

    pub fn phone_number_not_found(id: &str) -> Self {
        Self::error(404, "phone_number_not_found", &format!("Phone number with id {id} not found."))
    }

    pub fn voice_not_found(voice_id: &str) -> Self {
        Self::error(404, "voice_not_found", &format!("A voice with the voice_id {voice_id} was not found."))
    }

    pub fn conversation_not_found(id: &str) -> Self {
        Self::error(404, "conversation_not_found", &format!("Conversation with id {id} not found."))
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::plain(refusal.status, &refusal.why)
    }
}

/// One entry of FastAPI's list of problems. A step of the path that is a number names an element of a list.
pub(super) fn problem(loc: &[&str], kind: &str, message: &str, input: Value) -> Value {
    let step = |name: &&str| name.parse::<u64>().map_or_else(|_| Value::from(*name), Value::from);
    let loc: Vec<Value> = loc.iter().map(step).collect();
    json!({"type": kind, "loc": loc, "msg": message, "input": input})
}

fn error_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "payment_required",
        403 => "authorization_error",
        404 => "not_found",
        409 => "conflict",
        429 => "rate_limit_error",
        503 => "service_unavailable",
        500..=599 => "internal_error",
        _ => "validation_error",
    }
}
