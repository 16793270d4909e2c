//! Figures over everything that was ever written down.

use deadpool_postgres::Pool;

use crate::StoreError;
use crate::reads::read_only::read;

/// Figures over all calls and voices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Calls ever.
    pub total_calls: i64,
    /// Of which an agent conversation took place.
    pub completed_calls: i64,
    /// Of which none did.
    pub failed_calls: i64,
    /// Clone jobs that gave a voice.
    pub total_clones: i64,
    /// Clone jobs that gave none.
    pub failed_clones: i64,
    /// Calls that were given a voice which was there already.
    pub cache_hits: i64,
    /// Voices that can be used now.
    pub cached_voices: i64,
    /// Mean time of the provider's answer to a clone that succeeded, in milliseconds.
    pub avg_creation_time_ms: f64,
}

pub(super) const CALLS: &str = "select count(*) as total,
        count(*) filter (where status = 'completed') as completed,
        count(*) filter (where status = 'failed') as failed
      from call_log";

// A hit is a call that was served from the cache; the voice may have come too late for the call that had it cloned.
pub(super) const VOICES: &str = "select
        (select count(*) from voice_clone_log where status = 'success') as clones,
        (select count(*) from voice_clone_log where status = 'failed') as failed,
        (select coalesce(avg(api_response_time_ms), 0)::float8
           from voice_clone_log where status = 'success') as mean_ms,
        (select count(*) from clone_ready_events where source = 'cache') as hits,
        (select count(*) from voice_clone_cache
          where deleted_at is null and ttl_expires_at > now()) as usable";

/// The figures of now.
///
/// # Errors
/// What the database made of it.
pub async fn statistics(pool: &Pool) -> Result<Statistics, StoreError> {
    let calls = read(pool, CALLS, &[]).await?;
    let voices = read(pool, VOICES, &[]).await?;
    let (Some(calls), Some(voices)) = (calls.first(), voices.first()) else {
        return Err(StoreError::Refused("an aggregate without a row".to_owned()));
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
