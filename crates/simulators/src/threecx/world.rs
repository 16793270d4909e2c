//! The state of the simulated PBX, behind one lock, shared by the server's thread and the process around it (a demo,
//! a test). Nothing waits while it holds the lock.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::caller_sound::Speaks;
use super::calls::Calls;
use super::errand::Errand;
use super::events::{Event, Hub, Kind};
use super::faults::{EventFault, Faults};
use super::grants::Grants;
use super::options::Options;
use super::script::Script;
use super::tokens::Tokens;
use crate::shared::deliveries::Deliveries;
use crate::shared::options::Target;
use crate::shared::requests::{RequestLog, rfc3339};

/// Most tones that are kept ready.
const MOST_TONES: usize = 64;
/// Most errands that wait to be run.
const MOST_ERRANDS: usize = 10_000;
/// How long after its Remove a wrong Upsert follows.
const UPSERT_AFTER_REMOVE: Duration = Duration::from_millis(100);

/// The state that changes.
#[derive(Debug)]
pub(super) struct World {
    pub options: Arc<Options>,
    pub requests: RequestLog,
    pub faults: Faults,
    pub grants: Grants,
    pub tokens: Tokens,
    pub calls: Calls,
    pub hub: Hub,
    /// Until when upgrades are refused.
    pub ws_down_until: Option<Instant>,
    pub transfers: Script,
    pub dials: Script,
    pub deliveries: Deliveries,
    pub webhook: Option<Target>,
    pub errands: VecDeque<Errand>,
    /// Events that are told later.
    pub later: Vec<(Instant, Event)>,
    pub posts: u64,
    tones: HashMap<u32, Bytes>,
    epoch: (Instant, Timestamp),
}

impl World {
    fn new(options: Arc<Options>) -> Self {
        Self {
            requests: RequestLog::default(),
            faults: Faults::default(),
            grants: Grants::default(),
            tokens: Tokens::new(options.old_tokens),
            calls: Calls::default(),
            hub: Hub::default(),
            ws_down_until: None,
            transfers: Script::default(),
            dials: Script::default(),
            deliveries: Deliveries::with_fields("event_type", "call_id"),
            webhook: options.webhook.clone(),
            errands: VecDeque::new(),
            later: Vec::new(),
            posts: 0,
            tones: HashMap::new(),
            epoch: (Instant::now(), Timestamp::now()),
            options,
        }
    }

    /// Sends an event, unless a fault stops it.
    pub fn tell(&mut self, event: Event, now: Instant) {
        // The second client has no event connection, and the first does not see its legs.
        let second = self.options.second_client.as_ref();
        if second.is_some_and(|second| event.entity.starts_with(&format!("/callcontrol/{}/", second.id))) {
            return;
        }
        match event.kind {
            Kind::Upsert => {
                if let Some(late) = self.faults.take_event(EventFault::Reorder) {
                    self.tell_later(event, now, late);
                    return;
                }
            }
            Kind::Remove => {
                if self.faults.take_event(EventFault::MissedRemove).is_some() {
                    return;
                }
                if self.faults.take_event(EventFault::UpsertAfterRemove).is_some() {
                    let again = Event::bare(Kind::Upsert, event.entity.clone());
                    self.tell_later(again, now, UPSERT_AFTER_REMOVE);
                }
            }
            Kind::Dtmf | Kind::PromptPlaybackFinished | Kind::Response | Kind::Unknown => {}
        }
        self.hub.tell(&event);
    }

    fn tell_later(&mut self, event: Event, now: Instant, late: Duration) {
        if self.later.len() < MOST_ERRANDS {
            self.later.push((now.checked_add(late).unwrap_or(now), event));
        }
    }

    /// Leaves work to the server's thread.
    pub fn send(&mut self, errand: Errand) {
        if self.errands.len() < MOST_ERRANDS {
            self.errands.push_back(errand);
        }
    }

    /// What a caller says.
    pub fn sound(&mut self, speaks: Speaks) -> Bytes {
        let key = match speaks {
            Speaks::Silence => 0,
            Speaks::Tone(hz) => hz.max(1),
        };
        if let Some(sound) = self.tones.get(&key) {
            return sound.clone();
        }
        let sound = speaks.sound();
        if self.tones.len() < MOST_TONES {
            self.tones.insert(key, sound.clone());
        }
        sound
    }

    /// A moment as wall-clock time.
    pub fn wall(&self, at: Instant) -> String {
        let (instant, timestamp) = self.epoch;
        let since = SignedDuration::try_from(at.saturating_duration_since(instant)).unwrap_or_default();
        rfc3339(timestamp.checked_add(since).unwrap_or(timestamp))
    }
}

/// The state and its wake-up signal.
#[derive(Debug)]
pub(super) struct Shared {
    pub options: Arc<Options>,
    /// Wakes the server's thread for errands.
    pub wake: Notify,
    world: Mutex<World>,
}

impl Shared {
    pub fn new(options: Options) -> Self {
        let options = Arc::new(options);
        let world = Mutex::new(World::new(Arc::clone(&options)));
        Self { options, wake: Notify::new(), world }
    }

    /// Locks the state. Every write leaves it consistent, so a poisoned lock is used all the same.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and wakes the server's thread if there is work.
    pub fn change<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let (done, waiting) = {
            let mut world = self.world();
            let done = work(&mut world);
            (done, !world.errands.is_empty())
        };
        if waiting {
            self.wake.notify_one();
        }
        done
    }
}
