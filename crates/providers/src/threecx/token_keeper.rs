//! Keeps the one access token fresh. A new one may cut open streams, so it is asked for late, seldom, and by nobody else.

use std::pin::pin;
use std::time::Duration;

use precall_base::backoff::Backoff;

use super::access_token::TokenDesk;
use super::token::{Granted, TokenError};

/// When the keeper does what. The defaults are for a PBX; tests are quicker.
#[derive(Clone, Debug)]
pub struct KeeperPace {
    /// No two requests begin within this.
    pub apart: Duration,
    /// Waits after failures, from the first to the longest.
    pub retry: (Duration, Duration),
    /// The same after the PBX refused the secret: it bars addresses that keep failing.
    pub retry_refused: (Duration, Duration),
    /// How often the streams are looked at once a refresh is due.
    pub look_every: Duration,
}

impl Default for KeeperPace {
    fn default() -> Self {
        Self {
            apart: Duration::from_secs(1),
            retry: (Duration::from_millis(500), Duration::from_secs(30)),
            retry_refused: (Duration::from_secs(1), Duration::from_secs(300)),
            look_every: Duration::from_millis(100),
        }
    }
}

/// What the keeper tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeeperNews {
    /// A new token is in use.
    Fresh {
        /// Which one of this process, from 1.
        generation: u64,
        /// How long it lives.
        life: Duration,
    },
    /// There is no new one; an older one stays in use.
    Failed(TokenError),
}

/// Runs for as long as somebody holds a handle of the desk's token. `ask` has a deadline of its own.
pub async fn keep<A, T>(mut desk: TokenDesk, pace: KeeperPace, mut ask: A, mut tell: T)
where
    A: AsyncFnMut() -> Result<Granted, TokenError>,
    T: FnMut(KeeperNews),
{
    let mut generation = 0_u64;
    let mut apart = Box::pin(tokio::time::sleep(Duration::ZERO));
    loop {
        let mut passing = Backoff::new(pace.retry.0, pace.retry.1);
        let mut refused = Backoff::new(pace.retry_refused.0, pace.retry_refused.1);
        let granted = loop {
            apart.as_mut().await;
            apart = Box::pin(tokio::time::sleep(pace.apart));
            match ask().await {
                Ok(granted) => break granted,
                Err(error) => {
                    let is_refusal = error.is_refusal();
                    tell(KeeperNews::Failed(error));
                    let wait = if is_refusal { refused.wait() } else { passing.wait() };
                    // A 401 of the old token makes a new one urgent, but not a wrong secret right.
                    let patience = if is_refusal { Patience::Firm } else { Patience::UntilRefusal };
                    if wait_for(&mut desk, wait, patience).await == Waited::Alone {
                        return;
                    }
                }
            }
        };
        desk.publish(&granted.bearer);
        generation = generation.saturating_add(1);
        tell(KeeperNews::Fresh { generation, life: granted.life });
        if until_due(&mut desk, granted.life, pace.look_every).await == Waited::Alone {
            return;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    UntilRefusal,
    Firm,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waited {
    ToTheEnd,
    Refused,
    /// Nobody needs a token any more.
    Alone,
}

async fn wait_for(desk: &mut TokenDesk, span: Duration, patience: Patience) -> Waited {
    let mut end = pin!(tokio::time::sleep(span));
    loop {
        tokio::select! {
            () = &mut end => return Waited::ToTheEnd,
            refusal = desk.refusal() => match (refusal, patience) {
                (None, _) => return Waited::Alone,
                (Some(()), Patience::UntilRefusal) => return Waited::Refused,
                (Some(()), Patience::Firm) => {}
            },
        }
    }
}

/// Until four fifths of its life, then for a moment without open streams until nineteen twentieths, or until it is refused.
async fn until_due(desk: &mut TokenDesk, life: Duration, look_every: Duration) -> Waited {
    let waited = wait_for(desk, life / 5 * 4, Patience::UntilRefusal).await;
    if waited != Waited::ToTheEnd {
        return waited;
    }
    let mut latest = pin!(tokio::time::sleep(life / 20 * 3));
    while desk.open_streams() > 0 {
        tokio::select! {
            () = &mut latest => return Waited::ToTheEnd,
            waited = wait_for(desk, look_every, Patience::UntilRefusal) => if waited != Waited::ToTheEnd {
                return waited;
            },
        }
    }
    Waited::ToTheEnd
}

#[cfg(test)]
mod tests;
