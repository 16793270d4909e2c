//! Statistics over all stored calls and voices.

use deadpool_postgres::Pool;
use jiff::Timestamp;

use crate::StoreError;
use crate::reads::read_only::read;

/// Figures over all calls and voices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// All calls.
    pub total_calls: i64,
    /// Calls with an agent conversation.
    pub completed_calls: i64,
    /// Calls without one.
    pub failed_calls: i64,
    /// Clone jobs that made a voice.
    pub total_clones: i64,
    /// Clone jobs that failed.
    pub failed_clones: i64,
    /// Calls whose voice came from the cache.
    pub cache_hits: i64,
    /// Voices that precall can use now.
    pub cached_voices: i64,
    /// Mean response time of the provider to successful clones, in milliseconds.
    pub avg_creation_time_ms: f64,
}

pub(crate) const CALLS: &str = "select count(*) as total,
        count(*) filter (where status = 'completed') as completed,
        count(*) filter (where status = 'failed') as failed
      from call_log where call_started_at >= coalesce($1::timestamptz, '-infinity') and not canary";

// A hit is a call whose voice came from the cache. Calls that had their voice cloned do not count, even if it came
// late.
pub(crate) const VOICES: &str = "select
        count(*) filter (where status = 'success') as clones,
        count(*) filter (where status = 'failed') as failed,
        coalesce(avg(api_response_time_ms) filter (where status = 'success'), 0)::float8 as mean_ms,
        (select count(*) from clone_ready_events
          where source = 'cache' and ready_at >= coalesce($1::timestamptz, '-infinity')) as hits,
        (select count(*) from voice_clone_cache
          where deleted_at is null and ttl_expires_at > now()) as usable
      from voice_clone_log where clone_created_at >= coalesce($1::timestamptz, '-infinity')";

/// Reads the statistics of what began at `since` or later; of everything without it.
///
/// # Errors
/// When the query fails.
pub async fn statistics(pool: &Pool, since: Option<Timestamp>) -> Result<Statistics, StoreError> {
    let calls = read(pool, CALLS, &[&since]).await?;
    let voices = read(pool, VOICES, &[&since]).await?;
    let (Some(calls), Some(voices)) = (calls.first(), voices.first()) else {
        return Err(StoreError::Refused("the statistics query returned no row".to_owned()));
    };
    Ok(Statistics {
        total_calls: calls.try_get("total")?,
        completed_calls: calls.try_get("completed")?,
        failed_calls: calls.try_get("failed")?,
        total_clones: voices.try_get("clones")?,
        failed_clones: voices.try_get("failed")?,
        cache_hits: voices.try_get("hits")?,
        cached_voices: voices.try_get("usable")?,
        avg_creation_time_ms: voices.try_get("mean_ms")?,
    })
}
