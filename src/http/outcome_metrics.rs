//! Middleware: counts and logs the outcome of every webhook.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use precall_actors::observe::metrics::Webhook;
use slog::{info, warn};

use crate::http::app_state::AppState;
use crate::http::error::Outcome;

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
    let outcome =
        response.response().extensions().get::<Outcome>().map_or("method_not_allowed", |found| found.0);
    app.engine.metrics().webhook(webhook, outcome, took);
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if response.status().is_success() {
        info!(app.settings.log, "webhook accepted";
            "webhook" => webhook.name(), "outcome" => outcome, "took_us" => micros);
    } else {
        let client = crate::http::client_address::address(response.request(), &app.settings);
        warn!(app.settings.log, "webhook refused";
            "webhook" => webhook.name(), "outcome" => outcome, "took_us" => micros,
            "client" => client.map(|address| address.to_string()).unwrap_or_default());
    }
    Ok(response)
}
