//! The feed of the live stream: each message is encoded once, and all viewers share its bytes. Without viewers nothing
//! is read and nothing is encoded.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::messages::{self, MessageId, ResetReason};
use crate::http::clock;
use crate::http::engine::Engine;
use crate::http::error::{Code, Problem};
use crate::http::status::health::HealthAnswer;
use crate::http::status::seen_figures::SeenFigures;

/// A viewer that is further behind is cut: about eight seconds on a busy board.
const MESSAGES_MAX: usize = 32;
/// Changes are collected for this long.
const CHANGES_EVERY: Duration = Duration::from_millis(250);
/// How often health is compared with what was sent.
const HEALTH_COMPARED_EVERY: Duration = Duration::from_secs(1);
/// Health is sent at least this often.
const HEALTH_EVERY: Duration = Duration::from_secs(5);
/// A `beat` follows this long after the last message.
const BEAT_AFTER: Duration = Duration::from_secs(2);

/// The feed of one server.
pub(crate) struct LiveFeed {
    engine: Arc<dyn Engine>,
    /// Part of every id: ids of another process mean nothing here.
    instance: String,
    now: Mutex<Now>,
    /// Wakes the broadcaster when a viewer has come, and when the feed is closed or dropped.
    woken: Arc<Notify>,
}

struct Now {
    /// None when the server stops.
    sender: Option<broadcast::Sender<Bytes>>,
    /// Number of the last message.
    seq: u64,
    /// The version of the board that the last message is of.
    version: u64,
    /// The snapshot with the number `seq`, once a viewer needed it.
    snapshot: Option<Bytes>,
}

/// What a new viewer gets.
pub(super) struct Joined {
    /// The first message.
    pub(super) snapshot: Bytes,
    /// The messages after it.
    pub(super) messages: broadcast::Receiver<Bytes>,
}

impl LiveFeed {
    pub(crate) fn new(engine: Arc<dyn Engine>) -> Arc<Self> {
        let instance = Uuid::new_v4().simple().to_string().chars().take(8).collect();
        let (sender, _) = broadcast::channel(MESSAGES_MAX);
        let now = Mutex::new(Now { sender: Some(sender), seq: 0, version: 0, snapshot: None });
        Arc::new(Self { engine, instance, now, woken: Arc::default() })
    }

    /// Feeds the viewers, in a task of this thread, until the value is dropped or `stopping` is ready: then the streams
    /// end.
    pub(crate) fn run(self: &Arc<Self>, stopping: impl Future<Output = ()> + 'static) {
        let (feed, woken) = (Arc::downgrade(self), Arc::clone(&self.woken));
        let versions = self.engine.board().versions();
        actix_web::rt::spawn(broadcast(feed, woken, versions));
        let feed = Arc::downgrade(self);
        actix_web::rt::spawn(async move {
            stopping.await;
            if let Some(feed) = feed.upgrade() {
                feed.close();
            }
        });
    }

    /// Adds a viewer.
    ///
    /// # Errors
    /// `draining`: the server stops.
    pub(super) fn join(&self) -> Result<Joined, Problem> {
        let mut now = self.lock();
        let sender = now.sender.as_ref().ok_or_else(|| Problem::of(Code::Draining))?;
        let is_first = sender.receiver_count() == 0;
        let messages = sender.subscribe();
        if is_first {
            // Nothing was sent while there was no viewer.
            now.snapshot = None;
            now.seq = now.seq.saturating_add(1);
        }
        if let Some(snapshot) = now.snapshot.clone() {
            return Ok(Joined { snapshot, messages });
        }
        let view = self.engine.board().view(clock::now());
        if is_first {
            now.version = view.version;
        }
        let snapshot = messages::snapshot(self.id(now.seq), view, self.health());
        now.snapshot = Some(snapshot.clone());
        drop(now);
        self.woken.notify_one();
        Ok(Joined { snapshot, messages })
    }

    /// The `reset` for a client with this `Last-Event-ID`; none if it is an id of this process.
    pub(super) fn reset(&self, last_event_id: &str) -> Option<Bytes> {
        let seq = self.lock().seq;
        let reason = match last_event_id.rsplit_once('-').map(|(of, number)| (of, number.parse::<u64>())) {
            None | Some((_, Err(_))) => ResetReason::Unknown,
            Some((instance, Ok(_))) if instance != self.instance => ResetReason::OtherProcess,
            Some((_, Ok(number))) if number > seq => ResetReason::Future,
            Some((_, Ok(_))) => return None,
        };
        Some(messages::reset(self.id(seq), reason))
    }

    fn has_viewers(&self) -> bool {
        self.lock().sender.as_ref().is_some_and(|sender| sender.receiver_count() > 0)
    }

    fn is_closed(&self) -> bool {
        self.lock().sender.is_none()
    }

