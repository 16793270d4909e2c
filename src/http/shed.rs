//! Middleware: refuses requests of a client that asks for more than its share.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError as _, web};

use super::app_state::AppState;
use super::client_address;
use super::error::{Code, Problem};
use super::fair_share::{Allowance, Connection, Lane, source_of};

pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Refuses a request above the limits of its source, before its body is read. Answers of the API say what is left.
pub(crate) async fn shed<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(app) = request.app_data::<web::Data<AppState>>().cloned() else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let has_too_many_connections =
        request.request().conn_data::<Connection>().is_some_and(|connection| connection.is_one_too_many);
    let source = client_address::address(request.request(), &app.settings()).map(source_of);
    let lane = Lane::of(request.path());
    let allowance = source.map(|source| app.settings().rates.ask(lane, source));
    let wait = allowance.and_then(|allowance| allowance.wait);
    if has_too_many_connections || wait.is_some() {
        let mut refused = Problem::of(Code::TooManyFromSource).error_response();
        if let Some(wait) = wait {
            refused.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().saturating_add(1)));
        }
        say(allowance, refused.headers_mut());
        return Ok(request.into_response(refused).map_into_right_body());
    }
    let mut response = next.call(request).await?.map_into_left_body();
    if lane == Lane::Api {
        say(allowance, response.headers_mut());
    }
    Ok(response)
}

/// The fields of the IETF draft "RateLimit header fields for HTTP", version 10: the policy, and what is left of it.
fn say(allowance: Option<Allowance>, headers: &mut HeaderMap) {
    let Some(Allowance { per_second, left, .. }) = allowance else { return };
    let fields = [
        (RATE_LIMIT_POLICY, format!("\"address\";q={per_second};w=1")),
        (RATE_LIMIT, format!("\"address\";r={left};t=1")),
    ];
    for (name, text) in fields {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}
