//! The body of a webhook that proves its sender by something else than a signature: a token, or a header.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Payload;

use super::body::{Body, BodyReader, Limits};
use super::signed_body::read;
use super::state::WebhookState;
use crate::http::app_state::AppState;
use crate::http::body_limits::drain;
use crate::http::client_address;
use crate::http::error::Problem;

/// Reads the body if the request was admitted, within `longest`. Of a refused one the rest is drained, so that its
/// sender reads the answer.
///
/// # Errors
/// Why it was not admitted, or: too slow, too large, broken.
pub(super) async fn read_unsigned(
    request: &HttpRequest,
    payload: &mut Payload,
    app: &AppState,
    admitted: Result<(), Problem>,
    limits: Limits,
    longest: Duration,
) -> Result<Body, Problem> {
    if let Err(problem) = admitted {
        drain(request, payload).await;
        return Err(problem);
    }
    let room = &WebhookState::of(request)?.body_room;
    let share = room.share(client_address::address(request, &app.settings()));
    read(payload, BodyReader::new(limits, None, share), None, longest).await
}
