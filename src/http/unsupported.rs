//! Middleware: what precall does not speak. A body in a content coding is refused, because its bytes are no JSON. An
//! offer of another protocol (`Upgrade: h2c`) is ignored, as RFC 9110 allows, except where a path has a WebSocket.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue};
use actix_web::http::{ConnectionType, StatusCode, header::HeaderMap};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError as _};

use super::error::{Code, Problem};

/// Refuses a body in a content coding with 415, before the body is read.
pub(crate) async fn content_coding<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if is_plain(request.headers()) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let mut refused = Problem::of(Code::UnsupportedCoding).error_response();
    // The codings that would be right (RFC 9110, section 12.5.3).
    refused.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(request.into_response(refused).map_into_right_body())
}

/// Whether no coding but `identity` is named.
fn is_plain(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).all(|value| {
        let codings = value.to_str().unwrap_or("unreadable").split(',').map(str::trim);
        codings.filter(|coding| !coding.is_empty()).all(|coding| coding.eq_ignore_ascii_case("identity"))
    })
}

/// Answers a request that offers another protocol as if it did not. Without this the server would repeat `Connection:
/// upgrade`, and the client could wait for the other protocol. The connection is closed after the answer. The one path
/// with a WebSocket takes the offer itself.
pub(crate) async fn upgrade_offer<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let is_offer = request.head().connection_type() == ConnectionType::Upgrade;
    let mut response = next.call(request).await?;
    if is_offer && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}
