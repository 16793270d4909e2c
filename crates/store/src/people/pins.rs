//! PINs of callers. Failed tries count over all calls, so that redialling gives no new tries.

use std::time::Duration;

use precall_call::At;
use tokio_postgres::GenericClient;

use crate::error::StoreError;
use crate::events::event_log::timestamp;

/// This many wrong tries in a row lock a caller's PIN.
const WRONG_MAX: i32 = 10;
/// The PIN stays locked for this long after the last try.
const LOCKED_FOR: Duration = Duration::from_secs(3_600);

// Every try counts as wrong until it proves right, so that simultaneous calls share one count. A try while the PIN is
// locked does not count, and does not prolong the lock.
const TRY: &str = "
    update caller_voice_mapping
    set pin_failures = case when pin_failures >= $4 then 1 else pin_failures + 1 end, pin_failed_at = $3
    where account_id = $1 and caller_id = $2 and deleted_at is null and pin_hash is not null
        and (pin_failures < $4 or pin_failed_at is null or pin_failed_at <= $5)
    returning pin_hash";

const RIGHT: &str = "
    update caller_voice_mapping set pin_failures = 0, pin_failed_at = null
    where account_id = $1 and caller_id = $2 and deleted_at is null and pin_hash = $3";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[TRY, RIGHT];

/// Takes one try for a caller's PIN. Returns the hash to compare with; `None` if there is no PIN or it is locked.
///
/// # Errors
/// When the query fails.
pub async fn take_try(
    client: &impl GenericClient,
    account: &str,
    caller: &str,
    now: At,
) -> Result<Option<String>, StoreError> {
    let locked_us = i64::try_from(LOCKED_FOR.as_micros()).unwrap_or(i64::MAX);
    let locked_after = timestamp(At(now.0.saturating_sub(locked_us)));
    let row = client.query_opt(TRY, &[&account, &caller, &timestamp(now), &WRONG_MAX, &locked_after]).await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// Records a right try: resets the count of wrong ones, unless the PIN was changed meanwhile.
///
/// # Errors
/// When the query fails.
pub async fn was_right(
    client: &impl GenericClient,
    account: &str,
    caller: &str,
    hash: &str,
) -> Result<(), StoreError> {
    client.execute(RIGHT, &[&account, &caller, &hash]).await?;
    Ok(())
}
