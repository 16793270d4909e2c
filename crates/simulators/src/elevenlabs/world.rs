//! The state of the simulator, behind one lock, shared by the server's thread and the process around it (a demo, a
//! test). Nothing waits while it holds the lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::account::Account;
use super::conversations::Conversations;
use super::faults::Faults;
use super::options::{CloneDelay, MOST_VOICE_SLOTS, Options};
use super::session::agent_settings::Agent;
use super::session::sessions::Sessions;
use super::session::signed_urls::SignedUrls;
use super::voices::Voices;
use crate::shared::deliveries::Deliveries;
use crate::shared::options::{Secret, Target};
use crate::shared::requests::RequestLog;

/// The state that changes.
#[derive(Debug)]
pub(super) struct World {
    /// The key that requests must have; none takes every request.
    pub api_key: Option<Secret>,
    pub requests: RequestLog,
    pub faults: Faults,
    pub voices: Voices,
    pub conversations: Conversations,
    pub agent: Arc<Agent>,
    pub account: Account,
    pub sessions: Sessions,
    pub signed_urls: SignedUrls,
    pub deliveries: Deliveries,
    pub webhook: Option<Target>,
    pub initiation: Option<Target>,
    /// Characters ever spoken.
    pub characters: u64,
}

impl World {
    /// Replaces the account; `slots` are those of the command line.
    pub fn set_account(&mut self, account: Account, slots: u32) {
        let library = account.voices.clone().map(|voices| voices.into_iter().collect());
        self.voices.set_account(account.voice_slots.unwrap_or(slots), library);
        self.account = account;
    }
}

/// The state and the fixed options.
#[derive(Debug)]
pub(super) struct Shared {
    pub clone_delay: CloneDelay,
    pub conversation: Duration,
    pub retry_spacing: Vec<Duration>,
    pub tls_front: Option<String>,
    /// Clones at once, unless the account says otherwise.
    pub voice_slots: u32,
    world: Mutex<World>,
}

impl Shared {
    pub fn new(options: Options) -> Self {
        let voice_slots = options.voice_slots.min(MOST_VOICE_SLOTS);
        let world = World {
            api_key: options.api_key,
            requests: RequestLog::default(),
            faults: Faults::default(),
            voices: Voices::with_slots(voice_slots),
            conversations: Conversations::default(),
            agent: Arc::new(options.agent),
            account: Account::default(),
            sessions: Sessions::default(),
            signed_urls: SignedUrls::default(),
            deliveries: Deliveries::with_fields("type", "conversation_id"),
            webhook: options.webhook,
            initiation: options.initiation,
            characters: 0,
        };
        Self {
            clone_delay: options.clone_delay,
            conversation: options.conversation,
            retry_spacing: options.retry_spacing,
            tls_front: options.tls_front,
            voice_slots,
            world: Mutex::new(world),
        }
    }

    /// Locks the state. Every write leaves it consistent, so a poisoned lock is used all the same.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
