//! Who may know whom. The arrows are those of the architecture: downwards only; upward talk goes through a `Recipient`.

use crate::source::{Source, has_word};
use crate::tree::{catches, holds, spares, tree};

/// The actors, topmost first: module, actor, and how deep it stands. An actor may name deeper ones only.
const ACTORS: [(&str, &str, u8); 11] = [
    ("report_collector", "ReportCollector", 1),
    ("pbx_feed", "PbxFeed", 1),
    ("supervisor", "CallSupervisor", 2),
    ("call_actor", "CallActor", 3),
    ("greeting", "GreetingActor", 4),
    ("handoff", "Handoff", 4),
    ("clone_worker", "CloneWorker", 4),
    ("conversation_lookup", "ConversationLookup", 5),
    ("voice_book", "VoiceBook", 5),
    ("clone_job", "CloneJob", 6),
    ("persistence", "PersistenceActor", 7),
];

/// Who may name somebody above it nevertheless, and to say what. Messages live with the actor that receives them.
const UPWARD: [(&str, &str, &str); 7] = [
    ("call_actor", "supervisor", "its end, to the one that started it"),
    ("greeting", "call_actor", "its outcome, to the one that started it"),
    ("handoff", "call_actor", "its outcome, to the one that started it"),
    ("conversation_lookup", "call_actor", "its outcome, to the one that started it"),
    ("clone_worker", "call_actor", "its outcome, to the one that started it"),
    ("voice_book", "clone_worker", "the answer it was asked for"),
    ("clone_job", "voice_book", "its outcome, to the one that started it"),
];

/// The one place that asks what time of day it is; the log dates its lines itself, and simulators stand for other
/// programs, which have clocks of their own.
const CLOCK: [&str; 3] = ["crates/base/src/clock.rs", "src/logging/drain.rs", "crates/simulators/"];

/// Who may hold a stopwatch: a wait or a duration that no call's log ever sees.
const STOPWATCHES: [(&str, &str); 11] = [
    ("actors/src/engine", "waits for what it starts and stops"),
    ("actors/src/media/", "paces audio"),
    ("src/logging/file.rs", "looks after its file now and then"),
    ("crates/simulators/", "other programs"),
    ("crates/embedded-postgres/", "waits for a child process"),
    ("src/demo", "waits as a caller does"),
    ("src/live_check/", "measures a PBX"),
    ("src/http/api/events.rs", "paces a stream"),
    ("src/http/webhooks/signed_body.rs", "one deadline over a whole body"),
    ("src/http/outcome_metrics.rs", "how long an answer took"),
    ("crates/providers/src/elevenlabs/pages.rs", "one deadline over several pages"),
];

/// Rules without a world: what they need to know, the time included, is an argument.
const PURE: [&str; 19] = [
    "actors/src/durability/batcher.rs",
    "actors/src/voices/circuit_breaker.rs",
    "actors/src/budgets",
    "actors/src/durability/write_path.rs",
    "crates/store/src/spool.rs",
    "actors/src/call/projection.rs",
    "actors/src/limits/dial_guard.rs",
    "actors/src/call/line.rs",
    "crates/audio/src/sample_framing.rs",
    "crates/audio/src/clip.rs",
    "crates/audio/src/pacer.rs",
    "crates/audio/src/net/stream_retry.rs",
    "crates/audio/src/playlist_cursor.rs",
    "crates/audio/src/playlist.rs",
    "crates/base/src/phone_number",
    "actors/src/voices/reconcile_rules.rs",
    "actors/src/admission/call_registry.rs",
    "actors/src/voices/slot_rules.rs",
    "actors/src/voice_book/book",
];

/// The only places that speak to PostgreSQL.
const DATABASE: [(&str, &str); 4] = [
    ("actors/src/store/", "the store: statements beside their rows"),
    ("actors/src/engine", "owns the pool, and looks whether the database is there"),
    ("crates/embedded-postgres/", "starts a cluster, and makes databases in it"),
    ("src/demo", "looks at its tables as a person with psql would, not by the word of the service"),
];

/// Those who pass a pool on to the store without a word to PostgreSQL of their own.
const POOL_HOLDERS: [&str; 4] = [
    "actors/src/durability/persistence.rs",
    "actors/src/call/services.rs",
    "src/app.rs",
    "src/http/engine.rs",
];

/// How a statement begins; `update` and `with` alone begin sentences as well.
const STATEMENTS: [&str; 6] =
    ["select ", "insert into ", "delete from ", "truncate ", "create table ", "alter table "];

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

/// Whether a text names this actor, and not the job of the same name in the machine's vocabulary.
fn names_actor(line: &str, actor: &str) -> bool {
    has_word(&line.replace(&format!("CallPart::{actor}"), ""), actor)
}

