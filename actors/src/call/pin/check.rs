//! Compares an entered PIN with the caller's. Each check takes about 20 MB and blocks a thread, so few run at once.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use precall_call::At;
use precall_store::StoreError;
use precall_store::people::pins;
use slog::{Logger, warn};
use tokio::sync::Semaphore;

use crate::call::pin::{Pin, is_pin_of};
use crate::caller_key::CallerKey;

/// Checks that run at once in the whole engine; others wait.
const CHECKS_MAX: usize = 2;
/// Timeout of one check, including its wait. After it the PIN counts as wrong for this call. A check takes some 20 ms,
/// so two at once are enough for all callers.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinResult {
    /// It is the caller's PIN.
    Right,
    /// It is wrong, or it could not be checked: locked, timeout, no database. The caller cannot tell which.
    Refused,
}

/// Queue of PIN checks: at most two run at once.
#[derive(Clone, Debug)]
pub struct PinChecks {
    pool: Pool,
    running: Arc<Semaphore>,
    log: Logger,
}

impl PinChecks {
    /// A queue that reads PINs through `pool`.
    #[must_use]
    pub fn new(pool: Pool, log: Logger) -> Self {
        Self { pool, running: Arc::new(Semaphore::new(CHECKS_MAX)), log }
    }

    /// Compares a PIN with the caller's.
    pub async fn check(&self, key: &CallerKey, pin: Pin, now: At) -> PinResult {
        match tokio::time::timeout(CHECK_TIMEOUT, self.compare(key, pin, now)).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => {
                warn!(self.log, "could not check a PIN"; "error" => %error);
                PinResult::Refused
            }
            Err(_) => {
                warn!(self.log, "could not check a PIN in time");
                PinResult::Refused
            }
        }
    }

    async fn compare(&self, key: &CallerKey, pin: Pin, now: At) -> Result<PinResult, StoreError> {
        let Ok(permit) = Arc::clone(&self.running).acquire_owned().await else {
            return Ok(PinResult::Refused);
        };
        let client = self.pool.get().await?;
        let Some(hash) = pins::take_try(&**client, &key.account, &key.caller, now).await? else {
            return Ok(PinResult::Refused);
        };
        drop(client);
        let expected = hash.clone();
        // The permit is held until the work ends, even if the call has stopped waiting.
        let is_right = tokio::task::spawn_blocking(move || {
            let is_right = is_pin_of(&pin, &expected);
            drop(permit);
            is_right
        });
        if !is_right.await.unwrap_or(false) {
            return Ok(PinResult::Refused);
        }
        let client = self.pool.get().await?;
        pins::was_right(&**client, &key.account, &key.caller, &hash).await?;
        Ok(PinResult::Right)
    }
}
