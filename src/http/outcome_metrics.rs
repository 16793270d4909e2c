//! Middleware: counts and logs the outcome of every webhook, and the refused requests of the API.

use std::net::IpAddr;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use precall_actors::observe::metrics::Webhook;
use slog::info;

use crate::http::app_state::AppState;
use crate::http::client_address::address;
use crate::http::error::{ClockOff, Code, Outcome};
use crate::http::refusals::Refused;
use crate::http::status::webhook_outcomes;

/// Outcome of a response that no handler made.
const UNNAMED: &str = "method_not_allowed";

/// For `/webhook/3cx`.
pub(crate) async fn threecx<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    counted(Webhook::ThreeCx, request, next).await
}

/// For `/webhook/elevenlabs/postcall`.
pub(crate) async fn postcall<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    counted(Webhook::PostCall, request, next).await
}

/// For `/webhook/elevenlabs/initiation`.
pub(crate) async fn initiation<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    counted(Webhook::Initiation, request, next).await
}

async fn counted<B: MessageBody + 'static>(
    webhook: Webhook,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let begun = Instant::now();
    let app = request.app_data::<web::Data<AppState>>().cloned();
    let response = next.call(request).await?;
    let Some(app) = app else { return Ok(response) };
    let took = begun.elapsed();
    let outcome = outcome_of(&response);
    app.engine.metrics().webhook(webhook, outcome, took);
    let clock = response.response().extensions().get::<ClockOff>().map(|off| off.0.clone());
    webhook_outcomes::note(&app.engine.outcomes(), webhook, response.status(), outcome, clock.as_deref());
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if response.status().is_success() {
        info!(app.log, "webhook accepted";
            "webhook" => webhook.name(), "outcome" => outcome, "took_us" => micros);
    } else {
        let client = address(response.request(), &app.settings());
        app.refusals.count(Refused::Webhook(webhook.name()), outcome, client, clock);
    }
    Ok(response)
}

/// For `/api/v1`. Counts each refused request. Logs the ones that an attack consists of: wrong keys, keys without the
/// scope, and floods.
pub(crate) async fn api<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let app = request.app_data::<web::Data<AppState>>().cloned();
    let response = next.call(request).await?;
    let (Some(app), true) = (app, response.status().is_client_error() || response.status().is_server_error())
    else {
        return Ok(response);
    };
    refused(&app, outcome_of(&response), address(response.request(), &app.settings()));
    Ok(response)
}

/// Counts a refused request, and logs the outcomes that an attack consists of.
pub(crate) fn refused(app: &AppState, outcome: &'static str, client: Option<IpAddr>) {
    app.engine.metrics().api_refused(outcome);
    let suspicious = [
        Code::Unauthenticated,
        Code::TooManyWrongKeys,
        Code::AddressNotTrusted,
        Code::Forbidden,
        Code::TooManyFromSource,
    ];
    if suspicious.iter().any(|code| code.name() == outcome) {
        app.refusals.count(Refused::Api, outcome, client, None);
    }
}

fn outcome_of<B>(response: &ServiceResponse<B>) -> &'static str {
    response.response().extensions().get::<Outcome>().map_or(UNNAMED, |found| found.0)
}
