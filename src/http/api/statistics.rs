//! `GET /api/v1/statistics`: totals over all calls and voices, or over the last hours.

use crate::http::clock;
use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use precall_call::At;
use precall_store::reads::statistics;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::{Allowed, Read};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};
use crate::http::openapi::problems::{API, DATABASE, problems};
use crate::http::response;

/// Longest window: ten years.
const HOURS_MAX: u32 = 87_600;

/// Query of the totals.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatisticsQuery {
    /// Count what began in the last hours, 1 to 87600. Everything when missing.
    #[param(minimum = 1, maximum = 87_600)]
    hours: Option<u32>,
}

impl StatisticsQuery {
    fn since(&self, now: At) -> Result<Option<At>, Problem> {
        let Some(hours) = self.hours else { return Ok(None) };
        if !(1..=HOURS_MAX).contains(&hours) {
            return Err(Problem::new(Code::BadQuery, format!("hours must be from 1 to {HOURS_MAX}")));
        }
        Ok(Some(At(now.0.saturating_sub(i64::from(hours).saturating_mul(3_600_000_000)))))
    }
}

/// Totals over all calls and voices, or over the last hours.
#[derive(Serialize, ToSchema)]
pub(crate) struct StatisticsAnswer {
    /// Start of the window; null for everything. Cached voices and live calls are of now.
    since: Option<Timestamp>,
    /// Clone jobs that succeeded.
    #[schema(minimum = 0)]
    total_clones: i64,
    /// Clone jobs that failed.
    #[schema(minimum = 0)]
    failed_clones: i64,
    /// Calls that used a cached voice.
    #[schema(minimum = 0)]
    cache_hits: i64,
    /// Clone jobs, that is calls without a cached voice.
    #[schema(minimum = 0)]
    cache_misses: i64,
    /// Hits divided by hits and misses, 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    hit_rate: f64,
    /// Mean response time of ElevenLabs for successful clones, in milliseconds.
    #[schema(minimum = 0)]
    avg_creation_time_ms: f64,
    /// Cached voices that can be used.
    #[schema(minimum = 0)]
    cached_voices: i64,
    /// All calls.
    #[schema(minimum = 0)]
    total_calls: i64,
    /// Calls with an agent conversation.
    #[schema(minimum = 0)]
    completed_calls: i64,
    /// Ended calls without one.
    #[schema(minimum = 0)]
    failed_calls: i64,
    /// Live calls.
    live_calls: usize,
}

problems!(StatisticsProblems: API, DATABASE);

/// Totals of everything, or of the last hours.
#[utoipa::path(
    get, path = "/api/v1/statistics", tag = "statistics",
    params(StatisticsQuery),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = StatisticsAnswer),
        StatisticsProblems,
    ),
)]
pub(crate) async fn statistics(
    app: web::Data<AppState>,
    _: Allowed<Read>,
    query: web::Query<StatisticsQuery>,
) -> Result<HttpResponse, Problem> {
    let since = query.since(clock::now())?.and_then(clock::timestamp);
    let figures =
        read(&app, app.pools.history(async |pool| statistics::statistics(pool, since).await)).await?;
    let misses = figures.total_clones.saturating_add(figures.failed_clones);
    response::json(&StatisticsAnswer {
        since,
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
