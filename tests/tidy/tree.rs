//! The project's own text, read once, and the one door through which rules are held against it.

use std::path::Path;
use std::sync::OnceLock;

use crate::source::Source;

/// Folders and files that are the project's; whatever a build or a person leaves beside them is not.
const FOLDERS: [&str; 12] =
    [".ci", "actors", "benches", "crates", "deploy", "docs", "fuzz", "scripts", "sql", "src", "tests", "web"];
const FILES: [&str; 12] = [
    ".dockerignore",
    ".env.example",
    ".gitignore",
    ".cargo/config.toml",
    "CONTRIBUTING.md",
    "Cargo.toml",
    "Dockerfile",
    "README.md",
    "compose.yaml",
    "deny.toml",
    "rust-toolchain.toml",
    "rustfmt.toml",
];

/// Breaches that were there before their rule was run, each to be mended where it stands. None may join them.
const KNOWN: [(&str, &str); 1] =
    [("crates/store/src/connect/url/tests.rs", "the first line is no `//!` doc")];

/// Every file of the project that is text.
pub fn tree() -> &'static [Source] {
    static TREE: OnceLock<Vec<Source>> = OnceLock::new();
    TREE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = Vec::new();
        for folder in FOLDERS {
            read_folder(root, &root.join(folder), &mut sources);
        }
        for file in FILES {
            read_file(root, &root.join(file), &mut sources);
        }
        // A walk that finds nothing would let every rule pass.
        assert!(sources.iter().filter(|source| source.is_rust()).count() > 40, "{root:?} is not the project");
        sources
    })
}

/// Fails with every breach in the tree.
pub fn holds(rule: impl Fn(&Source) -> Vec<String>) {
    let is_known = |breach: &String| {
        KNOWN.iter().any(|(path, what)| breach.starts_with(&format!("{path}:")) && breach.ends_with(what))
    };
    let breaches: Vec<String> = tree().iter().flat_map(rule).filter(|breach| !is_known(breach)).collect();
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}

/// Fails unless the rule sees what is wrong with this file.
pub fn catches(rule: impl Fn(&Source) -> Vec<String>, path: &str, text: &str) {
    let planted = Source::new(path, text);
    assert!(!rule(&planted).is_empty(), "the rule does not see the breach in {path}:\n{text}");
}

/// Fails when the rule sees something wrong in a file that is right.
pub fn spares(rule: impl Fn(&Source) -> Vec<String>, path: &str, text: &str) {
    let planted = Source::new(path, text);
    assert_eq!(rule(&planted), Vec::<String>::new(), "{text}");
}

fn read_folder(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        // Inputs of the fuzz targets are text by chance.
        let is_foreign = path.file_name().is_some_and(|name| name == "target" || name == "node_modules")
            || path.ends_with("fuzz/corpus");
        if path.is_dir() && !is_foreign {
            read_folder(root, &path, sources);
            continue;
        }
        read_file(root, &path, sources);
    }
}

fn read_file(root: &Path, path: &Path, sources: &mut Vec<Source>) {
    // Samples and pictures are no text; a folder or a missing file is none either.
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let name = path.strip_prefix(root).unwrap().to_str().unwrap();
    sources.push(Source::new(name, &text));
}
