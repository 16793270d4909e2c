//! Every path of the server, in one function.

use actix_cors::Cors;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::{DefaultHeaders, ErrorHandlerResponse, ErrorHandlers, from_fn};
use actix_web::web::{
    PathConfig, QueryConfig, ServiceConfig, delete, get, head, post, put, resource, route, scope,
};
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder};

use super::error::{Code, MEDIA_TYPE, Problem};
use super::settings::Settings;
use crate::config::CorsOrigins;
use crate::http::api::{
    audit, bypass, callers, calls, canary, config as config_api, drain, events, idempotency, keys, lines,
    listen, live, live_stream, operate, query_check, sample_playback, samples, speakers, statistics,
    supervision, voices, webhooks, wire,
};
use crate::http::ops::{api_page, health, metrics_page};
use crate::http::webhooks::{initiation, postcall, threecx, threecx_crm};
use crate::http::{audit_trail, openapi, outcome_metrics, pages, request_id, shed, unsupported};

/// Declares every path.
pub(crate) fn routes(config: &mut ServiceConfig, settings: &Settings) {
    config
        .app_data(
            QueryConfig::default()
                .error_handler(|_, _| Problem::new(Code::BadQuery, "the query cannot be read").into()),
        )
        .app_data(PathConfig::default().error_handler(|_, _| Problem::of(Code::NotFound).into()))
        .configure(pages::routes::routes)
        .service(readable("/api/docs", api_page::page))
        .service(readable("/api/docs/page.js", api_page::script))
        .service(readable("/api/docs/page.css", api_page::style))
        .service(readable("/api/docs/swagger-ui-bundle.js", api_page::bundle).wrap(from_fn(shed::shed)))
        .service(readable("/api/docs/swagger-ui.css", api_page::bundle_style).wrap(from_fn(shed::shed)))
        .service(readable("/health", health::health))
        .service(readable("/health/live", health::live))
        .service(readable("/health/ready", health::ready))
        .service(
            resource("/webhook/3cx")
                .route(post().to(threecx::webhook))
                .wrap(from_fn(unsupported::content_coding))
                .wrap(from_fn(shed::shed))
                .wrap(from_fn(outcome_metrics::threecx)),
        )
        .service(
            resource("/webhook/3cx/{token}")
                .route(post().to(threecx::by_token))
                .wrap(from_fn(unsupported::content_coding))
                .wrap(from_fn(shed::shed))
                .wrap(from_fn(outcome_metrics::threecx)),
        )
        .service(
            resource("/webhook/3cx/crm/lookup")
                .route(get().to(threecx_crm::lookup))
                .wrap(from_fn(unsupported::content_coding))
                .wrap(from_fn(shed::shed))
                .wrap(from_fn(outcome_metrics::threecx)),
        )
        .service(
            resource("/webhook/3cx/crm/report")
                .route(post().to(threecx_crm::report))
                .wrap(from_fn(unsupported::content_coding))
                .wrap(from_fn(shed::shed))
                .wrap(from_fn(outcome_metrics::threecx)),
        )
        .service(
            resource("/webhook/elevenlabs/postcall")
                .route(post().to(postcall::webhook))
                .wrap(from_fn(unsupported::content_coding))
                .wrap(from_fn(shed::shed))
                .wrap(from_fn(outcome_metrics::postcall)),
        )
        .service(
            resource("/webhook/elevenlabs/initiation")
                .route(post().to(initiation::webhook))
                .wrap(from_fn(unsupported::content_coding))
                .wrap(from_fn(shed::shed))
                .wrap(from_fn(outcome_metrics::initiation)),
        )
        .service(
            scope("/api/v1")
                .service(readable("/calls", calls::list))
                .service(readable("/calls/{id}", calls::one))
                .service(readable("/calls/{id}/events", calls::events))
                .service(readable("/calls/{id}/wire", wire::wire))
                .service(resource("/calls/{id}/hangup").route(post().to(operate::hangup)))
                .service(resource("/calls/{id}/handoff").route(post().to(operate::handoff)))
                .service(resource("/calls/{id}/transfer").route(post().to(operate::transfer)))
                .service(resource("/calls/{id}/fallback").route(post().to(operate::fallback)))
                .service(resource("/calls/{id}/retry-clone").route(post().to(operate::retry_clone)))
                .service(resource("/calls/{id}/fallback-voice").route(post().to(operate::fallback_voice)))
                .service(readable("/calls/{id}/supervision", supervision::state))
                .service(resource("/calls/{id}/listen").route(get().to(listen::listen)))
                .service(resource("/calls/{id}/tell").route(post().to(supervision::tell)))
                .service(resource("/calls/{id}/say").route(post().to(supervision::say)))
                .service(readable("/webhooks", webhooks::list))
                .service(resource("/webhooks/{id}/replay").route(post().to(webhooks::replay)))
                .service(readable("/bypass", bypass::list).route(put().to(bypass::switch)))
                .service(readable("/canary", canary::show).route(post().to(canary::run)))
                .service(readable("/lines", lines::list))
                .service(
                    readable("/lines/{number}", lines::one)
                        .route(put().to(lines::put))
                        .route(delete().to(lines::delete)),
                )
                .service(resource("/lines/{number}/publish").route(post().to(lines::publish)))
                .service(resource("/lines/{number}/rollback").route(post().to(lines::roll_back)))
                .service(readable("/keys", keys::list).route(post().to(keys::create)))
                .service(resource("/keys/{id}").route(delete().to(keys::revoke)))
                .service(readable("/config", config_api::show))
                .service(resource("/config/reload").route(post().to(config_api::reload)))
                .service(resource("/drain").route(post().to(drain::drain)))
                .service(readable("/live", live::live))
                .service(resource("/live/stream").route(get().to(live_stream::stream)))
                .service(readable("/statistics", statistics::statistics))
                .service(readable("/callers", callers::list))
                .service(
                    readable("/callers/{caller_id}", callers::one)
                        .route(put().to(callers::put))
                        .route(delete().to(callers::delete)),
                )
                .service(readable("/speakers", speakers::list).route(post().to(speakers::create)))
                .service(readable("/speakers/{id}", speakers::one))
                .service(resource("/speakers/{id}/consents").route(post().to(speakers::agree)))
                .service(resource("/speakers/{id}/withdrawal").route(post().to(speakers::withdraw)))
                .service(readable("/audit", audit::list))
                .service(readable("/voices", voices::list))
                .service(resource("/voices/reconcile").route(post().to(voices::reconcile)))
                .service(resource("/voices/warm").route(post().to(voices::warm)))
                .service(resource("/cache/{caller_id}").route(delete().to(operate::forget_voice)))
                .service(
                    resource("/callers/{caller_id}/sample")
                        .route(get().to(sample_playback::play))
                        .route(put().to(samples::upload)),
                )
                .service(resource("/events").route(get().to(events::events)))
                .service(readable("/openapi.json", openapi::document))
                .default_service(route().to(not_found))
                .wrap(from_fn(query_check::checked))
                .wrap(from_fn(audit_trail::audited))
                .wrap(from_fn(idempotency::once))
                .wrap(from_fn(unsupported::content_coding))
                .wrap(from_fn(shed::shed))
                .wrap(from_fn(outcome_metrics::api))
                .wrap(cors(&settings.cors_origins)),
        );
    config.service(readable("/metrics", metrics_page::page)).default_service(route().to(not_found));
}

