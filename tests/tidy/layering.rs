//! Which code may know what: actors, the database, the clock. The floors of rooms and crates are in `floors`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use crate::source::Source;
use crate::tree::{catches, holds, spares, tree};

/// The one place that asks what time of day it is. The log dates its lines itself, and simulators stand for other
/// programs, which have clocks of their own.
const CLOCK: [&str; 3] = ["crates/base/src/clock/host.rs", "src/logging/drain.rs", "crates/simulators/"];

/// Files that may measure a wait or a duration that no call's log ever sees, and why.
const STOPWATCHES: [(&str, &str); 25] = [
    ("actors/src/lifecycle/", "waits for what it starts and stops"),
    ("actors/src/erasure/", "waits for deletions elsewhere"),
    ("actors/src/runtime/restart_in_place.rs", "how long an actor has not panicked"),
    ("crates/audio/src/", "paces audio"),
    ("crates/providers/src/elevenlabs/pages.rs", "one deadline over several pages"),
    ("crates/providers/src/threecx/token_keeper.rs", "how often tokens are revoked"),
    ("crates/providers/src/http_exchange.rs", "progress of a body"),
    ("crates/providers/src/wire_record.rs", "how long an answer took"),
    ("crates/providers/src/request_watch.rs", "how long a request took"),
    ("crates/providers/src/threecx/socket.rs", "how long a socket is silent"),
    ("crates/store/src/connect/proof.rs", "replaces a pool once in a while"),
    ("crates/simulators/", "other programs"),
    ("crates/embedded-postgres/", "waits for a child process"),
    ("src/demo", "waits as a caller does"),
    ("src/live_check", "measures a PBX"),
    ("src/logging/file.rs", "checks its file from time to time"),
    ("src/logging/libraries.rs", "one line a second"),
    ("src/http/api/events.rs", "paces a stream"),
    ("src/http/api/grant.rs", "how often a right is looked at"),
    ("src/http/api/live_stream.rs", "cuts a client that is too slow"),
    ("src/http/api/live_stream/feed.rs", "paces a stream"),
    ("src/http/api/listen.rs", "gives up a silent connection"),
    ("src/http/webhooks/signed_body.rs", "one deadline over a whole body"),
    ("src/http/outcome_metrics.rs", "how long an answer took"),
    ("fuzz/src/", "measures executions"),
];

/// The only places that speak to PostgreSQL, and why.
const DATABASE: [(&str, &str); 4] = [
    ("crates/store/", "the store: statements beside their rows"),
    ("crates/embedded-postgres/", "starts a cluster, and makes databases in it"),
    ("actors/src/lifecycle/", "looks whether the database is there"),
    ("src/demo", "reads its tables as a person with psql would"),
];

/// Files that pass a pool on to the store and send PostgreSQL nothing of their own.
const POOL_HOLDERS: [&str; 15] = [
    "actors/src/admission/bypass_keeper.rs",
    "actors/src/api/handle.rs",
    "actors/src/call/pin/check.rs",
    "actors/src/canary/keeper.rs",
    "actors/src/call/services.rs",
    "actors/src/durability/persistence.rs",
    "actors/src/durability/write_task.rs",
    "actors/src/erasure/services.rs",
    "actors/src/observe/traces/exporter.rs",
    "actors/src/voices/services.rs",
    "src/alerts.rs",
    "src/app/pools.rs",
    "src/http.rs",
    "src/http/app_state.rs",
    "src/http/key_ring.rs",
];

/// How a statement begins; `update` and `with` alone begin sentences as well.
const STATEMENTS: [&str; 6] =
    ["select ", "insert into ", "delete from ", "truncate ", "create table ", "alter table "];

/// The mark of a file with pure rules, in its module documentation.
const PURE_MARK: &str = "//! Pure:";

/// Every actor of the engine and its file, from `impl Actor for`: a new actor cannot be forgotten.
fn actors() -> &'static BTreeMap<String, String> {
    static ACTORS: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    ACTORS.get_or_init(find_actors)
}

fn find_actors() -> BTreeMap<String, String> {
    let engine = tree().iter().filter(|source| source.is_rust() && source.is_under("actors/src/"));
    let found = engine.flat_map(|source| {
        let names = source
            .shipped()
            .lines()
            .filter_map(|line| line.split("Actor for ").nth(1).filter(|_| line.contains("impl")));
        names.map(|rest| {
            let name = rest.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
            (name.to_owned(), source.path.clone())
        })
    });
    found.collect()
}

/// Whether a file has pure rules: it is of the machine's crate, or it says so.
fn is_pure(source: &Source) -> bool {
    source.is_rust() && !source.is_test() && (source.is_under("crates/call/") || says_pure(source))
}

