//! Whether a typed PIN is its caller's. Each check takes 20 MB for a while and a thread that may block, so few run at once.

use std::sync::Arc;
use std::time::Duration;

use precall_call::At;
use precall_store::StoreError;
use precall_store::people::pins;
use slog::warn;
use tokio::sync::Semaphore;

use crate::call::pin::{Pin, is_pin_of};
use crate::call::services::CallServices;
use crate::caller_key::CallerKey;

/// Checks at once, in the whole engine; others wait for their turn.
const AT_ONCE: usize = 2;
/// One check with its wait; beyond it, the PIN counts as wrong for this call. Each takes some 20 ms, so two at once are more a second
/// than anybody wants but who guesses.
const WITHIN: Duration = Duration::from_secs(5);

/// What became of a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the caller's.
    Right,
    /// It is not, or nobody can say: locked, no answer in time, no database. Whoever typed it cannot tell one from the other.
    Refused,
}

/// The turns of all calls' checks.
#[derive(Clone, Debug)]
pub struct PinChecks(Arc<Semaphore>);

impl Default for PinChecks {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// Compares a PIN with the one of that caller.
pub async fn check(services: &CallServices, key: &CallerKey, pin: Pin, now: At) -> Verdict {
    match tokio::time::timeout(WITHIN, compared(services, key, pin, now)).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(error)) => {
            warn!(services.log, "a PIN could not be checked"; "error" => %error);
            Verdict::Refused
        }
        Err(_) => {
            warn!(services.log, "a PIN could not be checked in time");
            Verdict::Refused
        }
    }
}

async fn compared(
    services: &CallServices,
    key: &CallerKey,
    pin: Pin,
    now: At,
) -> Result<Verdict, StoreError> {
    let Ok(turn) = Arc::clone(&services.pin_checks.0).acquire_owned().await else {
        return Ok(Verdict::Refused);
    };
    let client = services.pool.get().await?;
    let Some(hash) = pins::take_try(&**client, &key.account, &key.caller, now).await? else {
        return Ok(Verdict::Refused);
    };
    drop(client);
    let (compared, of) = (hash.clone(), pin);
    // The turn ends with the work, also where nobody waits for it any more.
    let is_right = tokio::task::spawn_blocking(move || {
        let is_right = is_pin_of(&of, &compared);
        drop(turn);
        is_right
    });
    if !is_right.await.unwrap_or(false) {
        return Ok(Verdict::Refused);
    }
    let client = services.pool.get().await?;
    pins::was_right(&**client, &key.account, &key.caller, &hash).await?;
    Ok(Verdict::Right)
}
