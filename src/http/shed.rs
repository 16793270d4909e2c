//! Middleware: refuses requests of a client that asks for more than its share.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError as _, web};

use super::app_state::AppState;
use super::client_address;
use super::error::{Code, Problem};
use super::fair_share::{Connection, Lane, source_of};

/// Refuses a request above the limits of its source, before its body is read.
pub(crate) async fn shed<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(app) = request.app_data::<web::Data<AppState>>().cloned() else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let has_too_many_connections =
        request.request().conn_data::<Connection>().is_some_and(|connection| connection.is_one_too_many);
    let source = client_address::address(request.request(), &app.settings).map(source_of);
    let admitted = source.is_none_or(|source| app.rates.admits(Lane::of(request.path()), source));
    if has_too_many_connections || !admitted {
        let refused = Problem::of(Code::TooManyFromSource).error_response();
        return Ok(request.into_response(refused).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}
