//! How fast events get into PostgreSQL, with fsync: events a second by the size of a batch, the time of a commit by
//! rate through the persistence actor, and how fast that actor empties the spool after an outage. Each once with an
//! empty database and once with a history of calls (`--history N`).
//! Baselines: `unnest` of the same entries as JSON into a table without an index; `unnest` of their events into a table
//! with the columns and indexes of the log, which the goal is for; and the commit of a single row.
//! The bench fails unless each event is acknowledged and stored.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

mod database;
mod events;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use precall_actors::durability::persistence::SpoolHealth;
use precall_store::events::rows::Batch;
use precall_store::events::write::write;
use precall_store::spool::handle::SpoolHandle;
use precall_test_support::cluster::Cluster;
use precall_test_support::harness::actors::{Writer, in_system};
use precall_test_support::harness::numbers::{median, millis, percentile};
use precall_test_support::harness::table::Table;
use precall_test_support::harness::{self, Mode, Outcome, usage};

use crate::database::{Database, GENERATION};
use crate::events::PlainRows;

/// Events of one batch, and how many batches are written: in full and in quick mode.
const BATCHES: [(usize, [usize; 2]); 4] =
    [(1, [500, 40]), (10, [300, 20]), (100, [100, 6]), (1_000, [20, 2])];
/// Events a second.
const RATES: [[u32; 3]; 2] = [[100, 1_000, 3_000], [50, 200, 500]];
/// How long each rate is kept up.
const RATE_SECONDS: [f64; 2] = [3.0, 0.7];
const SPOOLED: [usize; 2] = [20_000, 800];
/// As many as the actor reads from its spool at once, about.
const SPOOL_READ: usize = 400;
const SPOOL_MAX: u64 = 1 << 30;
const WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Goal: so many events a second, against `unnest`.
const GOAL_RATE: f64 = 0.8;
/// Goal: the median commit takes so many commits of a single row at most.
const GOAL_COMMIT: f64 = 2.5;

fn main() -> ExitCode {
    harness::run(|mode| in_system(mode, measure))
}

async fn measure(mode: Mode) -> Outcome<()> {
    let history = match std::env::args().skip_while(|argument| argument != "--history").nth(1) {
        Some(calls) => calls.parse()?,
        None => mode.pick(100_000, 2_000),
    };
    let cluster = Cluster::new().await;
    println!("{}; fsync on; a history of {history} calls", usage::machine());
    let mut by_batch = Table::new(&[
        "events a batch",
        "history",
        "events/s",
        "p50 ms",
        "of unnest, no index",
        "of unnest, indexes of the log",
        "goal",
    ]);
    let mut by_rate = Table::new(&[
        "events a second",
        "history",
        "a commit",
        "p50 ms",
        "p99 ms",
        "single row p50",
        "ratio",
        "goal",
    ]);
    let batched: usize = BATCHES.iter().map(|(size, counts)| size * mode_of(mode, *counts)).sum();
    let paced: usize = mode_of(mode, RATES).iter().map(|rate| paced(*rate, mode)).sum();
    let mut drained = Table::new(&["events", "history", "MiB", "ms", "events/s", "of unnest"]);
    let spooled = mode_of(mode, SPOOLED);
    for calls in [0, history] {
        let name = format!("with_{calls}");
        let mut database = Database::new(&cluster, &name, batched + paced + spooled).await?;
        if calls > 0 {
            database.fill(calls).await?;
        }
        for (size, counts) in BATCHES {
            by_batch.row(in_batches(&mut database, size, mode_of(mode, counts)).await?);
        }
        let writer = database.writer(None);
        for rate in mode_of(mode, RATES) {
            by_rate.row(at_rate(&mut database, &writer, rate, mode).await?);
        }
        drained.row(drain(&mut database, &cluster, spooled).await?);
        database.has_all().await?;
    }
    by_batch.print("one batch after the other, on one connection");
    by_rate.print("from the append to the acknowledgement, through the persistence actor");
    drained.print("the spool of an outage, emptied by the persistence actor");
    Ok(())
}

fn mode_of<T>(mode: Mode, [full, quick]: [T; 2]) -> T {
    mode.pick(full, quick)
}

