//! Prepared sound on disk, named by what it was made from: a text is paid for once, and a start without the provider has
//! its prompts all the same. Everything here may be lost without harm.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use precall_providers::elevenlabs::Speech;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use url::Url;

use super::decode::LENGTH_MAX;
use crate::clip::Clip;

#[cfg(test)]
mod tests;

/// Part of every name: sound that is made in another way is other sound.
const FORMAT: &str = "pcm s16le mono 8000, 1";
/// What a file begins with, before the SHA-256 of the rest.
const MAGIC: &[u8; 8] = b"precall1";
const SUFFIX: &str = "clip";
/// Of a file that is being written. A crash may leave one; pruning takes it with the rest.
const UNFINISHED: &str = ".clip-";
/// Files of texts that are no longer in use and are kept all the same: somebody may put an old text back.
const UNUSED_MAX: usize = 100;
/// As long as [`LENGTH_MAX`] with the head; more was not written here.
const FILE_BYTES_MAX: u64 = LENGTH_MAX.as_secs() * 16_000 + 64;

/// What a clip was made from, as the name of its file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(String);

impl Key {
    /// Of words: text, voice, model and language.
    pub(super) fn of_speech(speech: &Speech) -> Self {
        let (model, language) = (speech.model.as_deref(), speech.language.as_deref());
        let parts =
            [speech.text.as_str(), speech.voice.as_str(), model.unwrap_or(""), language.unwrap_or("")];
        Self::of("speech", parts.iter().map(|part| part.as_bytes()))
    }

    /// Of a recording: its bytes, wherever they lie.
    pub(super) fn of_file(content: &[u8]) -> Self {
        Self::of("file", [content].into_iter())
    }

    /// Of what an address led to when it was last asked.
    pub(super) fn of_address(url: &Url) -> Self {
        Self::of("address", [url.as_str().as_bytes()].into_iter())
    }

    fn of<'a>(kind: &'a str, parts: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in [FORMAT.as_bytes(), kind.as_bytes()].into_iter().chain(parts) {
            // With its length, so that no two lists of parts are the same bytes.
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part);
        }
        Self(hex::encode(hash.finalize()))
    }

    fn file_name(&self) -> String {
        format!("{}.{SUFFIX}", self.0)
    }
}

/// The folder. It need not be there, and need not be writable: then every start makes its prompts again.
#[derive(Clone, Debug)]
pub(super) struct PromptCache {
    folder: PathBuf,
}

impl PromptCache {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The clip, if it is there and is what was written. Blocks.
    pub(super) fn read(&self, key: &Key) -> Option<Clip> {
        let path = self.folder.join(key.file_name());
        let mut file = Vec::new();
        File::open(path).ok()?.take(FILE_BYTES_MAX + 1).read_to_end(&mut file).ok()?;
        whole_clip(Bytes::from(file))
    }

    /// Keeps the clip; a reader sees the whole file or none, after a crash as well. Blocks.
    pub(super) fn save(&self, key: &Key, clip: &Clip) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.folder)?;
        write(&mut file, clip)?;
        file.persist(self.folder.join(key.file_name())).map_err(|error| error.error)?;
        // The name is as durable as the content only when its folder is.
        File::open(&self.folder)?.sync_all()
    }

    /// Removes what nobody used for longest, beyond [`UNUSED_MAX`] files. Blocks.
    pub(super) fn prune(&self, in_use: &HashSet<Key>) {
        let in_use: HashSet<String> = in_use.iter().map(Key::file_name).collect();
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
            // Whoever else removed it, or forbids it, does no harm: the next start tries again.
            let _harmless = fs::remove_file(path);
        }
    }
}

/// Nothing but files of these names is ever removed: somebody may name a folder that holds other things.
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

/// None for anything but what was written: a disk that fills up or dies leaves other things.
fn whole_clip(file: Bytes) -> Option<Clip> {
    let (head, pcm) = file.split_at_checked(MAGIC.len().saturating_add(32))?;
    let (magic, hash) = head.split_at_checked(MAGIC.len())?;
    let is_whole = magic == MAGIC && hash == Sha256::digest(pcm).as_slice();
    let is_sound = !pcm.is_empty() && pcm.len().is_multiple_of(2);
    (is_whole && is_sound).then(|| Clip::new(file.slice_ref(pcm)))
}
