//! Keys of the API. The configuration holds their hashes only, so it gives no key away.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::kind::Kind;
use super::problem::Problems;
use super::section::Section;
use super::setting::variables;
use super::value::lists::List;
use super::value::{Complaint, FromText};
use super::values::Values;
use super::variables::Probed;

variables! { Section::Api;
    api_keys: ApiKeys {
        probed: Probed::Cannot("only the hashes of keys are configured"),
        unit: "list of entries",
        help: "Keys of the API, as entries NAME:SCOPES:SHA256 that `precall keys new` prints.",
        note: "SCOPES is one or more of read, operate and admin, joined by +. Unset: the API is closed.",
    }
}

/// What a key allows. Each scope includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Read calls, callers and voices.
    Read,
    /// Act on calls.
    Operate,
    /// Change callers, voices and settings.
    Admin,
}

impl Scope {
    /// Its name in `API_KEYS`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Read, Self::Operate, Self::Admin].into_iter().find(|scope| scope.name() == name)
    }
}

/// The owner of a key, and what it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Name of the entry, for logs and audit rows.
    pub name: Arc<str>,
    /// The widest of its scopes.
    pub scope: Scope,
}

#[derive(Clone)]
struct Entry {
    principal: Principal,
    digest: [u8; 32],
}

/// The keys. Without any, the API is closed.
#[derive(Clone, Default)]
pub struct ApiKeys(Vec<Entry>);

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|entry| &entry.principal)).finish()
    }
}

/// Shorter keys could be guessed.
const KEY_LENGTH: std::ops::RangeInclusive<usize> = 32..=512;

impl ApiKeys {
    /// The owner of the key. The time taken does not depend on whether or where an entry matches.
    #[must_use]
    pub fn authenticate(&self, presented: &str) -> Option<Principal> {
        if !is_key(presented) {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        let mut matching = u64::MAX;
        for (index, entry) in (0_u64..).zip(&self.0) {
            let same: Choice = entry.digest.ct_eq(&digest);
            matching.conditional_assign(&index, same);
        }
        let entry = self.0.get(usize::try_from(matching).ok()?)?;
        Some(entry.principal.clone())
    }

    /// Whether the API is closed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The `API_KEYS` entry of a key; `None` when the name or the key cannot be used.
    #[must_use]
    pub fn entry(name: &str, scope: Scope, key: &str) -> Option<String> {
        let fits = is_name(name) && is_key(key);
        fits.then(|| format!("{name}:{}:{}", scope.name(), hex::encode(Sha256::digest(key.as_bytes()))))
    }
}

fn is_key(text: &str) -> bool {
    KEY_LENGTH.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_name(name: &str) -> bool {
    const MAX: usize = 40;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@');
    (1..=MAX).contains(&name.len()) && name.bytes().all(is_plain)
}

impl ApiKeys {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        let settings = Settings::read(values, problems)?;
        settings.api_keys.optional().map(Option::unwrap_or_default)
    }

    fn take(&mut self, entry: &str) -> Result<(), &'static str> {
        let mut parts = entry.split(':');
        let (Some(name), Some(scopes), Some(hash), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("does not have three parts");
        };
        if !is_name(name) {
            return Err("has no usable name (1 to 40 letters, digits, - _ . @)");
        }
        let mut widest = None;
        for scope in scopes.split('+') {
            let scope = Scope::from_name(scope.trim()).ok_or("has an unknown scope")?;
            widest = widest.max(Some(scope));
        }
        let scope = widest.ok_or("has no scope")?;
        let is_lower = !hash.bytes().any(|byte| byte.is_ascii_uppercase());
        let mut digest = [0_u8; 32];
        if !is_lower || hex::decode_to_slice(hash, &mut digest).is_err() {
            return Err("has no SHA-256 in lower-case hex");
        }
        if self.0.iter().any(|known| &*known.principal.name == name) {
            return Err("has a name that is already taken");
        }
        if self.0.iter().any(|known| known.digest == digest) {
            return Err("has the key of an earlier entry");
        }
        self.0.push(Entry { principal: Principal { name: Arc::from(name), scope }, digest });
        Ok(())
    }
}

/// A secret, so that hashes are not shown.
impl FromText for ApiKeys {
    const KIND: Kind = Kind::Secret;

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str = "NAME:SCOPES:SHA256 as `precall keys new` prints it: scopes of read, operate, admin \
                             joined by +, and the key's SHA-256 as 64 lower-case hex digits";
        let List(entries) = List::from_text(text)?;
        let mut keys = Self::default();
        for (place, entry) in (1_usize..).zip(&entries) {
            // By its place: a key that was pasted instead of its hash must not reach the log.
            keys.take(entry).map_err(|wrong| Complaint::new(format!("entry {place} {wrong}"), RIGHT))?;
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests;
