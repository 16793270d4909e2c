//! The paths of the pages. They are for people, so the OpenAPI document does not have them.

use actix_web::Resource;
use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::web::{ServiceConfig, post, resource};

use super::{assets, audit, call, callers, calls, lines, live, sign_in, system, webhooks};
use crate::http::routes::readable;
use crate::http::{audit_trail, shed, unsupported};

/// Declares every page.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(readable("/assets/{hash}/{file:.+}", assets::file))
        .service(dressed(readable("/", live::page)))
        .service(dressed(readable("/calls/{id}", call::page)))
        .service(dressed(readable("/search", call::search::search)))
        .service(dressed(readable("/calls", calls::page)))
        .service(dressed(readable("/calls.csv", calls::export)))
        .service(dressed(readable("/callers", callers::page)))
        .service(dressed(readable("/lines", lines::list)))
        .service(dressed(readable("/lines/{number}", lines::one)))
        .service(dressed(readable("/webhooks", webhooks::page)))
        .service(dressed(readable("/audit", audit::page)))
        .service(dressed(readable("/system", system::page)))
        .service(dressed(readable("/system/figures", system::fragment)))
        .service(dressed(readable("/sign-in", sign_in::page).route(post().to(sign_in::sign_in))))
        .service(dressed(resource("/sign-out").route(post().to(sign_in::sign_out))))
        .service(dressed(resource("/session/personal").route(post().to(sign_in::show_personal))));
}

/// A page within the limits of the API, and with its audit rows.
fn dressed(page: Resource) -> impl HttpServiceFactory + 'static {
    page.wrap(from_fn(audit_trail::audited))
        .wrap(from_fn(unsupported::content_coding))
        .wrap(from_fn(shed::shed))
}
