//! The OpenAPI document, generated from the handlers.

use actix_web::{HttpResponse, web};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::api::auth::{Allowed, Read};
use super::api::page::NoQuery;
use super::api::{
    audit, bypass, callers, calls, events, keys, lines, live, operate, samples, speakers, statistics, voices,
    webhooks, wire,
};
use super::error::{Code, Problem};
use super::ops::{health, metrics_page};
use super::webhooks::{initiation, postcall, threecx};

/// The OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    info(title = "precall", license(name = "Proprietary"),
        description = "Calls, voices and events of a precall engine. Times are RFC 3339 in UTC, numbers E.164, \
            units are in the names. Errors are `application/problem+json` with a stable `code`."),
    paths(
        calls::list, calls::one, calls::events, wire::wire, operate::hangup, operate::handoff, operate::transfer,
        operate::fallback, operate::retry_clone, live::live,
        keys::list, keys::create, keys::revoke,
        lines::list, lines::one, lines::put, lines::publish, lines::roll_back, lines::delete,
        bypass::list, bypass::switch, statistics::statistics, operate::forget_voice, events::events, document,
        health::health, health::live, health::ready, metrics_page::page,
        callers::list, callers::one, callers::put, callers::delete,
        speakers::list, speakers::create, speakers::one, speakers::agree, speakers::withdraw, audit::list,
        threecx::webhook, threecx::by_token,
        postcall::webhook, initiation::webhook, voices::list, voices::reconcile, voices::warm,
        webhooks::list, webhooks::replay,
        samples::upload,
    ),
    modifiers(&Keys, &OperationIds),
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

/// Gives every operation an id of its own: method and path, as `get_calls_id_events`. Generators of clients name their
/// functions after it.
struct OperationIds;

impl Modify for OperationIds {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let below = path.strip_prefix("/api/v1").unwrap_or(path);
            let words: Vec<&str> =
                below.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
            let words = words.join("_");
            for (method, operation) in [
                ("get", &mut item.get),
                ("put", &mut item.put),
                ("post", &mut item.post),
                ("delete", &mut item.delete),
            ] {
                if let Some(operation) = operation {
                    operation.operation_id = Some(format!("{method}_{words}"));
                }
            }
        }
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
