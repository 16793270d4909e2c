//! Middleware: every request has an id, in its answer and in the log lines of its handler. A client may give its own.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use uuid::Uuid;

use crate::logging::request_id;

/// The header, in requests and answers.
pub(super) const NAME: HeaderName = HeaderName::from_static("x-request-id");
/// No id of a client may be longer.
const LENGTH_MAX: usize = 64;

/// Answers with the id of the request.
pub(crate) async fn identified<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let given = request.headers().get(NAME).and_then(|value| value.to_str().ok()).filter(|id| is_plain(id));
    let id = given.map_or_else(|| Uuid::now_v7().to_string(), ToOwned::to_owned);
    let mut response = request_id::within(id.clone(), next.call(request)).await?;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(NAME, value);
    }
    Ok(response)
}

/// Whether an id of a client may stand in a log line and in a header.
fn is_plain(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    (1..=LENGTH_MAX).contains(&id.len()) && id.bytes().all(is_plain)
}
