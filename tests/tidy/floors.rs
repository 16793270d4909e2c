//! The floors of the house: which crate and which room may name which. Arrows point downwards, and no file stands in a
//! circle.

use std::collections::BTreeSet;

use crate::modules::{Module, Modules};
use crate::source::Source;
use crate::tree::{catches, holds, spares, tree};

/// The rooms of the engine, topmost floor first. A room may name rooms on lower floors only.
const FLOORS: [&[&str]; 10] = [
    &["lifecycle"],
    &["api"],
    &["erasure", "reports"],
    &["canary"],
    &["admission"],
    &["call"],
    &["voices"],
    &["observe", "pbx"],
    &["limits", "durability"],
    &["runtime", "caller_key"],
];

/// Files that name each other and may: a job's messages go to its book, and the book starts its jobs.
const NATURAL_CIRCLE: [&str; 2] = ["voices::clone_job", "voices::voice_book"];

/// The crates with files of ours, and what each may name of the others.
const CRATES: [(&str, &[&str]); 9] = [
    ("crates/call/", &[]),
    ("crates/base/", &["precall_call"]),
    ("crates/providers/", &["precall_call", "precall_base"]),
    ("crates/store/", &["precall_call", "precall_base"]),
    ("crates/audio/", &["precall_call", "precall_base", "precall_providers"]),
    ("crates/simulators/", &[]),
    ("crates/embedded-postgres/", &[]),
    ("actors/", &["precall_call", "precall_base", "precall_providers", "precall_store", "precall_audio"]),
    (
        "src/",
        &[
            "precall_call",
            "precall_base",
            "precall_providers",
            "precall_store",
            "precall_audio",
            "precall_actors",
            "precall_simulators",
            "precall_embedded_postgres",
        ],
    ),
];

const ALL_CRATES: [&str; 9] = [
    "precall_call",
    "precall_base",
    "precall_providers",
    "precall_store",
    "precall_audio",
    "precall_actors",
    "precall_simulators",
    "precall_embedded_postgres",
    "precall_test_support",
];

/// Folders whose files are looked through for circles.
const ROOTS: [&str; 9] = [
    "actors/src/",
    "crates/audio/src/",
    "crates/base/src/",
    "crates/call/src/",
    "crates/embedded-postgres/src/",
    "crates/providers/src/",
    "crates/simulators/src/",
    "crates/store/src/",
    "src/",
];

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The room of a file of the engine.
fn room(path: &str) -> Option<&str> {
    path.strip_prefix("actors/src/")?.split(['/', '.']).next().filter(|room| *room != "lib")
}

fn named_rooms(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or_default()
    })
}

fn rooms_above(source: &Source) -> Vec<String> {
    let Some(own) = room(&source.path).filter(|_| source.is_rust()) else { return Vec::new() };
    let Some(own_floor) = floor(own) else { return vec![source.breach(1, "a room that has no floor")] };
    let lines = source.shipped().lines().enumerate();
    let named = lines.flat_map(|(index, line)| named_rooms(line).map(move |room| (index + 1, room)));
    let wrong =
        named.filter(|(_, other)| *other != own && floor(other).is_none_or(|floor| floor <= own_floor));
    wrong
        .map(|(line, other)| source.breach(line, &format!("`{own}` stands below or beside `{other}`")))
        .collect()
}

#[test]
fn rooms_of_the_engine_name_lower_floors_only() {
    holds(rooms_above);
    catches(rooms_above, "actors/src/voices/clone_job.rs", "use crate::call::messages::CallEvent;");
    catches(rooms_above, "actors/src/pbx/pbx_feed.rs", "use crate::observe::metrics::Metrics;");
    catches(rooms_above, "actors/src/attic/x.rs", "fn x() {}");
    catches(rooms_above, "actors/src/call/line.rs", "use crate::attic::X;");
    spares(rooms_above, "actors/src/call/handoff.rs", "use crate::voices::terms::VoiceOutcome;");
    let rooms = |source: &Source| room(&source.path).map(str::to_owned);
    let found: BTreeSet<String> = tree().iter().filter(|source| source.is_rust()).filter_map(rooms).collect();
    let listed: BTreeSet<String> = FLOORS.concat().iter().map(|room| (*room).to_owned()).collect();
    assert_eq!(found, listed, "every room has a floor, and every floor its rooms");
}

#[test]
fn crates_name_lower_crates_only() {
    let rule = |source: &Source| {
        let Some((_, may)) = CRATES.iter().find(|(place, _)| source.is_under(place)) else {
            return Vec::new();
        };
        if !source.is_rust() || source.is_test() {
            return Vec::new();
        }
        let own = |name: &&str| {
            source.is_under(&format!("crates/{}/", name.trim_start_matches("precall_").replace('_', "-")))
        };
        let mut wrong: Vec<&str> =
            ALL_CRATES.iter().filter(|name| !may.contains(name) && !own(name)).copied().collect();
        if !source.is_under("src/") {
            wrong.push("precall::");
        }
        source.lines_with(source.shipped(), &wrong, "this crate stands below it, or beside it")
    };
    holds(rule);
    catches(rule, "crates/store/src/voices.rs", "use precall_providers::elevenlabs::VoiceSample;");
    catches(rule, "crates/providers/src/s3.rs", "use precall_store::voices;");
    catches(rule, "crates/simulators/src/s3.rs", "use precall_base::clock;");
    catches(rule, "actors/src/api.rs", "use precall::config::Config;");
    spares(rule, "crates/audio/src/lib.rs", "use precall_providers::tls_roots;");
}

#[test]
fn no_file_stands_in_a_circle() {
    let natural: BTreeSet<Module> =
        NATURAL_CIRCLE.iter().map(|path| path.split("::").map(str::to_owned).collect()).collect();
    let mut read = 0;
    let mut found = Vec::new();
    for root in ROOTS {
        let modules = Modules::of(tree(), root);
        read += modules.len();
        for circle in modules.circles() {
            let is_natural = root == "actors/src/" && circle.iter().all(|module| natural.contains(*module));
            if !is_natural {
                let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
                found.push(format!("{root}: {}", names.join(", ")));
            }
        }
    }
    assert!(read > 300, "only {read} files were read");
    assert!(found.is_empty(), "files that name each other:\n{}", found.join("\n"));
}
