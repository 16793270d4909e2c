//! Keys of the API. The configuration holds their hashes only, so it gives no key away.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use uuid::Uuid;

use super::kind::Kind;
use super::problem::Problems;
use super::scopes::Scopes;
use super::section::Section;
use super::setting::variables;
use super::value::lists::List;
use super::value::{Complaint, FromText};
use super::values::Values;
use super::variables::{Probed, Restart};

variables! { Section::Api;
    api_keys: ApiKeys {
        restart: Restart::NotNeeded,
        probed: Probed::Cannot("only the hashes of keys are configured"),
        unit: "list of entries",
        help: "Keys of the API, as entries NAME:SCOPES:SHA256 that `precall keys new` prints.",
        note: "SCOPES is one or more of read, pii, voice, listen, operate and admin, joined by +. More keys: `precall \
               keys create`.",
    }
}

/// The owner of a key, and what it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Name of the entry, for logs and audit rows.
    pub name: Arc<str>,
    /// What the key allows.
    pub scopes: Scopes,
    /// The row of a key in the database; none of an entry of `API_KEYS`.
    pub id: Option<Uuid>,
    /// Whether the request asks for masks although its key may see more.
    pub wants_masks: bool,
}

#[derive(Clone)]
struct Entry {
    principal: Principal,
    digest: [u8; 32],
}

/// The keys of `API_KEYS`.
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
        self.of_digest(&digest(presented)?)
    }

    /// The owner of the key with this SHA-256, in the same time whether or where an entry matches.
    #[must_use]
    pub(crate) fn of_digest(&self, digest: &[u8; 32]) -> Option<Principal> {
        let mut matching = u64::MAX;
        for (index, entry) in (0_u64..).zip(&self.0) {
            let same: Choice = entry.digest.ct_eq(digest);
            matching.conditional_assign(&index, same);
        }
        let entry = self.0.get(usize::try_from(matching).ok()?)?;
        Some(entry.principal.clone())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The `API_KEYS` entry of a key; `None` when the name or the key cannot be used.
    #[must_use]
    pub fn entry(name: &str, scopes: impl Into<Scopes>, key: &str) -> Option<String> {
        let digest = digest(key).filter(|_| is_name(name))?;
        Some(format!("{name}:{}:{}", scopes.into().names().join("+"), hex::encode(digest)))
    }

    /// The owners of the keys.
    pub fn principals(&self) -> impl Iterator<Item = &Principal> {
        self.0.iter().map(|entry| &entry.principal)
    }
}

/// A new key: 244 random bits of the operating system.
#[must_use]
pub fn new_key() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// SHA-256 of a key; none of a text that is no key: too short, too long, or not of visible ASCII.
#[must_use]
pub(crate) fn digest(key: &str) -> Option<[u8; 32]> {
    is_key(key).then(|| Sha256::digest(key.as_bytes()).into())
}

fn is_key(text: &str) -> bool {
    KEY_LENGTH.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a key may have this name: 1 to 40 letters, digits, - _ . @
#[must_use]
pub(crate) fn is_name(name: &str) -> bool {
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
        let scopes = Scopes::of_names(scopes.split('+')).map_err(|_| "has an unknown scope")?;
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
        self.0.push(Entry {
            principal: Principal { name: Arc::from(name), scopes, id: None, wants_masks: false },
            digest,
        });
        Ok(())
    }
}

/// A secret, so that hashes are not shown.
impl FromText for ApiKeys {
    const KIND: Kind = Kind::Secret;

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str = "NAME:SCOPES:SHA256 as `precall keys new` prints it: scopes of read, pii, voice, \
                             listen, operate, admin joined by +, and the key's SHA-256 as 64 lower-case hex digits";
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
