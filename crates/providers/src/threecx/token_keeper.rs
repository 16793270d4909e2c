//! Keeps the access token valid. A new token may cut open audio streams, so the keeper renews it late and seldom.

use std::pin::pin;
use std::time::Duration;

use precall_base::backoff::Backoff;
use tokio::time::Instant;

use super::access_token::TokenPublisher;
use super::rivalry::Rivalry;
use super::token::{GrantedToken, TokenError};

/// Timing of the keeper. The defaults are for a real PBX; tests use shorter times.
#[derive(Clone, Debug)]
pub struct KeeperTiming {
    /// Shortest time between the start of two requests.
    pub apart: Duration,
    /// How long the answer to each request in a row is awaited; the last value counts for all further requests. A
    /// request that went into a dead connection is sent again soon, and a slow PBX is heard in the end.
    pub answer: [Duration; 5],
    /// First and longest wait after a failure. Short for as long as it takes: without a token no caller is greeted.
    pub retry: (Duration, Duration),
    /// First and longest wait after the PBX refused the secret: it blocks addresses that keep failing.
    pub retry_refused: (Duration, Duration),
    /// Interval of checks for open streams once a renewal is due.
    pub look_every: Duration,
}

impl Default for KeeperTiming {
    fn default() -> Self {
        Self {
            apart: Duration::from_secs(1),
            answer: [1_500, 1_500, 1_500, 3_000, 5_000].map(Duration::from_millis),
            retry: (Duration::from_millis(500), Duration::from_secs(2)),
            retry_refused: (Duration::from_secs(1), Duration::from_secs(300)),
            look_every: Duration::from_millis(100),
        }
    }
}

/// What the keeper reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenEvent {
    /// A new token is current.
    Fresh {
        /// Number of the token in this process, from 1.
        generation: u64,
        /// Its lifetime.
        life: Duration,
    },
    /// No new token; an older one stays current.
    Failed(TokenError),
    /// Another program takes the tokens of this API client. The next one is requested after a pause.
    Contested {
        /// How often a token was revoked in the last hour.
        times: usize,
        /// The pause.
        pause: Duration,
    },
}

/// Runs until all handles are dropped. `ask` requests a token, and ends within the time that it is given; `tell`
/// receives the events.
pub async fn keep<A, T>(mut publisher: TokenPublisher, timing: KeeperTiming, mut ask: A, mut tell: T)
where
    A: AsyncFnMut(Duration) -> Result<GrantedToken, TokenError>,
    T: FnMut(TokenEvent),
{
    let mut generation = 0_u64;
    let (began, mut rivalry) = (Instant::now(), Rivalry::default());
    let mut apart = Box::pin(tokio::time::sleep(Duration::ZERO));
    loop {
        let mut failed = Backoff::new(timing.retry.0, timing.retry.1);
        let mut refused = Backoff::new(timing.retry_refused.0, timing.retry_refused.1);
        let mut answer = timing.answer.into_iter();
        let mut within = Duration::ZERO;
        let granted = loop {
            apart.as_mut().await;
            apart = Box::pin(tokio::time::sleep(timing.apart));
            within = answer.next().unwrap_or(within);
            let asked_at = Instant::now();
            match ask(within).await {
                Ok(granted) => break granted,
                Err(error) => {
                    let is_refusal = error.is_refusal();
                    tell(TokenEvent::Failed(error));
                    let wait = if is_refusal {
                        refused.wait()
                    } else {
                        // The time without an answer was a wait as well.
                        failed.wait().saturating_sub(asked_at.elapsed())
                    };
                    // A 401 of the old token makes a new one urgent; after a refused secret the wait stays.
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
        match wait_until_due(&mut publisher, granted.life, timing.look_every).await {
            WaitEnd::NoHandles => return,
            WaitEnd::Elapsed => {}
            WaitEnd::TokenRefused => {
                let Some(pause) = rivalry.revoked(began.elapsed()) else { continue };
                tell(TokenEvent::Contested { times: rivalry.times(), pause });
                if wait_for(&mut publisher, pause, OnRefusal::Ignore).await == WaitEnd::NoHandles {
                    return;
                }
            }
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
    /// All handles are dropped.
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

/// Waits for 4/5 of the token's lifetime, then until no stream is open, at most until 19/20. A refusal ends the wait.
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
