//! Tests of the cache: a clip comes back intact or not at all.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use precall_call::VoiceId;
use precall_providers::elevenlabs::Speech;
use tempfile::TempDir;

use super::{CacheKey, PromptCache, UNUSED_MAX};
use crate::clip::Clip;

fn speech(text: &str, voice: &str) -> Speech {
    Speech { text: text.to_owned(), voice: VoiceId::new(voice), model: None, language: None }
}

fn clip(byte: u8) -> Clip {
    Clip::new(Bytes::from(vec![byte; 4_000]))
}

fn cache() -> (TempDir, PromptCache) {
    let dir = tempfile::tempdir().unwrap();
    let cache = PromptCache::new(dir.path().join("not/there/yet"));
    (dir, cache)
}

fn files(cache: &PromptCache) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(&cache.folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_saved_clip_can_be_read() {
    let (_dir, cache) = cache();
    let (hello, bye) = (CacheKey::speech(&speech("hello", "v")), CacheKey::speech(&speech("bye", "v")));
    assert_eq!(cache.read(&hello), None);
    cache.save(&hello, &clip(1)).unwrap();
    cache.save(&bye, &clip(2)).unwrap();
    assert_eq!(cache.read(&hello), Some(clip(1)));
    assert_eq!(cache.read(&bye), Some(clip(2)));
    cache.save(&hello, &clip(3)).unwrap();
    assert_eq!(cache.read(&hello), Some(clip(3)));
    assert_eq!(files(&cache).len(), 2, "nothing unfinished is left");
}

#[test]
fn every_input_of_the_sound_changes_the_key() {
    let plain = speech("hello", "v");
    let with = |model: Option<&str>, language: Option<&str>| {
        let (model, language) = (model.map(str::to_owned), language.map(str::to_owned));
        CacheKey::speech(&Speech { model, language, ..plain.clone() })
    };
    let keys = HashSet::from([
        CacheKey::speech(&plain),
        CacheKey::speech(&speech("hello ", "v")),
        CacheKey::speech(&speech("hello", "w")),
        CacheKey::speech(&speech("hellov", "")),
        with(Some("m"), None),
        with(None, Some("m")),
        CacheKey::file(b"hello"),
        CacheKey::file(b"hello v"),
        CacheKey::address(&"https://host/hello".parse().unwrap()),
    ]);
    assert_eq!(keys.len(), 9);
    assert_eq!(with(None, None), CacheKey::speech(&plain));
}

#[test]
fn a_damaged_file_is_ignored() {
    let (_dir, cache) = cache();
    let key = CacheKey::file(b"x");
    cache.save(&key, &clip(1)).unwrap();
    let path = files(&cache).remove(0);
    let whole = fs::read(&path).unwrap();
    let flipped = |at: usize| {
        let mut file = whole.clone();
        file[at] ^= 1;
        file
    };
    let cut = whole[..whole.len() - 2].to_vec();
    let longer = [whole.as_slice(), &[0, 0]].concat();
    let bad = [cut, longer, flipped(0), flipped(20), flipped(100), Vec::new(), whole[..40].to_vec()];
    for (n, file) in bad.into_iter().enumerate() {
        fs::write(&path, file).unwrap();
        assert_eq!(cache.read(&key), None, "{n}");
    }
    cache.save(&key, &clip(1)).unwrap();
    assert_eq!(cache.read(&key), Some(clip(1)), "made again in its place");
}

#[test]
fn saving_into_an_unwritable_folder_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let in_the_way = dir.path().join("file");
    fs::write(&in_the_way, "x").unwrap();
    let cache = PromptCache::new(in_the_way.join("cache"));
    assert!(cache.save(&CacheKey::file(b"x"), &clip(1)).is_err());
    assert_eq!(cache.read(&CacheKey::file(b"x")), None);
    cache.prune(&HashSet::new());
    assert_eq!(fs::read(&in_the_way).unwrap(), b"x");
}

#[test]
fn pruning_removes_old_unused_clips_only() {
    let (_dir, cache) = cache();
    let key = |n: usize| CacheKey::file(&n.to_le_bytes());
    for n in 0..UNUSED_MAX + 20 {
        cache.save(&key(n), &clip(1)).unwrap();
        let path = cache.folder.join(key(n).file_name());
        // Sets the age explicitly: the file system's clock may be too coarse.
        let file = fs::File::options().write(true).open(path).unwrap();
        let second = std::time::Duration::from_secs(u64::try_from(n).unwrap());
        file.set_modified(std::time::UNIX_EPOCH + second).unwrap();
    }
    fs::write(cache.folder.join("greeting.clip"), "a foreign file").unwrap();
    let leftover = cache.folder.join(".clip-a1B2c3");
    fs::write(&leftover, "half").unwrap();
    fs::File::options().write(true).open(&leftover).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    cache.prune(&HashSet::from([key(0)]));
    assert!(cache.read(&key(0)).is_some(), "the oldest, and in use");
    assert!(!leftover.exists());
    let gone = (1..UNUSED_MAX + 20).take_while(|n| cache.read(&key(*n)).is_none()).count();
    assert_eq!(gone, 19, "the oldest go, as many as are too many");
    assert!(cache.folder.join("greeting.clip").exists());
    assert_eq!(files(&cache).len(), UNUSED_MAX + 2);
}
