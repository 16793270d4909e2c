//! `GET /api/v1/statistics`: totals over all calls and voices.

use actix_web::{HttpResponse, web};
use precall_store::reads::statistics;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{Allowed, Read};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::error::Problem;
use crate::http::response;

/// Totals over all calls and voices.
#[derive(Serialize, ToSchema)]
pub(crate) struct StatisticsAnswer {
    /// Clone jobs that succeeded.
    total_clones: i64,
    /// Clone jobs that failed.
    failed_clones: i64,
    /// Calls that used a cached voice.
    cache_hits: i64,
    /// Clone jobs, that is calls without a cached voice.
    cache_misses: i64,
    /// Hits divided by hits and misses, 0 to 1.
    hit_rate: f64,
    /// Mean response time of ElevenLabs for successful clones, in milliseconds.
    avg_creation_time_ms: f64,
    /// Cached voices that can be used.
    cached_voices: i64,
    /// All calls.
    total_calls: i64,
    /// Calls with an agent conversation.
    completed_calls: i64,
    /// Ended calls without one.
    failed_calls: i64,
    /// Live calls.
    live_calls: usize,
}

/// Current totals.
#[utoipa::path(
    get, path = "/api/v1/statistics", tag = "statistics",
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = StatisticsAnswer),
        (status = 401, body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
    ),
)]
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

#[allow(clippy::cast_precision_loss, reason = "counts above 2^53 need no exact rate")]
fn rate(hits: i64, misses: i64) -> f64 {
    let all = hits.saturating_add(misses);
    if all <= 0 { 0.0 } else { hits as f64 / all as f64 }
}

#[cfg(test)]
mod tests;
