//! How long messages wait in the mailboxes of actors. A message is sent to them, and handled behind all that waits
//! there. How many wait is not known: actix does not tell.
//!
//! The actors that everything goes through are asked once a second, those of a call when somebody looks at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, ArbiterHandle, Handler, Message};
use precall_base::clock;
use precall_call::At;

const EVERY: Duration = Duration::from_secs(1);
/// An actor of a call that does not answer in this time is shown as one that does not answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// Asks nothing: that it was handled is the answer.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct AreYouThere;

/// How long a message waits in this mailbox now. None: for longer than half a second, or the actor has stopped.
pub(crate) async fn wait_of<A>(actor: Addr<A>) -> Option<Duration>
where
    A: Actor + Handler<AreYouThere>,
    A::Context: ToEnvelope<A, AreYouThere>,
{
    let sent = clock::now();
    let answered = tokio::time::timeout(PATIENCE, actor.send(AreYouThere)).await;
    matches!(answered, Ok(Ok(()))).then(|| clock::now().since(sent))
}

/// The mailboxes that are watched.
#[derive(Clone, Debug, Default)]
pub(crate) struct MailboxAges(Vec<(&'static str, Arc<Wait>)>);

/// The wait of the last message, in microseconds, and since when one waits now.
#[derive(Debug, Default)]
struct Wait {
    last: AtomicI64,
    /// Zero while none waits.
    since: AtomicI64,
}

impl MailboxAges {
    /// Watches one more mailbox, from this arbiter, until that ends.
    pub(crate) fn watch<A>(&mut self, from: &ArbiterHandle, name: &'static str, actor: Addr<A>)
    where
        A: Actor + Handler<AreYouThere>,
        A::Context: ToEnvelope<A, AreYouThere>,
    {
        let wait = Arc::new(Wait::default());
        self.0.push((name, Arc::clone(&wait)));
        from.spawn(async move {
            loop {
                let sent = clock::now();
                wait.since.store(sent.0, Ordering::Relaxed);
                let answered = actor.send(AreYouThere).await;
                wait.since.store(0, Ordering::Relaxed);
                if answered.is_ok() {
                    wait.last.store(clock::now().0.saturating_sub(sent.0), Ordering::Relaxed);
                }
                tokio::time::sleep(EVERY).await;
            }
        });
    }

    /// The age of each mailbox.
    pub(crate) fn all(&self, now: At) -> Vec<(&'static str, Duration)> {
        let age = |wait: &Wait| {
            let last = u64::try_from(wait.last.load(Ordering::Relaxed)).unwrap_or(0);
            let since = wait.since.load(Ordering::Relaxed);
            let waits = if since == 0 { Duration::ZERO } else { now.since(At(since)) };
            waits.max(Duration::from_micros(last))
        };
        self.0.iter().map(|(name, wait)| (*name, age(wait))).collect()
    }
}
