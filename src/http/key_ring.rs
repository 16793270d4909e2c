//! The keys of the API in memory: those of `API_KEYS` and those of the database, which are read again every 5 s. While
//! the database is away the last ones count.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use deadpool_postgres::Pool;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use jiff::Timestamp;
use precall_call::At;
use precall_store::StoreError;
use precall_store::api_keys::{self, ApiKeyRow};
use slog::{Logger, warn};
use uuid::Uuid;

use super::clock::wall;
use super::error::{Code, Problem};
use super::fair_share::source_of;
use super::settings::CurrentSettings;
use crate::config::{Principal, Scopes, key_digest};
use crate::trusted_addresses::AddressList;

/// Another process may have changed a key.
const READ_EVERY: Duration = Duration::from_secs(5);
/// Uses are written after this many reads.
const WRITTEN_AFTER: u32 = 12;
/// Wrong keys of one source at once; one more every six seconds.
const WRONG_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
const WRONG_AGAIN_AFTER: Duration = Duration::from_secs(6);
/// Above this number of sources, those without a recent wrong key are forgotten.
const SOURCES_MAX: usize = 10_000;

/// A key of the database.
struct StoredKey {
    principal: Principal,
    /// Empty: any address.
    addresses: AddressList,
    expires_at: Option<Timestamp>,
    is_revoked: bool,
}

impl StoredKey {
    /// A row that this version cannot read is no key: a scope or an address of a later version.
    fn of(row: &ApiKeyRow) -> Option<([u8; 32], Self)> {
        let digest = row.key_sha256.as_slice().try_into().ok()?;
        let scopes = Scopes::of_names(row.scopes.iter().map(String::as_str)).ok()?;
        let principal =
            Principal { name: Arc::from(row.name.as_str()), scopes, id: Some(row.id), wants_masks: false };
        let addresses = AddressList::parse(&row.addresses).ok()?;
        let is_revoked = row.revoked_at.is_some();
        Some((digest, Self { principal, addresses, expires_at: row.expires_at, is_revoked }))
    }

    fn checked(&self, client: Option<IpAddr>, now: At) -> Result<Principal, Problem> {
        if self.is_revoked {
            return Err(Problem::new(Code::Unauthenticated, "the API key was revoked"));
        }
        if let Some(expired) = self.expires_at.filter(|at| at.as_microsecond() <= now.0) {
            let words = format!("the API key has expired at {expired}");
            return Err(Problem::new(Code::Unauthenticated, words));
        }
        let is_right_address =
            self.addresses.is_empty() || client.is_some_and(|client| self.addresses.contains(client));
        if !is_right_address {
            let words = "the API key must not be used from this address";
            return Err(Problem::new(Code::AddressNotTrusted, words));
        }
        Ok(self.principal.clone())
    }
}

/// By SHA-256 of the key.
type StoredKeys = HashMap<[u8; 32], StoredKey>;
/// By id and name; an entry of `API_KEYS` has no id.
type Uses = HashMap<(Option<Uuid>, Arc<str>), At>;

/// The keys of the API. All workers share them.
pub(crate) struct KeyRing {
    /// Their `api_keys` are the entries of `API_KEYS`.
    settings: CurrentSettings,
    /// None before they were read for the first time.
    stored: Mutex<Option<Arc<StoredKeys>>>,
    /// When each was last used.
    uses: Mutex<Uses>,
    wrong: DefaultKeyedRateLimiter<IpAddr>,
    pool: Pool,
    log: Logger,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl KeyRing {
    pub(crate) fn new(settings: CurrentSettings, pool: Pool, log: Logger) -> Arc<Self> {
        let quota = Quota::with_period(WRONG_AGAIN_AFTER).unwrap_or(Quota::per_minute(WRONG_AT_ONCE));
        Arc::new(Self {
            settings,
            stored: Mutex::default(),
            uses: Mutex::default(),
            wrong: RateLimiter::keyed(quota.allow_burst(WRONG_AT_ONCE)),
            pool,
            log,
        })
    }

    /// Reads the keys of the database, in a task of this thread, until the value is dropped.
    pub(crate) fn keep_up(self: &Arc<Self>) {
        actix_web::rt::spawn(keep_up(Arc::downgrade(self)));
    }

    /// The owner of the key.
    ///
    /// # Errors
    /// `unauthenticated`, `address_not_trusted`, `too_many_wrong_keys`, or `database_unreachable` as long as the keys
    /// of the database were never read.
    pub(crate) fn authenticate(&self, presented: &str, client: Option<IpAddr>) -> Result<Principal, Problem> {
        let known = match key_digest(presented) {
            Some(digest) => self.owner(&digest, client),
            None => Err(unknown_key()),
        };
        known.map_err(|problem| match problem.code {
            Code::Unauthenticated => self.throttled(client).unwrap_or(problem),
            _ => problem,
        })
    }

    /// The owner of the key with this SHA-256, for a session that began with the key.
    ///
    /// # Errors
    /// As for [`Self::authenticate`]; no wrong key is counted.
    pub(crate) fn owner(&self, digest: &[u8; 32], client: Option<IpAddr>) -> Result<Principal, Problem> {
        let now = wall();
        let principal = match self.settings.now().api_keys.of_digest(digest) {
            Some(principal) => principal,
            None => self.stored_key(digest, client, now)?,
        };
        locked(&self.uses).insert((principal.id, Arc::clone(&principal.name)), now);
        Ok(principal)
    }

    /// Whether the API is closed: there is no key at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.settings.now().api_keys.is_empty()
            && locked(&self.stored).as_ref().is_some_and(|stored| stored.is_empty())
    }

