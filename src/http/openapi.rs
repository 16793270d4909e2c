//! The OpenAPI document, generated from the handlers.

use actix_web::{HttpResponse, web};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::api::auth::{Allowed, Read};
use super::api::page::NoQuery;
use super::api::{
    audit, bypass, callers, calls, events, live, operate, samples, speakers, statistics, voices, webhooks,
};
use super::error::{Code, Problem};
use super::ops::{health, metrics_page};
use super::webhooks::{postcall, threecx};

/// The OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    info(title = "precall", license(name = "Proprietary"),
        description = "Calls, voices and events of a precall engine. Times are RFC 3339 in UTC, numbers E.164, \
            units are in the names. Errors are `application/problem+json` with a stable `code`."),
    paths(
        calls::list, calls::one, calls::events, operate::hangup, operate::handoff, operate::transfer,
        operate::fallback, operate::retry_clone, live::live,
        bypass::list, bypass::switch, statistics::statistics, operate::forget_voice, events::events, document,
        health::health, health::live, health::ready, metrics_page::page,
        callers::list, callers::one, callers::put, callers::delete,
        speakers::list, speakers::create, speakers::one, speakers::agree, speakers::withdraw, audit::list,
        threecx::webhook, postcall::webhook, voices::list, voices::reconcile, voices::warm,
        webhooks::list, webhooks::replay,
        samples::upload,
    ),
    modifiers(&Keys),
)]
pub(crate) struct Document;

/// The two ways to present a key.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let header = ApiKey::Header(ApiKeyValue::new("X-API-Key"));
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(header));
    }
}

/// The OpenAPI document.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "document",
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Object, content_type = "application/json"),
        (status = 401, body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn document(_: Allowed<Read>, _: web::Query<NoQuery>) -> Result<HttpResponse, Problem> {
    let json = Document::openapi().to_json().map_err(|_| Problem::of(Code::Internal))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(json))
}