fn says_pure(source: &Source) -> bool {
    source.text.lines().take_while(|line| line.starts_with("//!")).any(|line| line.starts_with(PURE_MARK))
}

#[test]
fn the_call_crate_depends_on_nothing() {
    let rule = |source: &Source| {
        let is_manifest = source.path == "crates/call/Cargo.toml";
        let lines = source.text.lines().enumerate().filter(|_| is_manifest);
        // Its tests may: they are no part of the crate.
        let found = lines.filter(|(_, line)| {
            line.starts_with('[') && line.contains("dependencies") && !line.starts_with("[dev-dependencies")
        });
        found.map(|(index, _)| source.breach(index + 1, "the pure crate has dependencies")).collect()
    };
    assert!(tree().iter().any(|source| source.path == "crates/call/Cargo.toml"));
    holds(rule);
    catches(rule, "crates/call/Cargo.toml", "[dependencies]\nserde = \"1\"");
    catches(rule, "crates/call/Cargo.toml", "[build-dependencies]\nserde = \"1\"");
    spares(rule, "crates/call/Cargo.toml", "[dev-dependencies]\nproptest = \"1\"");
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
fn every_actor_is_found_in_the_code() {
    let actors = actors();
    for known in
        ["CallSupervisor", "CallActor", "GreetingActor", "CloneWorker", "PersistenceActor", "LegPlayer"]
    {
        assert!(actors.contains_key(known), "{known}: {actors:?}");
    }
    assert!(actors.len() >= 12, "{actors:?}");
}

#[test]
fn an_actor_keeps_no_address_of_an_actor_that_started_it() {
    // Parts report to a Recipient that they got at birth. Only the natural pair of book and job names each other.
    let parents = ["CallSupervisor", "CallActor"];
    let rule = |source: &Source| {
        let may =
            ["admission", "api", "canary", "lifecycle", "reports"].map(|room| format!("actors/src/{room}/"));
        let is_above =
            may.iter().any(|place| source.is_under(place)) || source.is_under("actors/src/call/call_actor");
        let code = if is_above || !source.is_under("actors/src/") { "" } else { source.shipped() };
        source.lines_with(code, &parents, "report to a `Recipient` received at birth")
    };
    assert!(parents.iter().all(|parent| actors().contains_key(*parent)));
    holds(rule);
    catches(rule, "actors/src/call/greeting_actor.rs", "call: Addr<CallActor>,");
    catches(rule, "actors/src/pbx/pbx_feed.rs", "use crate::admission::call_supervisor::CallSupervisor;");
    spares(rule, "actors/src/call/greeting_actor.rs", "call: PartParent,");
}

#[test]
fn parts_of_a_call_do_not_name_each_other() {
    let siblings = ["GreetingActor", "CloneWorker", "Handoff", "LegPlayer", "ConversationLookup"];
    let rule = |source: &Source| {
        let own = |part: &str| {
            let file = actors().get(part).cloned().unwrap_or_default();
            source.path == file || source.is_under(&format!("{}/", file.trim_end_matches(".rs")))
        };
        let is_part = siblings.iter().any(|part| own(part));
        let others: Vec<&str> = siblings.iter().copied().filter(|part| !own(part)).collect();
        // `CallPart::Handoff` is the machine's word for the part.
        let code = source.shipped().replace("CallPart::", "CallPart_");
        source.lines_with(if is_part { &code } else { "" }, &others, "a part talks to its call alone")
    };
    holds(rule);
    catches(rule, "actors/src/call/greeting_actor.rs", "let peer: Addr<Handoff> = todo;");
    catches(rule, "actors/src/call/handoff/bridge.rs", "player: Addr<LegPlayer>,");
    spares(rule, "actors/src/call/greeting_actor.rs", "let part = CallPart::Handoff;");
}

#[test]
fn providers_and_store_know_no_actors() {
    let rule = |source: &Source| {
        let is_dull = source.is_under("crates/providers/src/") || source.is_under("crates/store/src/");
        let code = if is_dull && source.is_rust() { source.shipped() } else { "" };
        // A future may run on actix's runtime; an actor it may not know.
        source.lines_with(
            code,
            &["Addr", "Recipient", "actix::Actor", "actix::Message"],
            "providers and store never call",
        )
    };
    holds(rule);
    catches(rule, "crates/store/src/calls.rs", "use actix::Message;");
    catches(rule, "crates/providers/src/threecx/feed.rs", "to: Recipient<LegEvent>,");
}

#[test]
fn the_edge_speaks_to_the_engine_not_to_its_actors() {
    let rule = |source: &Source| {
        if !source.is_rust() || !source.is_under("src/") {
            return Vec::new();
        }
        let names: Vec<&str> =
            actors().keys().map(String::as_str).filter(|name| *name != "Handoff").collect();
        // The parts of a call that an event names have the names of their actors.
        let code = source.shipped().replace("CallPart::CloneWorker", "CallPart");
        source.lines_with(&code, &names, "reaches past the engine to an actor")
    };
    holds(rule);
    catches(rule, "src/http/webhook.rs", "use precall_actors::admission::call_supervisor::CallSupervisor;");
    spares(rule, "src/cli/why.rs", "CallPart::CloneWorker => \"the cloning\",");
    spares(rule, "src/http/webhook.rs", "use precall_actors::api::EngineHandle;");
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
    spares(rule, "src/app/pools.rs", "fn settings(\n    pool: deadpool_postgres::Pool,\n) {}");
    spares(rule, "src/x.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n    ask(\"select 1\");\n}");
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
fn pure_rules_have_no_world_and_no_clock() {
    let world = [
        "actix",
        "tokio",
        "awc",
        "hyper",
        "tokio_postgres",
        "deadpool_postgres",
        "std::fs",
        "std::env",
        "std::net",
        "clock::now",
        "precall_base::clock",
        "SystemTime",
        "Instant::now",
    ];
    let rule = |source: &Source| {
        let code = if is_pure(source) { source.shipped() } else { "" };
        source.lines_with(code, &world, "pure rules get everything as an argument")
    };
    holds(rule);
    catches(rule, "actors/src/x.rs", "//! X.\n//! Pure: rules.\nuse actix::Addr;");
    catches(rule, "actors/src/x.rs", "//! Pure: rules.\nuse precall_base::clock;");
    catches(rule, "actors/src/x.rs", "//! Pure: rules.\ntokio::time::timeout(LIMIT, later)");
    catches(rule, "crates/call/src/step.rs", "//! Y.\nlet now = std::time::Instant::now();");
    spares(rule, "actors/src/x.rs", "//! X.\nuse actix::Addr;");
}

/// The files of the engine and of the spool that a `use` line names; none for other lines.
fn rules_named_by(line: &str) -> Option<String> {
    let path = line.trim_start().strip_prefix("use ")?;
    let (root, path) = match path.strip_prefix("precall_actors::") {
        Some(path) => ("actors/src/", path),
        None => (
            "crates/store/src/",
            path.strip_prefix("precall_store::").filter(|path| path.starts_with("spool"))?,
        ),
    };
    let path = path.split(['{', ';']).next().unwrap_or_default();
    let modules: Vec<&str> =
        path.split("::").take_while(|part| part.starts_with(char::is_lowercase)).collect();
    Some(format!("{root}{}.rs", modules.join("/")))
}

/// The simulation runs the real rules, so what it names has to be pure; a mark that is lost fails here.
#[test]
fn what_the_simulation_runs_is_pure() {
    let simulation = tree().iter().filter(|source| source.is_under("tests/simulation/"));
    let named: BTreeSet<String> =
        simulation.flat_map(|source| source.code.lines().filter_map(rules_named_by)).collect();
    let files: Vec<&Source> = tree().iter().filter(|source| named.contains(&source.path)).collect();
    let impure: Vec<&str> =
        files.iter().filter(|source| !is_pure(source)).map(|source| source.path.as_str()).collect();
    assert!(files.len() >= 6, "{named:?}");
    assert!(impure.is_empty(), "not marked `{PURE_MARK}`: {impure:?}");
}

#[test]
fn providers_and_store_are_told_what_time_it_is() {
    let rule = |source: &Source| {
        let is_told = source.is_under("crates/providers/src/") || source.is_under("crates/store/src/");
        source.lines_with(
            if is_told { source.shipped() } else { "" },
            &["clock::now", "clock::wall", "clock::ahead_of_now", "clock::on_the_wall"],
            "the clock is an argument",
        )
    };
    holds(rule);
    catches(rule, "crates/store/src/voices.rs", "let now = precall_base::clock::now();");
    catches(rule, "crates/store/src/voices.rs", "let now = precall_base::clock::wall();");
}

/// A place that moved would leave its rule asleep, or its exception open to another file.
#[test]
fn every_place_that_a_rule_names_is_there() {
    let is_there = |place: &str| tree().iter().any(|source| source.is_under(place));
    let databases = DATABASE.iter().map(|(place, _)| *place);
    let stopwatches = STOPWATCHES.iter().map(|(place, _)| *place);
    let places = CLOCK.iter().chain(&POOL_HOLDERS).copied().chain(databases).chain(stopwatches);
    let missing: Vec<_> = places.filter(|place| !is_there(place)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(!is_there("src/nowhere.rs"));
}
