//! Mapping a caller to an uploaded sample.

use std::time::Duration;

use deadpool_postgres::Pool;

use crate::error::StoreError;
use crate::reads::read_only::read;

/// precall gives the write up after this time: the server may be dead.
const DEADLINE: Duration = Duration::from_secs(6);

const MAPPED: &str = "
    select 1 from caller_voice_mapping where account_id = $1 and caller_id = $2 and deleted_at is null";

/// Uploads are checked before they are stored, so the sample counts as usable.
///
/// Returns the old reference, so that the caller can delete an upload that no mapping names any more. It locks the row
/// first, so that of two simultaneous uploads each sees the other.
const REPLACE: &str = "
    with old as (
        select id, voice_sample_url from caller_voice_mapping
            where account_id = $1 and caller_id = $2 and deleted_at is null for update)
    update caller_voice_mapping m set voice_sample_url = $3, updated_at = now(),
        sample_checked_url = $3, sample_checked_at = now(), sample_problem = null
        from old where m.id = old.id returning old.voice_sample_url";

const REFERRED: &str = "
    select 1 from caller_voice_mapping where voice_sample_url = $1 and deleted_at is null limit 1";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[MAPPED, REPLACE, REFERRED];

/// Whether the caller has a mapping that is not deleted.
///
/// # Errors
/// When the query fails.
pub async fn is_mapped(pool: &Pool, account: &str, caller: &str) -> Result<bool, StoreError> {
    Ok(!read(pool, MAPPED, &[&account, &caller]).await?.is_empty())
}

/// Maps the caller to another sample. Returns the reference of the old sample; `None` if there is no such caller.
///
/// # Errors
/// When the query fails; [`StoreError::TooSlow`] when the change may be done all the same.
pub async fn replace(
    pool: &Pool,
    account: &str,
    caller: &str,
    reference: &str,
) -> Result<Option<String>, StoreError> {
    let exchange = async {
        let client = pool.get().await?;
        let prepared = client.prepare_cached(REPLACE).await?;
        let row = client.query_opt(&prepared, &[&account, &caller, &reference]).await?;
        row.map(|row| row.try_get(0)).transpose().map_err(StoreError::from)
    };
    tokio::time::timeout(DEADLINE, exchange).await.unwrap_or(Err(StoreError::TooSlow))
}

/// Whether any caller of any account is mapped to this sample.
///
/// # Errors
/// When the query fails.
pub async fn is_referred_to(pool: &Pool, reference: &str) -> Result<bool, StoreError> {
    Ok(!read(pool, REFERRED, &[&reference]).await?.is_empty())
}
