//! An attack on the whole program: faults of its network, its database and its process under a steady load of calls,
//! and laws that hold whatever happens.
//!
//! The built program runs against a real PostgreSQL and simulated peers. Every peer is behind a proxy (`proxy` of
//! test-support). A *round* is one or two faults for some seconds. Then everything is healed, precall must be well in
//! time, and the laws are held against the database, against what the peers have seen and what the callers have heard.
//! First on route `bridge`, where callers listen, then on `callback`, where they are dialled.
//!
//! | file | holds |
//! |---|---|
//! | `table` | all faults; which of them take the callers' sound away, and how long a caller may hear nothing |
//! | `plan` | which faults happen in which round: all follows from the seed |
//! | `book` | the laws, the times of the faults, the broken laws |
//! | `laws` | how the laws are checked |
//! | `planted` | breaches that the test plants, so that no law falls asleep |
//! | `site`, `postgres`, `service` | what is attacked, and how |
//! | `callers`, `witness` | who calls, and who has seen what |
//!
//! | what | command |
//! |---|---|
//! | the short run, always with the same seed | `cargo test --test chaos` |
//! | all faults for half an hour, 100 callers | `.ci/long chaos` |
//! | the soak (`soak`) | `.ci/long soak` |
//! | one fault | `CHAOS_FAULTS='3CX audio: reset' CHAOS_SECONDS=60 cargo test --test chaos -- --nocapture` |
//! | a run again | as it printed: `CHAOS_SEED=...` |
//!
//! Each broken law is printed with the seed, the round, the faults and the call's events. At its end a run prints its
//! figures as tables in Markdown.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on must stop"
)]

use precall_test_support as support;

mod book;
mod callers;
mod laws;
mod plan;
mod planted;
mod postgres;
#[path = "../e2e/program.rs"]
#[allow(dead_code, reason = "the tests of e2e use the rest")]
mod program;
mod proxy;
mod report;
mod run;
mod service;
mod settings;
mod site;
mod soak;
mod table;
mod witness;

use book::Violation;
use run::Attack;
use settings::Settings;
use site::Route;
use table::Fault;

/// The bridge has more to lose.
const PARTS_OF_THE_BRIDGE: u32 = 3;
const PARTS: u32 = 4;

async fn attack(route: Route, parts: u32) -> Vec<Violation> {
    let settings = Settings::asked_for();
    let only = settings.only.clone();
    let mut faults = Fault::all();
    faults.retain(|fault| fault.concerns(route));
    faults.retain(|fault| only.as_ref().is_none_or(|name| fault.to_string().contains(name.as_str())));
    if faults.is_empty() {
        println!("route {}: no fault is asked for", route.name());
        return Vec::new();
    }
    let lasts = settings.lasts * parts / PARTS;
    let mut attack = Attack::prepare(route, settings).await;
    attack.run(faults, lasts).await;
    report::print(&attack);
    if route == Route::Bridge {
        attack.sees_planted_breaches().await;
    }
    attack.stop().await.violations().to_vec()
}

/// One after the other: two sites at once would starve each other on a small machine.
#[actix::test]
async fn the_laws_hold_whatever_happens() {
    let mut broken = attack(Route::Bridge, PARTS_OF_THE_BRIDGE).await;
    broken.extend(attack(Route::Callback, PARTS - PARTS_OF_THE_BRIDGE).await);
    let summary: Vec<String> =
        broken.iter().map(|it| format!("round {}: {}: {}", it.round, it.law.name(), it.detail)).collect();
    assert!(summary.is_empty(), "{} laws were broken:\n{}", summary.len(), summary.join("\n"));
}
