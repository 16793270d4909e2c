//! Keeps the one access token fresh. A new one may cut open streams, so it is asked for late, seldom, and by nobody else.

use std::pin::pin;
use std::time::Duration;

use precall_base::backoff::Backoff;

use super::access_token::TokenPublisher;
use super::token::{GrantedToken, TokenError};

/// When the keeper does what. The defaults are for a PBX; tests are quicker.
#[derive(Clone, Debug)]
pub struct KeeperTiming {
    /// No two requests begin within this.
    pub apart: Duration,
    /// Waits after failures, from the first to the longest.
    pub retry: (Duration, Duration),
    /// The same after the PBX refused the secret: it bars addresses that keep failing.
    pub retry_refused: (Duration, Duration),
    /// How often the streams are looked at once a refresh is due.
    pub look_every: Duration,
}

impl Default for KeeperTiming {
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
pub enum TokenEvent {
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

/// Runs for as long as somebody holds a handle of the publisher's token. `ask` has a deadline of its own.
pub async fn keep<A, T>(mut publisher: TokenPublisher, timing: KeeperTiming, mut ask: A, mut tell: T)
where
    A: AsyncFnMut() -> Result<GrantedToken, TokenError>,
    T: FnMut(TokenEvent),
{
    let mut generation = 0_u64;
    let mut apart = Box::pin(tokio::time::sleep(Duration::ZERO));
    loop {
        let mut failed = Backoff::new(timing.retry.0, timing.retry.1);
        let mut refused = Backoff::new(timing.retry_refused.0, timing.retry_refused.1);
        let granted = loop {
            apart.as_mut().await;
            apart = Box::pin(tokio::time::sleep(timing.apart));
            match ask().await {
                Ok(granted) => break granted,
                Err(error) => {
                    let is_refusal = error.is_refusal();
                    tell(TokenEvent::Failed(error));
                    let wait = if is_refusal { refused.wait() } else { failed.wait() };
                    // A 401 of the old token makes a new one urgent, but not a wrong secret right.
                    let on_refusal = if is_refusal { OnRefusal::Ignore } else { OnRefusal::Stop };
                    if wait_for(&mut publisher, wait, on_refusal).await == WaitEnd::NoHandles {
                        return;
                    }
                }
            }
        };
        publisher.publish(&granted.bearer);
        generation = generation.saturating_add(1);
        tell(TokenEvent::Fresh { generation, life: granted.life });
        if wait_until_due(&mut publisher, granted.life, timing.look_every).await == WaitEnd::NoHandles {
            return;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum OnRefusal {
    Stop,
    Ignore,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WaitEnd {
    Elapsed,
    TokenRefused,
    /// Nobody needs a token any more.
    NoHandles,
}

async fn wait_for(publisher: &mut TokenPublisher, span: Duration, on_refusal: OnRefusal) -> WaitEnd {
    let mut end = pin!(tokio::time::sleep(span));
    loop {
        tokio::select! {
            () = &mut end => return WaitEnd::Elapsed,
            refusal = publisher.refusal() => match (refusal, on_refusal) {
                (None, _) => return WaitEnd::NoHandles,
                (Some(()), OnRefusal::Stop) => return WaitEnd::TokenRefused,
                (Some(()), OnRefusal::Ignore) => {}
            },
        }
    }
}

/// Until four fifths of its life, then for a moment without open streams until nineteen twentieths, or until it is refused.
async fn wait_until_due(publisher: &mut TokenPublisher, life: Duration, look_every: Duration) -> WaitEnd {
    let waited = wait_for(publisher, life / 5 * 4, OnRefusal::Stop).await;
    if waited != WaitEnd::Elapsed {
        return waited;
    }
    let mut latest = pin!(tokio::time::sleep(life / 20 * 3));
    while publisher.open_streams() > 0 {
        tokio::select! {
            () = &mut latest => return WaitEnd::Elapsed,
            waited = wait_for(publisher, look_every, OnRefusal::Stop) => if waited != WaitEnd::Elapsed {
                return waited;
            },
        }
    }
    WaitEnd::Elapsed
}

#[cfg(test)]
mod tests;
