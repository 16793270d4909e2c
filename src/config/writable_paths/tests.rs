//! Holds the list of writable paths, the deployments in the repository and the code together.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{PathKind, WritablePath};
use crate::config::Config;

/// A production configuration on the route that writes the most, without paths.
const LEAST: &[(&str, &str)] = &[
    ("ELEVENLABS_API_KEY", "sk_0123456789abcdef"),
    ("ELEVENLABS_AGENT_ID", "agent_1"),
    ("THREECX_WEBHOOK_SECRET", "three-secret-three-secret"),
    ("WEBHOOK_SECRET", "eleven-secret-eleven-secret"),
    ("DATABASE_URL", "postgresql://app:dbpass@db.example.com/precall"),
    ("THREECX_BASE_URL", "https://pbx.example.com"),
    ("THREECX_CLIENT_ID", "900"),
    ("THREECX_CLIENT_SECRET", "client-secret-client-secret"),
    ("GREETING_VOICE_ID", "voice_1"),
    ("NOTICE_MESSAGE", "An artificial voice; recorded."),
];

fn text(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

fn paths(more: &BTreeMap<String, String>) -> Vec<WritablePath> {
    let least = LEAST.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_pairs(least.chain(more.clone())).unwrap().writable_paths()
}

fn folders(paths: &[WritablePath]) -> BTreeSet<String> {
    paths.iter().map(|path| path.folder().display().to_string()).collect()
}

/// Every text between these two, in order.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    text.split(start).skip(1).map(|rest| rest.split(end).next().unwrap_or_default()).collect()
}

/// `NAME=value` lines that begin like this, if the name is a variable of the list.
fn settings(text: &str, begin: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix(begin)?.split_once('='));
    let ours = ["LOG_FILE", "ERASURE_LEDGER", "LOCAL_VOICE_SAMPLES_PATH", "SPOOL_DIR", "PROMPT_CACHE_DIR"];
    let pairs = lines.filter(|(name, _)| ours.contains(name));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The folders that the image is made with.
fn of_image() -> BTreeSet<String> {
    folders(&paths(&settings(&text("Dockerfile"), "ENV ")))
}

#[test]
fn the_image_has_a_volume_for_each_path_and_no_other() {
    let dockerfile = text("Dockerfile");
    let volumes = between(&dockerfile, "VOLUME [", "]")[0].replace("\\\n", "");
    let volumes: Vec<String> = serde_json::from_str(&format!("[{volumes}]")).unwrap();
    assert_eq!(volumes.into_iter().collect::<BTreeSet<_>>(), of_image());
    let made = between(&dockerfile, "install --directory", "\n\n")[0];
    let made: BTreeSet<String> =
        made.split_whitespace().filter_map(|word| word.strip_prefix("/image")).map(str::to_owned).collect();
    assert_eq!(made, of_image(), "the folders that account 10001 owns");
    assert!(of_image().contains("/var/lib/precall/ledger"), "{:?}", of_image());
}

#[test]
fn the_composition_mounts_each_path_and_names_each_volume() {
    let compose = text("compose.yaml");
    let service = between(&compose, "\n  precall:\n", "\n  postgres:\n")[0];
    let mounts: Vec<(&str, &str)> = between(service, "volumes:\n", "    read_only: true")[0]
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- ")?.split_once(':'))
        // The secrets, which precall reads only.
        .filter(|(_, folder)| !folder.ends_with(":ro"))
        .collect();
    assert_eq!(mounts.iter().map(|(_, folder)| (*folder).to_owned()).collect::<BTreeSet<_>>(), of_image());
    let declared = compose.split_once("\nvolumes:\n").unwrap().1;
    for (volume, _) in mounts {
        assert!(declared.contains(&format!("  {volume}: {{}}")), "{volume}");
    }
}

#[test]
fn the_image_alone_gets_a_volume_for_each_path() {
    let docs = text("docs/DEPLOYMENT.md");
    let alone = between(&docs, "## The image alone\n", "\n## ")[0];
    let command = between(alone, "docker run --detach", "\n\n")[0];
    let mounts: BTreeSet<String> = between(command, "--volume ", " ")
        .iter()
        .filter_map(|mount| Some(mount.split_once(':')?.1.trim().to_owned()))
        .collect();
    assert_eq!(mounts, of_image());
}

#[test]
fn the_unit_makes_each_folder() {
    let unit = text("deploy/package/precall.service");
    let needed = folders(&paths(&settings(&unit, "Environment=")));
    let made = |setting: &str, root: &str| -> Vec<String> {
        let names = between(&unit, setting, "\n")[0].split_whitespace();
        names.map(|name| format!("{root}/{name}")).collect()
    };
    let made = [made("StateDirectory=", "/var/lib"), made("LogsDirectory=", "/var/log")].concat();
    assert_eq!(made.into_iter().collect::<BTreeSet<_>>(), needed);
    assert!(unit.contains("ProtectSystem=strict"), "everything else is read-only");
}

