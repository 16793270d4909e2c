//! Who may know whom. The arrows are those of the architecture: downwards only; upward talk goes through a `Recipient`.

use crate::source::{Source, has_word};
use crate::tree::{catches, holds, spares, tree};

/// The actors, topmost first: module, actor, and how deep it stands. An actor may name deeper ones only.
const ACTORS: [(&str, &str, u8); 9] = [
    ("report_collector", "ReportCollector", 1),
    ("pbx_feed", "PbxFeed", 1),
    ("supervisor", "CallSupervisor", 2),
    ("call_actor", "CallActor", 3),
    ("greeting", "GreetingActor", 4),
    ("handoff", "Handoff", 4),
    ("clone_worker", "CloneWorker", 4),
    ("voice_book", "VoiceBook", 5),
    ("persistence", "PersistenceActor", 6),
];

/// The only files that may ask what time it is; everybody else is told.
const CLOCKS: [(&str, &str); 8] = [
    ("actors/src/engine", "hands the clock to the actors"),
    ("src/app", "dates what arrives"),
    ("src/log", "dates its lines"),
    ("src/command", "a command runs once, for a person"),
    ("src/simulators/", "stands for other programs, which have clocks of their own"),
    ("src/embedded_postgres/", "waits for a child process"),
    ("actors/src/providers/elevenlabs/calls.rs", "one deadline over several pages"),
    ("actors/src/providers/elevenlabs/voices.rs", "one deadline over several pages"),
];

/// The only places that know PostgreSQL: the store speaks, the engine owns the pool, the address is parsed, a cluster started.
const DATABASE: [&str; 4] =
    ["actors/src/store/", "actors/src/engine", "src/config/database_url.rs", "src/embedded_postgres/"];

/// Whether a text names a module of this crate by path; a local variable of the same name is none.
fn names_module(line: &str, module: &str) -> bool {
    let path = format!("{module}::");
    line.match_indices(&path).any(|(at, _)| {
        let before = &line[..at];
        let stands_alone =
            !before.ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == ':');
        stands_alone || ["crate::", "super::", "precall_actors::"].iter().any(|root| before.ends_with(root))
    })
}

fn actors_named(code: &str, line_number: usize) -> impl Iterator<Item = (usize, u8, &'static str)> {
    ACTORS
        .iter()
        .filter(move |(module, actor, _)| names_module(code, module) || has_word(code, actor))
        .map(move |(module, _, depth)| (line_number, *depth, *module))
}

fn breaches_of(source: &Source, may_name: impl Fn(u8, &str) -> bool) -> Vec<String> {
    let lines = source.shipped().lines().enumerate();
    lines
        .flat_map(|(index, line)| actors_named(line, index + 1))
        .filter(|(_, depth, module)| !may_name(*depth, module))
        .map(|(line, _, module)| source.breach(line, &format!("may not know the actor `{module}`")))
        .collect()
}

#[test]
fn the_call_crate_depends_on_nothing() {
    let rule = |source: &Source| {
        let is_manifest = source.path == "actors/call/Cargo.toml";
        let lines = source.text.lines().enumerate().filter(|_| is_manifest);
        let found = lines.filter(|(_, line)| line.starts_with('[') && line.contains("dependencies"));
        found.map(|(index, _)| source.breach(index + 1, "the pure crate has dependencies")).collect()
    };
    assert!(tree().iter().any(|source| source.path == "actors/call/Cargo.toml"));
    holds(rule);
    catches(rule, "actors/call/Cargo.toml", "[dev-dependencies]\nserde = \"1\"");
}

#[test]
fn the_call_crate_touches_nothing_outside() {
    let world = [
        "std::fs",
        "std::net",
        "std::io",
        "std::env",
        "std::process",
        "std::thread",
        "Mutex",
        "RwLock",
        "OnceLock",
        "SystemTime",
        "Instant",
        "println!",
        "eprintln!",
        "extern",
    ];
    let rule = |source: &Source| {
        let is_pure = source.is_rust() && source.is_under("actors/call/");
        let code = if is_pure { source.shipped() } else { "" };
        source.lines_with(code, &world, "the machine is pure")
    };
    holds(rule);
    catches(rule, "actors/call/src/step.rs", "let now = std::time::Instant::now();");
}

#[test]
fn the_engine_does_not_know_the_edge() {
    let rule = |source: &Source| {
        let is_engine = source.is_rust() && source.is_under("actors/");
        let code = if is_engine { source.code.as_str() } else { "" };
        let edge = ["precall::", "actix_web", "actix_multipart", "actix_ws", "utoipa", "clap", "envy"];
        source.lines_with(code, &edge, "the engine knows neither HTTP servers nor the command line")
    };
    holds(rule);
    catches(rule, "actors/src/engine.rs", "use precall::config::Config;");
    catches(rule, "actors/src/call_actor.rs", "use actix_web::HttpResponse;");
    spares(rule, "actors/src/engine.rs", "use precall_call::CallId; // actix_web lives above");
}

#[test]
fn providers_and_store_know_no_actors() {
    let rule = |source: &Source| {
        let is_dull = source.is_under("actors/src/providers/") || source.is_under("actors/src/store/");
        if !is_dull {
            return Vec::new();
        }
        let mut breaches = breaches_of(source, |_, _| false);
        let why = "providers and store are called, they never call";
        breaches.extend(source.lines_with(source.shipped(), &["actix::", "Addr", "Recipient"], why));
        breaches
    };
    holds(rule);
    catches(rule, "actors/src/store/calls.rs", "use actix::prelude::Message;");
    catches(rule, "actors/src/providers/threecx/feed.rs", "use crate::supervisor::Admit;");
    catches(rule, "actors/src/store/batches.rs", "use crate::{ids::Id, persistence::Append};");
}