    /// Ends all streams, and takes no more viewers.
    fn close(&self) {
        let mut now = self.lock();
        (now.sender, now.snapshot) = (None, None);
        drop(now);
        self.woken.notify_one();
    }

    /// Forgets what was kept for viewers.
    fn rest(&self) {
        let mut now = self.lock();
        let is_idle = now.sender.as_ref().is_none_or(|sender| sender.receiver_count() == 0);
        if is_idle {
            now.snapshot = None;
        }
    }

    /// Sends what changed since the last message. False if nothing did.
    fn send_changes(&self) -> bool {
        let mut now = self.lock();
        let (board, time) = (self.engine.board(), clock::now());
        let seq = now.seq.saturating_add(1);
        let (version, message) = match board.changes(now.version, time) {
            Some(changes) if changes.version == now.version => return false,
            Some(changes) => (changes.version, messages::change(self.id(seq), changes)),
            // Too much has left the board since then.
            None => {
                let view = board.view(time);
                (view.version, messages::snapshot(self.id(seq), view, self.health()))
            }
        };
        now.version = version;
        now.send(seq, message);
        true
    }

    fn send_health(&self, health: &HealthAnswer) {
        let mut now = self.lock();
        let seq = now.seq.saturating_add(1);
        now.send(seq, messages::health(self.id(seq), health));
    }

    fn send_beat(&self) {
        let mut now = self.lock();
        let seq = now.seq.saturating_add(1);
        now.send(seq, messages::beat(self.id(seq)));
    }

    fn health(&self) -> HealthAnswer {
        HealthAnswer::of(&self.engine.health(), SeenFigures::All)
    }

    fn id(&self, seq: u64) -> MessageId<'_> {
        MessageId { instance: &self.instance, seq }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Now {
    fn send(&mut self, seq: u64, message: Bytes) {
        (self.seq, self.snapshot) = (seq, None);
        if let Some(sender) = &self.sender {
            // An error only says that the last viewer has left.
            let _ = sender.send(message);
        }
    }
}

impl Drop for LiveFeed {
    fn drop(&mut self) {
        self.woken.notify_one();
    }
}

/// When which message is due.
struct Pace {
    changes_from: Instant,
    compare_health_at: Instant,
    health_at: Instant,
    beat_at: Instant,
    has_changes: bool,
    /// The health that was compared last.
    shown: Option<HealthAnswer>,
}

impl Pace {
    /// For viewers who have a snapshot.
    fn new(now: Instant) -> Self {
        Self {
            changes_from: now,
            compare_health_at: now + HEALTH_COMPARED_EVERY,
            health_at: now + HEALTH_EVERY,
            beat_at: now + BEAT_AFTER,
            has_changes: true,
            shown: None,
        }
    }

    /// Sends what is due. Returns when something is due next.
    fn act(&mut self, feed: &LiveFeed, now: Instant) -> Instant {
        if now >= self.compare_health_at {
            self.compare_health_at = now + HEALTH_COMPARED_EVERY;
            feed.engine.board().expire(clock::now());
            self.compare_health(feed, now);
        }
        if self.has_changes && now >= self.changes_from {
            self.has_changes = false;
            if feed.send_changes() {
                self.changes_from = now + CHANGES_EVERY;
                self.beat_at = now + BEAT_AFTER;
            }
        }
        if now >= self.beat_at {
            feed.send_beat();
            self.beat_at = now + BEAT_AFTER;
        }
        let next = self.compare_health_at.min(self.beat_at);
        if self.has_changes { next.min(self.changes_from) } else { next }
    }

    fn compare_health(&mut self, feed: &LiveFeed, now: Instant) {
        let health = feed.health();
        let is_same = self.shown.as_ref().is_some_and(|shown| shown.looks_like(&health));
        if !is_same || now >= self.health_at {
            feed.send_health(&health);
            self.health_at = now + HEALTH_EVERY;
            self.beat_at = now + BEAT_AFTER;
        }
        self.shown = Some(health);
    }
}

/// Wakes on changes of the board while there are viewers.
async fn broadcast(feed: Weak<LiveFeed>, woken: Arc<Notify>, mut versions: watch::Receiver<u64>) {
    let mut pace: Option<Pace> = None;
    loop {
        let Some(live) = feed.upgrade().filter(|live| !live.is_closed()) else { return };
        if !live.has_viewers() {
            pace = None;
            live.rest();
            drop(live);
            woken.notified().await;
            continue;
        }
        let now = Instant::now();
        let pace = pace.get_or_insert_with(|| Pace::new(now));
        let next = pace.act(&live, now);
        drop(live);
        tokio::select! {
            () = sleep_until(next) => {}
            () = woken.notified() => {}
            changed = versions.changed(), if !pace.has_changes => {
                if changed.is_err() {
                    return;
                }
                pace.has_changes = true;
            }
        }
    }
}

#[cfg(test)]
mod tests;