/// The paths of the listener for management (`METRICS_ADDR`).
pub(crate) fn management_routes(config: &mut ServiceConfig, _: &Settings) {
    config
        .service(readable("/health", health::health))
        .service(readable("/health/live", health::live))
        .service(readable("/health/ready", health::ready))
        .service(readable("/metrics", metrics_page::page))
        .default_service(route().to(not_found));
}

/// A path with GET and HEAD.
pub(super) fn readable<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args> + Clone,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
    <F::Output as Responder>::Body: MessageBody,
{
    resource(path.to_owned()).route(get().to(handler.clone())).route(head().to(handler))
}

async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::of(Code::NotFound))
}

/// Origins whose pages may use the API from a browser. Their requests carry a key in a header: credentials are not
/// allowed, so that no other page can use the session of a visitor.
fn cors(origins: &CorsOrigins) -> Cors {
    let cors = Cors::default()
        .allowed_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allowed_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::HeaderName::from_static("x-api-key"),
            header::HeaderName::from_static("last-event-id"),
            idempotency::NAME,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            request_id::NAME,
        ])
        .expose_headers([
            header::RETRY_AFTER,
            header::ETAG,
            request_id::NAME,
            shed::RATE_LIMIT,
            shed::RATE_LIMIT_POLICY,
        ])
        .max_age(600);
    match origins {
        CorsOrigins::None => cors,
        CorsOrigins::Any => cors.allow_any_origin().send_wildcard(),
        CorsOrigins::These(list) => list.iter().fold(cors, |cors, origin| cors.allowed_origin(origin)),
    }
}

/// Headers of every response. A header that a handler has set stays.
pub(crate) fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add((header::CACHE_CONTROL, "no-store"))
}

/// Turns the 405 of the server, which has only the `Allow` header, into a problem.
pub(crate) fn method_problems<B: MessageBody + 'static>() -> ErrorHandlers<B> {
    ErrorHandlers::new().handler(StatusCode::METHOD_NOT_ALLOWED, |response: ServiceResponse<B>| {
        let response = response.map_body(|head, _| {
            head.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(MEDIA_TYPE));
            BoxBody::new(Problem::of(Code::MethodNotAllowed).body())
        });
        Ok(ErrorHandlerResponse::Response(response.map_into_right_body()))
    })
}
