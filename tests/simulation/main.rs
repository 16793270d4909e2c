//! Simulation of calls, durability and recovery under a simulated clock. Everything that can fail does; one number
//! decides the order. A broken law prints that number, and `SEED=n` repeats the run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a broken law stops the test"
)]

mod calls;
mod database;
mod disk;
mod engine;
mod happening;
mod laws;
mod left_spools;
mod persistence;
mod processes;
mod provider;
mod random;
mod sayings;
mod tokens;
mod voices;
mod webhooks;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use world::{Planted, Summary, World};

/// Seeds of every run.
const FIXED: std::ops::Range<u64> = 0..60;

fn play(seed: u64, planted: Planted) -> Result<Summary, String> {
    let played = catch_unwind(AssertUnwindSafe(|| World::new(seed, planted).run()));
    played.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
    })
}

fn holds(seed: u64) -> Summary {
    match play(seed, Planted::Nothing) {
        Ok(summary) => summary,
        Err(broken) => panic!("SEED={seed}: {broken}"),
    }
}

fn add(sum: &mut Summary, one: Summary) {
    sum.events += one.events;
    sum.calls += one.calls;
    sum.dials += one.dials;
    sum.acknowledged += one.acknowledged;
    sum.spooled += one.spooled;
    sum.generations += one.generations;
    sum.crashes += one.crashes;
    sum.deleted += one.deleted;
}

#[test]
fn fixed_seeds_hold() {
    let mut sum = Summary::default();
    for seed in FIXED {
        add(&mut sum, holds(seed));
    }
    println!("{sum:?}");
    assert!(sum.spooled > 100 && sum.crashes > 20 && sum.dials > 500, "too little happened: {sum:?}");
}

/// `SIMULATION_SECONDS` sets the duration. The seeds are printed, and `SEED` runs one of them.
#[test]
fn fresh_seeds_hold() {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|text| text.parse().ok()) {
        println!("SEED={seed}: {:?}", holds(seed));
        return;
    }
    let seconds = std::env::var("SIMULATION_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let first = u64::from(std::process::id()) << 32;
    let (begun, mut sum, mut seed) = (Instant::now(), Summary::default(), first);
    while begun.elapsed() < Duration::from_secs(seconds) {
        add(&mut sum, holds(seed));
        seed += 1;
    }
    let took = u64::try_from(begun.elapsed().as_millis()).unwrap().max(1);
    println!("SEED={first} to {}: {sum:?}, {} events a second", seed - 1, sum.events * 1_000 / took);
}

#[test]
fn planted_bugs_are_found() {
    let planted = [
        Planted::AcknowledgedEarly,
        Planted::DialledEarly,
        Planted::LyingDisk,
        Planted::SpoolForgotten,
        Planted::LeaseWithoutDatabase,
        Planted::DialFromSpool,
        Planted::ContinuedTooEarly,
    ];
    for bug in planted {
        let mut seeds = 0..1_000;
        let law = match bug {
            Planted::LeaseWithoutDatabase | Planted::DialFromSpool => "is rung twice",
            _ => "",
        };
        let broken = |seed| play(seed, bug).err().filter(|broken| broken.contains(law));
        let found = seeds.find_map(|seed| broken(seed).map(|broken| (seed, broken)));
        let (seed, broken) = found.unwrap_or_else(|| panic!("no seed found {bug:?}"));
        println!("{bug:?}: seed {seed}: {broken}");
    }
}