#[test]
fn the_documentation_lists_each_path() {
    let docs = text("docs/DEPLOYMENT.md");
    for path in paths(&settings(&text("Dockerfile"), "ENV ")) {
        let row = docs.lines().find(|line| line.contains(&format!("| `{}` |", path.variable)));
        let row = row.unwrap_or_else(|| panic!("no row of {}", path.variable));
        assert!(row.contains(&format!("| `{}` |", path.path.display())), "{row}");
    }
}

#[test]
fn each_configuration_lists_what_it_writes() {
    let set = |pairs: &[(&str, &str)]| -> Vec<&'static str> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        paths(&pairs).iter().map(|path| path.variable).collect()
    };
    let usual = ["SPOOL_DIR", "ERASURE_LEDGER", "LOCAL_VOICE_SAMPLES_PATH", "PROMPT_CACHE_DIR"];
    assert_eq!(set(&[]), usual);
    assert_eq!(set(&[("LOG_FILE", "/var/log/a/b.log")]), [&usual[..], &["LOG_FILE"]].concat());
    let phone = ("ELEVENLABS_PHONE_NUMBER_ID", "phnum_1");
    assert_eq!(set(&[("CALL_ROUTE", "callback"), phone]), usual[..3]);
    let embedded = [("DATABASE_URL", ""), ("EMBEDDED_DATABASE", "true")];
    assert_eq!(set(&embedded), [&usual[..], &["EMBEDDED_DATABASE_DIR"]].concat());
    let ledger = paths(&BTreeMap::new()).into_iter().find(|path| path.variable == "ERASURE_LEDGER").unwrap();
    assert_eq!((ledger.kind, ledger.required), (PathKind::File, true));
}

/// Files of the program that write, and the variable whose path they write. `argument`: a path on the command line, by
/// a command that a person runs. `helper`: it writes where its caller says, and its callers are in this list.
const WRITERS: &[(&str, &str)] = &[
    ("actors/src/erasure/ledger.rs", "ERASURE_LEDGER"),
    ("actors/src/admission/bypass_keeper.rs", "SPOOL_DIR"),
    ("actors/src/lifecycle/last_acted.rs", "SPOOL_DIR"),
    ("src/cli/bundle.rs", "argument"),
    ("actors/src/voices/known_database.rs", "SPOOL_DIR"),
    ("actors/src/voices/samples/local.rs", "LOCAL_VOICE_SAMPLES_PATH"),
    ("crates/audio/src/prompts/cache.rs", "PROMPT_CACHE_DIR"),
    ("crates/store/src/leader/process_mark.rs", "SPOOL_DIR"),
    ("crates/store/src/spool/disk.rs", "SPOOL_DIR"),
    ("crates/store/src/spool/disk/files.rs", "SPOOL_DIR"),
    ("src/cli/callers.rs", "argument"),
    // Tries each path of the list, and leaves nothing.
    ("src/cli/check/paths.rs", "argument"),
    ("src/cli/live_call.rs", "argument"),
    ("src/http/webhooks/recordings.rs", "LOCAL_VOICE_SAMPLES_PATH"),
    ("src/logging/file.rs", "LOG_FILE"),
];

#[test]
fn no_other_file_of_the_program_writes() {
    const WRITES: [&str; 9] = [
        "File::create",
        "OpenOptions::new",
        "fs::write",
        "create_dir",
        "DirBuilder::new",
        "tempfile_in",
        "NamedTempFile::new",
        "fs::rename",
        "fs::copy",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut found) = (Vec::new(), BTreeSet::new());
    // The demo, the simulators and the embedded database are not in production's program.
    for room in [
        "src",
        "actors/src",
        "crates/audio/src",
        "crates/base/src",
        "crates/call/src",
        "crates/providers/src",
        "crates/store/src",
    ] {
        sources(&root.join(room), &mut files);
    }
    for file in files {
        let name = file.strip_prefix(root).unwrap().display().to_string();
        let is_test =
            ["/tests", "/test_", "src/demo", "src/cli/demo.rs"].iter().any(|part| name.contains(part));
        let source = std::fs::read_to_string(&file).unwrap();
        let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        if !is_test && WRITES.iter().any(|way| source.contains(way)) {
            found.insert(name);
        }
    }
    assert_eq!(found, WRITERS.iter().map(|(file, _)| (*file).to_owned()).collect());
    let listed = paths(&[("LOG_FILE".to_owned(), "/var/log/a.log".to_owned())].into());
    for (file, variable) in WRITERS {
        let is_listed = *variable == "argument" || listed.iter().any(|path| path.variable == *variable);
        assert!(is_listed, "{file} writes to {variable}");
    }
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}
