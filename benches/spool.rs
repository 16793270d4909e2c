//! How fast the spool of an earlier start gets into the database: in bytes of the spool, while live calls are written.
//! Baselines: one batch after the other on one connection, as a running precall empties its spool, and PostgreSQL
//! alone, which copies the same bytes into a table of text.
#![allow(clippy::unwrap_used)] // A bench that cannot go on should stop.
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::Pool;
use futures_util::SinkExt;
use precall_base::clock;
use precall_embedded_postgres::{DataDir, Durability, EmbeddedPostgres, Install, Options};
use precall_store::connect::{self, Limits};
use precall_store::events::positions::Positions;
use precall_store::events::write::write;
use precall_store::leader::engine_lock;
use precall_store::schema::{embedded, migrate};
use precall_store::spool::handle::SpoolHandle;
use precall_store::spool_pace::Pace;
use precall_store::spool_recovery::{Beside, LeftSpools};
use precall_test_support::spooled_calls::{self, Last};
use slog::{Discard, Logger, o};
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(4);
const MIB: f64 = 1024.0 * 1024.0;

fn main() {
    let is_quick =
        std::env::args().any(|argument| argument == "--quick") || !std::env::args().any(|a| a == "--bench");
    let bytes = if is_quick { 24 << 20 } else { 240 << 20 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(bench(bytes));
}

async fn bench(bytes: u64) {
    let options = Options::new(DataDir::Temporary, Durability::Fsync, Install::IfMissing);
    let postgres =
        tokio::task::spawn_blocking(move || EmbeddedPostgres::start(&options)).await.unwrap().unwrap();
    let root = tempfile::tempdir().unwrap();
    let (frames, entries) = spooled_calls::frames(bytes, Last::GoOn);
    println!("{} MiB in {} batches of {entries} events", bytes >> 20, frames.len());
    let log = Logger::root(Discard, o!());

    let (pool, _) = database(&postgres, "imported").await;
    spooled_calls::leave(root.path(), &frames).await;
    let begun = Instant::now();
    let mut left = LeftSpools::find(root.path(), &pool, &log).await.unwrap();
    let looked = begun.elapsed();
    let waiting = left.index().unfinished_calls().count();
    left.claim(&**pool.get().await.unwrap(), 2, LEASE, Uuid::now_v7()).await.unwrap();
    let pace = Arc::new(Pace::default());
    let live = tokio::spawn(live(pool.clone(), Arc::clone(&pace)));
    let begun = Instant::now();
    left.import_rest(&pool, Beside { pace: &pace, positions: &Positions::default() }, &log).await.unwrap();
    let took = begun.elapsed();
    live.abort();
    println!("looked through in {:.2} s, {waiting} calls are not over", looked.as_secs_f64());
    said("import, with live writes", bytes, took);
    let stored: i64 =
        pool.get().await.unwrap().query_one("select count(*) from call_events", &[]).await.unwrap().get(0);
    assert!(stored >= i64::try_from(entries).unwrap(), "{stored} of {entries}");
    let mut times = LATENCIES.lock().unwrap().clone();
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 1000).copied().unwrap_or_default().as_millis();
    println!(
        "live writes meanwhile: {}, median {} ms, 99 % {} ms, slowest {} ms",
        times.len(),
        at(500),
        at(990),
        at(999)
    );

    let (pool, _) = database(&postgres, "one_by_one").await;
    spooled_calls::leave(root.path(), &frames).await;
    let begun = Instant::now();
    let directory =
        precall_store::spool::disk::Directory::left_behind(root.path()).unwrap().directories.remove(0);
    let spool = SpoolHandle::open(directory, u64::MAX).unwrap();
    while let Some(together) = spool.peek(0).await.unwrap() {
        write(&pool, &together.batch, together.generation).await.unwrap();
        spool.take_out(together.frames).await.unwrap();
    }
    said("baseline: batch after batch", bytes, begun.elapsed());

    let (pool, _) = database(&postgres, "copied").await;
    let client = pool.get().await.unwrap();
    client.batch_execute("create table frames (content text)").await.unwrap();
    let begun = Instant::now();
    let sink = client.copy_in("copy frames from stdin").await.unwrap();
    let mut sink = std::pin::pin!(sink);
    for frame in &frames {
        let escaped = String::from_utf8(frame.clone()).unwrap().replace('\\', "\\\\") + "\n";
        sink.send(bytes::Bytes::from(escaped)).await.unwrap();
    }
    sink.finish().await.unwrap();
    said("baseline: copy of the bytes", bytes, begun.elapsed());
    drop(client);
    tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
}

fn said(what: &str, bytes: u64, took: Duration) {
    println!("{what}: {:.1} s, {:.1} MiB/s", took.as_secs_f64(), bytes as f64 / MIB / took.as_secs_f64());
}

static LATENCIES: std::sync::Mutex<Vec<Duration>> = std::sync::Mutex::new(Vec::new());

/// A live call's events, fifty a second, as long as the import runs.
async fn live(pool: Pool, pace: Arc<Pace>) {
    let mut clock_tick = tokio::time::interval(Duration::from_millis(20));
    loop {
        clock_tick.tick().await;
        let batch = spooled_calls::opening();
        let begun = Instant::now();
        write(&pool, &batch, 2).await.unwrap();
        pace.live_write(begun.elapsed());
        LATENCIES.lock().unwrap().push(begun.elapsed());
    }
}

async fn database(postgres: &EmbeddedPostgres, name: &str) -> (Pool, Uuid) {
    let admin = postgres.url("postgres").parse().unwrap();
    let admin = connect::connect(&admin, "bench", Limits::default()).await.unwrap();
    admin.client.batch_execute(&format!("create database {name}")).await.unwrap();
    let url = postgres.url(name).parse().unwrap();
    let mut connected = connect::connect(&url, "bench", Limits::default()).await.unwrap();
    migrate::migrate(&mut connected.client, &embedded::runner(), migrate::Limits::default()).await.unwrap();
    let pool = connect::pool(&url, "bench", Limits::default()).unwrap();
    precall_store::growth::partitions::make_ahead(&pool, clock::now()).await.unwrap();
    let database = engine_lock::claim(&connected.client, 1, LEASE, Uuid::now_v7()).await.unwrap();
    (pool, database)
}