fn actors_named(code: &str, line_number: usize) -> impl Iterator<Item = (usize, u8, &'static str)> {
    ACTORS
        .iter()
        .filter(move |(module, actor, _)| names_module(code, module) || names_actor(code, actor))
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
        let is_manifest = source.path == "crates/call/Cargo.toml";
        let lines = source.text.lines().enumerate().filter(|_| is_manifest);
        let found = lines.filter(|(_, line)| line.starts_with('[') && line.contains("dependencies"));
        found.map(|(index, _)| source.breach(index + 1, "the pure crate has dependencies")).collect()
    };
    assert!(tree().iter().any(|source| source.path == "crates/call/Cargo.toml"));
    holds(rule);
    catches(rule, "crates/call/Cargo.toml", "[dev-dependencies]\nserde = \"1\"");
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
        let is_pure = source.is_rust() && source.is_under("crates/call/");
        let code = if is_pure { source.shipped() } else { "" };
        source.lines_with(code, &world, "the machine is pure")
    };
    holds(rule);
    catches(rule, "crates/call/src/step.rs", "let now = std::time::Instant::now();");
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
    catches(rule, "actors/src/api.rs", "use precall::config::Config;");
    catches(rule, "actors/src/call/call_actor.rs", "use actix_web::HttpResponse;");
    spares(rule, "actors/src/api.rs", "use precall_call::CallId; // actix_web lives above");
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
    catches(rule, "crates/store/src/voices.rs", "use crate::providers::elevenlabs::Voice;");
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
        breaches_of(source, |depth, other| {
            let is_listed = UPWARD.iter().any(|(who, whom, _)| who == module && *whom == other);
            depth > *own || other == *module || is_listed
        })
    };
    holds(rule);
    catches(rule, "actors/src/voices/voice_book.rs", "use crate::call_actor::VoiceDecided;");
    catches(rule, "actors/src/voices/clone_job.rs", "use crate::clone_worker::VoiceOutcome;");
    catches(rule, "actors/src/call/greeting_actor.rs", "let peer: Addr<Handoff> = todo;");
    catches(rule, "actors/src/call/greeting_actor.rs", "use crate::supervisor::CallDown;");
    spares(
        rule,
        "actors/src/call/call_actor.rs",
        "use crate::greeting::Play;\nself.supervisor.do_send(Down);",
    );
    spares(rule, "actors/src/call/greeting_actor.rs", "use crate::call_actor::Happened;");
    spares(rule, "actors/src/call/greeting_actor.rs", "let job = Job::Handoff;");
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
    catches(rule, "actors/src/pbx/pbx_feed.rs", "use crate::call_actor::Hangup;");
}

