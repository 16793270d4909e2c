//! Tests of the list of files.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use super::{FILES, HASH};

fn found(folder: &Path, below: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            found(&path, below, into);
        } else if path.extension().is_some_and(|end| end == "js" || end == "css") {
            into.push(path.strip_prefix(below).unwrap().display().to_string());
        }
    }
}

#[test]
fn every_script_and_style_sheet_is_served() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/pages");
    let mut files = Vec::new();
    found(&folder, &folder, &mut files);
    files.sort();
    let listed: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
    assert_eq!(listed, files, "the list is sorted and whole");
    assert_eq!(HASH.len(), 16);
}

#[test]
fn scripts_load_nothing_from_elsewhere() {
    for (path, text) in FILES {
        for foreign in ["http://", "https://", "innerHTML", "outerHTML", "insertAdjacentHTML", "eval("] {
            // A name space is no address.
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains(foreign), "{path} has {foreign}");
        }
    }
}
