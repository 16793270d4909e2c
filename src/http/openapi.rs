//! The OpenAPI document, generated from the handlers.

mod modifiers;
pub(crate) mod names;
pub(crate) mod problems;

use std::sync::LazyLock;

use actix_web::{HttpResponse, web};
use utoipa::OpenApi;

use modifiers::{IdempotencyKeys, Keys, NoNullParameters, OperationIds};
use names::IfNoneMatch;
use problems::{API, problems};

use super::api::auth::{Allowed, Read};
use super::api::live_stream::messages::{LiveChange, LiveSnapshot};
use super::api::page::NoQuery;
use super::api::{
    audit, bypass, callers, calls, canary, config, drain, events, keys, lines, listen, live, live_stream,
    operate, sample_playback, samples, speakers, statistics, supervision, voices, webhooks, wire,
};
use super::error::{Code, Problem, ProblemBody};
use super::ops::{health, metrics_page};
use super::webhooks::{initiation, postcall, threecx, threecx_crm};

/// The OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    info(title = "precall", license(name = "Proprietary"),
        description = "Calls, voices and events of a precall engine. Times are RFC 3339 in UTC, numbers E.164, \
            units are in the names. Errors are `application/problem+json` with a stable `code`."),
    paths(
        calls::list, calls::one, calls::events, wire::wire, operate::hangup, operate::handoff, operate::transfer,
        operate::fallback, operate::fallback_voice, operate::retry_clone, live::live, live_stream::stream,
        supervision::state, listen::listen, supervision::tell, supervision::say,
        config::show, config::reload, drain::drain,
        keys::list, keys::create, keys::revoke,
        lines::list, lines::one, lines::put, lines::publish, lines::roll_back, lines::delete,
        bypass::list, bypass::switch, canary::show, canary::run,
        statistics::statistics, operate::forget_voice, events::events, document,
        health::health, health::live, health::ready, metrics_page::page,
        callers::list, callers::one, callers::put, callers::delete,
        speakers::list, speakers::create, speakers::one, speakers::agree, speakers::withdraw, audit::list,
        threecx::webhook, threecx::by_token, threecx_crm::lookup, threecx_crm::report,
        postcall::webhook, initiation::webhook, voices::list, voices::reconcile, voices::warm,
        webhooks::list, webhooks::replay,
        samples::upload, sample_playback::play,
    ),
    components(schemas(ProblemBody, IfNoneMatch, LiveSnapshot, LiveChange)),
    modifiers(&Keys, &OperationIds, &IdempotencyKeys, &NoNullParameters),
)]
pub(crate) struct Document;

/// The document as it is sent.
pub(super) fn json() -> Option<&'static str> {
    static JSON: LazyLock<Option<String>> = LazyLock::new(|| Document::openapi().to_json().ok());
    JSON.as_deref()
}

problems!(DocumentProblems: API);

/// The OpenAPI document.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "document",
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Object, content_type = "application/json"),
        DocumentProblems,
    ),
)]
pub(crate) async fn document(_: Allowed<Read>, _: web::Query<NoQuery>) -> Result<HttpResponse, Problem> {
    let json = json().ok_or_else(|| Problem::of(Code::Internal))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(json))
}
