//! `GET /api/v1/statistics`: figures over everything.

use actix_web::{HttpResponse, web};
use precall_store::reads::statistics;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{Allowed, Read};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::error::Problem;
use crate::http::response;

/// Figures over all calls and voices.
#[derive(Serialize, ToSchema)]
pub struct StatisticsAnswer {
    /// Clone jobs that gave a voice.
    total_clones: i64,
    /// Clone jobs that gave none.
    failed_clones: i64,
    /// Calls that were given a voice which was there already.
    cache_hits: i64,
    /// Clone jobs: calls whose voice was not there.
    cache_misses: i64,
    /// Hits of hits and misses, from 0 to 1.
    hit_rate: f64,
    /// Mean time of the provider's answer to a clone that succeeded.
    avg_creation_time_ms: f64,
    /// Voices that can be used now.
    cached_voices: i64,
    /// Calls ever.
    total_calls: i64,
    /// Of which an agent conversation took place.
    completed_calls: i64,
    /// Of which none did.
    failed_calls: i64,
    /// That go on now.
    live_calls: usize,
}

/// The figures of now.
#[utoipa::path(get, path = "/api/v1/statistics", tag = "statistics", security(("bearer" = []), ("api_key" = [])), responses(
    (status = 200, body = StatisticsAnswer),
    (status = 401, body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
))]
pub(crate) async fn statistics(app: web::Data<AppState>, _: Allowed<Read>) -> Result<HttpResponse, Problem> {
    let figures = read(&app, statistics::statistics(&app.pool)).await?;
    let misses = figures.total_clones.saturating_add(figures.failed_clones);
    response::json(&StatisticsAnswer {
        total_clones: figures.total_clones,
        failed_clones: figures.failed_clones,
        cache_hits: figures.cache_hits,
        cache_misses: misses,
        hit_rate: rate(figures.cache_hits, misses),
        avg_creation_time_ms: figures.avg_creation_time_ms,
        cached_voices: figures.cached_voices,
        total_calls: figures.total_calls,
        completed_calls: figures.completed_calls,
        failed_calls: figures.failed_calls,
        live_calls: app.engine.health().live_calls,
    })
}

#[allow(clippy::cast_precision_loss, reason = "a rate of counts beyond 2^53 needs no last digit")]
fn rate(hits: i64, misses: i64) -> f64 {
    let all = hits.saturating_add(misses);
    if all <= 0 { 0.0 } else { hits as f64 / all as f64 }
}

#[cfg(test)]
mod tests;