#[test]
fn the_edge_speaks_to_the_engine_not_to_its_actors() {
    let rule = |source: &Source| {
        if !source.is_rust() || !source.is_under("src/") {
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
    catches(rule, "src/http/webhook.rs", "use precall_actors::admission::call_supervisor::Admit;");
    spares(rule, "src/http/webhook.rs", "use precall_actors::api::Engine;");
}

#[test]
fn http_does_not_know_the_application_around_it() {
    let rule = |source: &Source| {
        let code = if source.is_under("src/http") { source.shipped() } else { "" };
        source.lines_with(code, &["crate::app", "crate::cli", "crate::demo"], "arrows point downwards")
    };
    holds(rule);
    catches(rule, "src/http/ops/health.rs", "use crate::app::App;");
}

#[test]
fn only_the_store_speaks_to_postgresql() {
    let rule = |source: &Source| {
        let may = DATABASE.iter().any(|(place, _)| source.is_under(place)) || !source.is_rust();
        if may || source.is_test() || source.is_under("benches/") {
            return Vec::new();
        }
        let holds_a_pool = POOL_HOLDERS.iter().any(|place| source.is_under(place));
        let code = if holds_a_pool {
            source.shipped().replace("deadpool_postgres::Pool;", "").replace("deadpool_postgres::Pool,", "")
        } else {
            source.shipped().to_owned()
        };
        let mut breaches =
            source.lines_with(&code, &["tokio_postgres", "deadpool_postgres", "refinery"], "ask the store");
        let is_statement = |text: &str| {
            STATEMENTS.iter().any(|start| text.starts_with(start))
                || (text.starts_with("update ") && text.contains(" set "))
        };
        let shipped_lines = source.shipped().lines().count();
        let strings = source.strings.iter().filter(|(line, _)| *line <= shipped_lines);
        let statements = strings.filter(|(_, text)| is_statement(text.trim_start()));
        breaches.extend(statements.map(|(line, _)| source.breach(*line, "a statement outside the store")));
        breaches
    };
    holds(rule);
    catches(rule, "src/http/api/calls.rs", "fn row(row: &tokio_postgres::Row) {}");
    catches(rule, "src/http/api/calls.rs", "client.query(\"select 1\", &[])");
    catches(rule, "src/app.rs", "use deadpool_postgres::Manager;");
    catches(rule, "actors/src/voices/voice_book.rs", "use deadpool_postgres::Pool;");
    spares(rule, "src/app.rs", "fn settings(\n    pool: deadpool_postgres::Pool,\n) {}");
    spares(rule, "src/x.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n    ask(\"select 1\");\n}");
}

#[test]
fn simulators_share_no_types_with_the_clients() {
    let rule = |source: &Source| {
        let code = if source.is_under("crates/simulators/") { source.code.as_str() } else { "" };
        source.lines_with(
            code,
            &["precall_actors", "precall_call"],
            "shared types cancel each other's errors",
        )
    };
    holds(rule);
    catches(rule, "crates/simulators/src/elevenlabs/calls.rs", "use precall_providers::elevenlabs::Voice;");
}

#[test]
fn one_clock_says_what_time_it_is() {
    let asking = ["SystemTime", "Timestamp::now", "Zoned::now", "Utc::now", "Local::now"];
    let rule = |source: &Source| {
        let may = CLOCK.iter().any(|place| source.is_under(place)) || !source.is_rust();
        let code = if may || source.is_under("benches/") { "" } else { source.shipped() };
        source.lines_with(code, &asking, "there is one clock: `precall_base::clock`")
    };
    holds(rule);
    catches(rule, "actors/src/voices/voice_book.rs", "let now = jiff::Timestamp::now();");
    catches(rule, "src/http/webhook.rs", "let now = std::time::SystemTime::now();");
    spares(
        rule,
        "actors/src/voices/voice_book.rs",
        "#[cfg(test)]\nmod tests {\n let now = SystemTime::now();\n}",
    );
}

#[test]
fn only_listed_files_hold_a_stopwatch() {
    let rule = |source: &Source| {
        let listed = STOPWATCHES.iter().any(|(place, _)| source.is_under(place)) || !source.is_rust();
        let code = if listed || source.is_under("benches/") { "" } else { source.shipped() };
        source.lines_with(code, &["Instant::now"], "the clock is an argument")
    };
    holds(rule);
    catches(rule, "actors/src/call/call_actor.rs", "let began = std::time::Instant::now();");
}

#[test]
fn rules_providers_and_store_are_told_what_time_it_is() {
    let rule = |source: &Source| {
        let told = ["actors/src/providers/", "actors/src/store/"];
        let is_told = PURE.iter().chain(&told).any(|place| source.is_under(place));
        let code = if is_told { source.shipped() } else { "" };
        source.lines_with(code, &["clock"], "the clock is an argument")
    };
    holds(rule);
    catches(rule, "actors/src/voices/rules.rs", "use crate::clock;");
    catches(rule, "crates/store/src/voices.rs", "let now = crate::clock::now();");
    spares(rule, "actors/src/voices/voice_book.rs", "use crate::clock;");
}

#[test]
fn rules_have_no_world() {
    let world =
        ["actix", "tokio", "awc", "tokio_postgres", "deadpool_postgres", "std::fs", "std::env", "std::net"];
    let rule = |source: &Source| {
        let is_pure = PURE.iter().any(|place| source.is_under(place));
        let code = if is_pure { source.shipped() } else { "" };
        source.lines_with(code, &world, "rules are pure")
    };
    holds(rule);
    catches(rule, "actors/src/admission/call_registry.rs", "use actix::Addr;");
    catches(rule, "actors/src/durability/batcher.rs", "tokio::time::timeout(LIMIT, later)");
    spares(rule, "actors/src/durability/persistence.rs", "use actix::Addr;");
}

/// A place that moved would leave its rule asleep, or its exception open to whoever comes to live there.
#[test]
fn every_place_that_a_rule_names_is_there() {
    let is_there = |place: &str| tree().iter().any(|source| source.is_under(place));
    let databases = DATABASE.iter().map(|(place, _)| *place);
    let stopwatches = STOPWATCHES.iter().map(|(place, _)| *place);
    let places = PURE.iter().chain(&CLOCK).chain(&POOL_HOLDERS).copied();
    let missing: Vec<_> =
        places.chain(databases).chain(stopwatches).filter(|place| !is_there(place)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    // The feed of the PBX comes with its own piece of work.
    let modules = ACTORS.iter().map(|(module, _, _)| *module).filter(|module| *module != "pbx_feed");
    let lost: Vec<_> = modules.filter(|module| !is_there(&format!("actors/src/{module}"))).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(!is_there("src/nowhere.rs"));
}