#[test]
fn providers_and_store_do_not_know_each_other() {
    let rule = |source: &Source| {
        let why = "what a provider says reaches the store as an event";
        if source.is_under("actors/src/providers/") {
            return source.lines_with(source.shipped(), &["store::"], why);
        }
        if source.is_under("actors/src/store/") {
            return source.lines_with(source.shipped(), &["providers::"], why);
        }
        Vec::new()
    };
    holds(rule);
    catches(rule, "actors/src/store/voices.rs", "use crate::providers::elevenlabs::Voice;");
}

#[test]
fn actors_know_only_the_actors_below_them() {
    let rule = |source: &Source| {
        let Some((module, _, own)) = ACTORS.iter().find(|(module, _, _)| {
            source.path == format!("actors/src/{module}.rs")
                || source.is_under(&format!("actors/src/{module}/"))
        }) else {
            return Vec::new();
        };
        breaches_of(source, |depth, other| depth > *own || other == *module)
    };
    holds(rule);
    catches(rule, "actors/src/voice_book.rs", "use crate::call_actor::VoiceDecided;");
    catches(rule, "actors/src/greeting.rs", "let peer: Addr<Handoff> = todo;");
    spares(rule, "actors/src/call_actor.rs", "use crate::greeting::Play;\nself.supervisor.do_send(Down);");
}

#[test]
fn the_pbx_feed_speaks_to_the_supervisor_alone() {
    let rule = |source: &Source| {
        if !source.is_under("actors/src/pbx_feed") {
            return Vec::new();
        }
        breaches_of(source, |_, module| module == "supervisor" || module == "pbx_feed")
    };
    holds(rule);
    catches(rule, "actors/src/pbx_feed.rs", "use crate::call_actor::Hangup;");
}

#[test]
fn the_edge_speaks_to_the_engine_not_to_its_actors() {
    let rule = |source: &Source| {
        if !source.is_rust() || !source.is_under("src/") || source.is_under("src/simulators/") {
            return Vec::new();
        }
        // The edge may have modules of these names itself, so only the engine's count.
        let lines = source.shipped().lines().enumerate();
        lines
            .flat_map(|(index, line)| {
                let named = ACTORS.iter().filter(move |(module, actor, _)| {
                    line.contains(&format!("precall_actors::{module}")) || has_word(line, actor)
                });
                named.map(move |(module, _, _)| (index + 1, *module))
            })
            .map(|(line, module)| source.breach(line, &format!("reaches past the engine to `{module}`")))
            .collect()
    };
    holds(rule);
    catches(rule, "src/http/webhook.rs", "use precall_actors::supervisor::Admit;");
    spares(rule, "src/http/webhook.rs", "use precall_actors::engine::Engine;");
}

#[test]
fn http_does_not_know_the_application_around_it() {
    let rule = |source: &Source| {
        let code = if source.is_under("src/http") { source.shipped() } else { "" };
        source.lines_with(code, &["crate::app", "crate::command", "crate::main"], "arrows point downwards")
    };
    holds(rule);
    catches(rule, "src/http/health.rs", "use crate::app::App;");
}

#[test]
fn only_the_store_speaks_sql() {
    let rule = |source: &Source| {
        let may =
            DATABASE.iter().any(|place| source.is_under(place)) || source.is_test() || !source.is_rust();
        let code = if may || source.is_under("benches/") { "" } else { source.shipped() };
        source.lines_with(code, &["tokio_postgres", "deadpool_postgres", "refinery"], "ask the store")
    };
    holds(rule);
    catches(rule, "src/http/api/calls.rs", "fn row(row: &tokio_postgres::Row) {}");
    catches(rule, "actors/src/voice_book.rs", "use deadpool_postgres::Pool;");
}

#[test]
fn simulators_share_no_types_with_the_clients() {
    let rule = |source: &Source| {
        let code = if source.is_under("src/simulators/") { source.code.as_str() } else { "" };
        source.lines_with(
            code,
            &["precall_actors", "precall_call"],
            "shared types cancel each other's errors",
        )
    };
    holds(rule);
    catches(rule, "src/simulators/elevenlabs/calls.rs", "use precall_actors::providers::elevenlabs::Voice;");
}

#[test]
fn only_listed_files_ask_what_time_it_is() {
    let asking =
        ["Instant::now", "SystemTime::now", "Timestamp::now", "Zoned::now", "Utc::now", "UNIX_EPOCH"];
    let rule = |source: &Source| {
        let listed = CLOCKS.iter().any(|(place, _)| source.is_under(place));
        let code =
            if listed || !source.is_rust() || source.is_under("benches/") { "" } else { source.shipped() };
        source.lines_with(code, &asking, "the clock is an argument")
    };
    holds(rule);
    catches(rule, "actors/src/voice_book.rs", "let now = jiff::Timestamp::now();");
    catches(rule, "src/http/webhook.rs", "let now = std::time::SystemTime::now();");
    spares(rule, "actors/src/voice_book.rs", "#[cfg(test)]\nmod tests {\n let now = Instant::now();\n}");
}
