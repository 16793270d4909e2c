//! The inputs that are kept: files in `corpus/`, and in another folder of the project.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Target;

/// The folder of a target's inputs.
#[must_use]
pub fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

/// All inputs of a target with their files, in order. Longer files are cut to the target's longest input.
///
/// # Errors
/// A file cannot be read, or there is none.
pub fn corpus(target: &Target) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let more = target.more.map(|more| Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(more));
    let mut inputs = Vec::new();
    for folder in [Some(folder(target)), more].into_iter().flatten() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let mut input = fs::read(&path)?;
            input.truncate(target.bytes_max);
            inputs.push((path, input));
        }
    }
    inputs.sort();
    if inputs.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(inputs) }
}