/// How many events are appended at this rate.
fn paced(rate: u32, mode: Mode) -> usize {
    (f64::from(rate) * mode_of(mode, RATE_SECONDS)) as usize
}

/// Writes batches of this size and, after each, the same entries into the tables of the baselines.
async fn in_batches(database: &mut Database, size: usize, count: usize) -> Outcome<Vec<String>> {
    let (mut written, mut plain, mut keyed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..count {
        let batch = Batch { entries: database.events.take(size)?, rows: Vec::new() };
        let rows = PlainRows::of(&batch.entries)?;
        let begun = Instant::now();
        write(&database.pool, &batch, GENERATION).await?;
        written.push(millis(begun.elapsed()));
        plain.push(rows.insert(&database.plain.client).await?);
        keyed.push(rows.insert_keyed(&database.plain.client).await?);
    }
    let took: f64 = written.iter().sum();
    let share = keyed.iter().sum::<f64>() / took;
    Ok(vec![
        size.to_string(),
        database.history.to_string(),
        format!("{:.0}", (size * count) as f64 / took * 1_000.0),
        format!("{:.2}", median(&written)),
        format!("{:.2}", plain.iter().sum::<f64>() / took),
        format!("{share:.2}"),
        format!("{GOAL_RATE}: {}", verdict(share >= GOAL_RATE)),
    ])
}

/// Appends single events at this rate. Single rows are committed before and after.
async fn at_rate(database: &mut Database, writer: &Writer, rate: u32, mode: Mode) -> Outcome<Vec<String>> {
    let entries = database.events.take(paced(rate, mode))?;
    let (count, before) = (entries.len(), writer.state.commits().commits);
    let mut single = single_rows(database, mode).await?;
    let took = writer.append(entries, Some(rate)).await?;
    let commits = writer.state.commits().commits - before;
    single.extend(single_rows(database, mode).await?);
    let (p50, row) = (median(&took), median(&single));
    Ok(vec![
        rate.to_string(),
        database.history.to_string(),
        format!("{:.1}", count as f64 / commits as f64),
        format!("{p50:.2}"),
        format!("{:.2}", percentile(&took, 0.99)),
        format!("{row:.2}"),
        format!("{:.1}", p50 / row),
        format!("{GOAL_COMMIT}: {}", verdict(p50 <= GOAL_COMMIT * row)),
    ])
}

/// Commits of a single row, one after the other, in milliseconds.
async fn single_rows(database: &Database, mode: Mode) -> Outcome<Vec<f64>> {
    let client = &database.plain.client;
    let insert = client.prepare("insert into single values ($1)").await?;
    let mut took = Vec::new();
    for n in 0..mode.pick(200_i64, 20) {
        let begun = Instant::now();
        client.execute(&insert, &[&n]).await?;
        took.push(millis(begun.elapsed()));
    }
    Ok(took)
}

/// Freezes PostgreSQL until so many events are in the spool, and measures how long they take into the database.
async fn drain(database: &mut Database, cluster: &Cluster, count: usize) -> Outcome<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let writer = database.writer(Some((SpoolHandle::fresh(folder.path(), SPOOL_MAX)?, SPOOL_MAX)));
    let entries = database.events.take(count)?;
    let rows: Vec<PlainRows> = entries.chunks(SPOOL_READ).map(PlainRows::of).collect::<Outcome<_>>()?;
    let frozen = cluster.freeze();
    writer.append(entries, None).await?;
    let spool = writer.state.spool();
    let bytes = spool.bytes();
    if bytes == 0 {
        return Err("nothing went to the spool".into());
    }
    drop(frozen);
    let begun = Instant::now();
    while spool.health() != SpoolHealth::Empty {
        if begun.elapsed() > WITHIN {
            return Err(format!("{} batches are still in the spool", spool.batches()).into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let (took, mut plain) = (millis(begun.elapsed()), 0.0);
    for rows in rows {
        plain += rows.insert(&database.plain.client).await?;
    }
    Ok(vec![
        count.to_string(),
        database.history.to_string(),
        format!("{:.1}", bytes as f64 / f64::from(1 << 20)),
        format!("{took:.0}"),
        format!("{:.0}", count as f64 / took * 1_000.0),
        format!("{:.2}", plain / took),
    ])
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "MISSED" }
}
