//! The bucket: every name with its versions, newest first.

use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Bytes that are kept, all versions together; more are refused.
const BYTES_MAX: usize = 256 * 1024 * 1024;
/// Versions and delete markers that are kept; more are refused.
const VERSIONS_MAX: usize = 100_000;

/// Whether replaced and deleted objects stay as versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Versioning {
    /// Every PUT is a version, every DELETE of a name a marker.
    Kept,
    /// The only version of a name has the id `null`.
    Off,
}

/// A version of an object, or the mark that it was deleted.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) id: String,
    /// None is a delete marker.
    pub(super) content: Option<Bytes>,
    pub(super) etag: String,
}

/// Why there is no such object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    Never,
    /// A delete marker is on top.
    Deleted,
}

/// The bucket is full.
#[derive(Clone, Copy, Debug)]
pub(super) struct Full;

#[derive(Debug)]
pub(super) struct Objects {
    versioning: Versioning,
    names: BTreeMap<String, Vec<Version>>,
    counted: u64,
}

impl Objects {
    pub(super) fn new(versioning: Versioning) -> Self {
        Self { versioning, names: BTreeMap::new(), counted: 0 }
    }

    pub(super) fn put(&mut self, key: &str, content: Bytes) -> Result<Version, Full> {
        let held: usize =
            self.all().filter_map(|(_, version)| version.content.as_ref()).map(Bytes::len).sum();
        if held.saturating_add(content.len()) > BYTES_MAX || self.all().count() >= VERSIONS_MAX {
            return Err(Full);
        }
        let hash = hex::encode(Sha256::digest(&content));
        let etag = format!("\"{}\"", hash.get(..32).unwrap_or_default());
        Ok(self.add(key, Some(content), etag))
    }

    fn add(&mut self, key: &str, content: Option<Bytes>, etag: String) -> Version {
        self.counted = self.counted.saturating_add(1);
        let versions = self.names.entry(key.to_owned()).or_default();
        let id = match self.versioning {
            // Ids may hold what has a meaning in addresses.
            Versioning::Kept => format!("{}/+=", self.counted),
            Versioning::Off => {
                versions.clear();
                "null".to_owned()
            }
        };
        let version = Version { id, content, etag };
        versions.insert(0, version.clone());
        version
    }

    /// The newest version, or the one with this id.
    pub(super) fn get(&self, key: &str, id: Option<&str>) -> Result<(Bytes, &Version), Absent> {
        let versions = self.names.get(key).ok_or(Absent::Never)?;
        let wanted = |version: &&Version| id.is_none_or(|id| version.id == id);
        let version = versions.iter().find(wanted).ok_or(Absent::Never)?;
        let content = version.content.clone().ok_or(Absent::Deleted)?;
        Ok((content, version))
    }

    /// Without an id, marks it as deleted where versions are kept.
    pub(super) fn delete(&mut self, key: &str, id: Option<&str>) {
        if let (None, Versioning::Kept) = (id, self.versioning) {
            self.add(key, None, String::new());
            return;
        }
        let id = id.unwrap_or("null");
        if let Some(versions) = self.names.get_mut(key) {
            versions.retain(|version| version.id != id);
            if versions.is_empty() {
                self.names.remove(key);
            }
        }
    }

    /// All versions and delete markers, by name, newest first.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Version)> {
        self.names
            .iter()
            .flat_map(|(key, versions)| versions.iter().map(move |version| (key.as_str(), version)))
    }
}