    /// The entries of `API_KEYS`, and when each was last used since the start.
    pub(crate) fn configured(&self) -> Vec<(Principal, Option<At>)> {
        let uses = locked(&self.uses);
        let used = |principal: &Principal| uses.get(&(None, Arc::clone(&principal.name))).copied();
        self.settings
            .now()
            .api_keys
            .principals()
            .map(|principal| (principal.clone(), used(principal)))
            .collect()
    }

    /// Whether `API_KEYS` has an entry of this name.
    pub(crate) fn has_entry(&self, name: &str) -> bool {
        self.settings.now().api_keys.principals().any(|principal| &*principal.name == name)
    }

    /// Reads the keys of the database. After a change by this process they count at once.
    ///
    /// # Errors
    /// When the query fails: the keys stay as they are.
    pub(crate) async fn read(&self) -> Result<(), StoreError> {
        let rows = api_keys::all(&self.pool).await?;
        let stored: StoredKeys = rows.iter().filter_map(StoredKey::of).collect();
        *locked(&self.stored) = Some(Arc::new(stored));
        Ok(())
    }

    fn stored_key(&self, digest: &[u8; 32], client: Option<IpAddr>, now: At) -> Result<Principal, Problem> {
        let Some(stored) = locked(&self.stored).clone() else {
            let words = "the API keys of the database could not be read yet; those of API_KEYS can be used";
            return Err(Problem::new(Code::DatabaseUnreachable, words));
        };
        stored.get(digest).ok_or_else(unknown_key)?.checked(client, now)
    }

    /// Counts a wrong key. A right key is not held up: whoever shares an address with a guesser must not be shut out,
    /// and a key is too long to be guessed.
    fn throttled(&self, client: Option<IpAddr>) -> Option<Problem> {
        if self.wrong.len() > SOURCES_MAX {
            self.wrong.retain_recent();
        }
        let refused = self.wrong.check_key(&source_of(client?)).is_err();
        refused.then(|| Problem::of(Code::TooManyWrongKeys))
    }

    async fn write_uses(&self) -> Result<(), StoreError> {
        let uses: Vec<(Uuid, At)> =
            locked(&self.uses).iter().filter_map(|((id, _), at)| Some(((*id)?, *at))).collect();
        if uses.is_empty() { Ok(()) } else { api_keys::used(&self.pool, &uses).await }
    }
}

fn unknown_key() -> Problem {
    Problem::new(Code::Unauthenticated, "unknown API key")
}

async fn keep_up(ring: Weak<KeyRing>) {
    let (mut reads, mut failures) = (0_u32, 0_u32);
    loop {
        let Some(ring) = ring.upgrade() else { return };
        let mut outcome = ring.read().await;
        reads = reads.wrapping_add(1);
        if outcome.is_ok() && reads.is_multiple_of(WRITTEN_AFTER) {
            outcome = ring.write_uses().await;
        }
        failures = if outcome.is_ok() { 0 } else { failures.saturating_add(1) };
        // A new database may have no tables yet at the first reading.
        let warns_at = if locked(&ring.stored).is_some() { 1 } else { 2 };
        if let (true, Err(error)) = (failures == warns_at, &outcome) {
            warn!(ring.log, "API keys of the database could not be read: the last ones count"; "error" => %error);
        }
        drop(ring);
        tokio::time::sleep(READ_EVERY).await;
    }
}
