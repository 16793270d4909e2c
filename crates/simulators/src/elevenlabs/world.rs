//! Everything the simulator knows, behind one lock, so that the server's thread and the process around it (a demo,
//! a test) see the same. Nothing waits while it holds the lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::conversations::Conversations;
use super::faults::Faults;
use super::options::{CloneDelay, MOST_VOICE_SLOTS, Options};
use super::session::agent_settings::Agent;
use super::session::signed_urls::SignedUrls;
use super::session::talks::Talks;
use super::voices::Voices;
use crate::shared::deliveries::Deliveries;
use crate::shared::options::{Secret, Target};
use crate::shared::requests::RequestLog;

/// What changes.
#[derive(Debug)]
pub(super) struct World {
    pub requests: RequestLog,
    pub faults: Faults,
    pub voices: Voices,
    pub conversations: Conversations,
    pub agent: Arc<Agent>,
    pub talks: Talks,
    pub signed_urls: SignedUrls,
    pub deliveries: Deliveries,
    pub webhook: Option<Target>,
    pub initiation: Option<Target>,
    /// Characters ever spoken.
    pub characters: u64,
}

/// The world and what was settled at the start.
#[derive(Debug)]
pub(super) struct Shared {
    pub api_key: Option<Secret>,
    pub clone_delay: CloneDelay,
    pub conversation: Duration,
    pub retry_spacing: Vec<Duration>,
    world: Mutex<World>,
}

impl Shared {
    pub fn new(options: Options) -> Self {
        let world = World {
            requests: RequestLog::default(),
            faults: Faults::default(),
            voices: Voices::with_slots(options.voice_slots.min(MOST_VOICE_SLOTS)),
            conversations: Conversations::default(),
            agent: Arc::new(options.agent),
            talks: Talks::default(),
            signed_urls: SignedUrls::default(),
            deliveries: Deliveries::with_fields("type", "conversation_id"),
            webhook: options.webhook,
            initiation: options.initiation,
            characters: 0,
        };
        Self {
            api_key: options.api_key,
            clone_delay: options.clone_delay,
            conversation: options.conversation,
            retry_spacing: options.retry_spacing,
            world: Mutex::new(world),
        }
    }

    /// The world, for as long as the guard lives. Every write leaves it whole, so a poisoned lock is taken over.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
