//! Prepared sound on disk, keyed by its source: a text is paid for once, and precall can start without the provider.
//! The cache may be deleted at any time.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use precall_providers::elevenlabs::Speech;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use url::Url;

use super::mono::LENGTH_MAX;
use crate::clip::Clip;

#[cfg(test)]
mod tests;

/// Part of every key. Change it when the conversion changes.
const FORMAT: &str = "pcm s16le mono 8000, 1";
/// Start of a file. The SHA-256 of the PCM and the PCM follow.
const MAGIC: &[u8; 8] = b"precall1";
const SUFFIX: &str = "clip";
/// Prefix of a file that is being written. A crash may leave one; pruning removes it.
const UNFINISHED: &str = ".clip-";
/// Unused files that are kept: an old text may come back.
const UNUSED_MAX: usize = 100;
/// Size of a clip of [`LENGTH_MAX`] with its head. A larger file is not precall's.
const FILE_BYTES_MAX: u64 = LENGTH_MAX.as_secs() * 16_000 + 64;

/// Identifies the source of a clip; the name of its file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CacheKey(String);

impl CacheKey {
    /// For a spoken text: text, voice, model and language.
    pub(super) fn speech(speech: &Speech) -> Self {
        let (model, language) = (speech.model.as_deref(), speech.language.as_deref());
        let parts =
            [speech.text.as_str(), speech.voice.as_str(), model.unwrap_or(""), language.unwrap_or("")];
        Self::of("speech", parts.iter().map(|part| part.as_bytes()))
    }

    /// For a recording: its bytes, wherever the file lies.
    pub(super) fn file(content: &[u8]) -> Self {
        Self::of("file", [content].into_iter())
    }

    /// For the last download from an address.
    pub(super) fn address(url: &Url) -> Self {
        Self::of("address", [url.as_str().as_bytes()].into_iter())
    }

    fn of<'a>(kind: &'a str, parts: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in [FORMAT.as_bytes(), kind.as_bytes()].into_iter().chain(parts) {
            // The length is hashed too, so that two different lists of parts never give the same bytes.
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part);
        }
        Self(hex::encode(hash.finalize()))
    }

    fn file_name(&self) -> String {
        format!("{}.{SUFFIX}", self.0)
    }
}

/// The cache folder. If it is missing or not writable, every start prepares its prompts again.
#[derive(Clone, Debug)]
pub(super) struct PromptCache {
    folder: PathBuf,
}

impl PromptCache {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The clip, if its file exists and is intact. Blocks.
    pub(super) fn read(&self, key: &CacheKey) -> Option<Clip> {
        let path = self.folder.join(key.file_name());
        let mut file = Vec::new();
        File::open(path).ok()?.take(FILE_BYTES_MAX + 1).read_to_end(&mut file).ok()?;
        intact_clip(Bytes::from(file))
    }

    /// Writes the clip. A reader sees the whole file or none, even after a crash. Blocks.
    pub(super) fn save(&self, key: &CacheKey, clip: &Clip) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.folder)?;
        write(&mut file, clip)?;
        file.persist(self.folder.join(key.file_name())).map_err(|error| error.error)?;
        // The file's name is durable only once its folder is synced.
        File::open(&self.folder)?.sync_all()
    }

    /// Removes the oldest unused files beyond [`UNUSED_MAX`]. Blocks.
    pub(super) fn prune(&self, in_use: &HashSet<CacheKey>) {
        let in_use: HashSet<String> = in_use.iter().map(CacheKey::file_name).collect();
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut unused = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_ours = name.to_str().is_some_and(|name| is_ours(name) && !in_use.contains(name));
            if let (true, Ok(modified)) = (is_ours, entry.metadata().and_then(|file| file.modified())) {
                unused.push((modified, entry.path()));
            }
        }
        unused.sort();
        let too_many = unused.len().saturating_sub(UNUSED_MAX);
        for (_, path) in unused.iter().take(too_many) {
            // A failure does no harm: the next start tries again.
            let _harmless = fs::remove_file(path);
        }
    }
}

/// Only files with these names are removed: the configured folder may hold other files.
fn is_ours(name: &str) -> bool {
    let is_hash = |stem: &str| stem.len() == 64 && stem.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.starts_with(UNFINISHED)
        || Path::new(name).extension().is_some_and(|suffix| suffix == SUFFIX)
            && name.split('.').next().is_some_and(is_hash)
}

fn write(file: &mut NamedTempFile, clip: &Clip) -> io::Result<()> {
    file.write_all(MAGIC)?;
    file.write_all(&Sha256::digest(clip.pcm()))?;
    file.write_all(clip.pcm())?;
    file.as_file().sync_all()
}

/// The clip in a file; none if the file is damaged, for instance because the disk was full.
fn intact_clip(file: Bytes) -> Option<Clip> {
    let (head, pcm) = file.split_at_checked(MAGIC.len().saturating_add(32))?;
    let (magic, hash) = head.split_at_checked(MAGIC.len())?;
    let is_whole = magic == MAGIC && hash == Sha256::digest(pcm).as_slice();
    let is_sound = !pcm.is_empty() && pcm.len().is_multiple_of(2);
    (is_whole && is_sound).then(|| Clip::new(file.slice_ref(pcm)))
}
