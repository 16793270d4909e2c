//! The first frame on a live leg: the whole service and the simulated PBX, each a process of its own, 100 callers on
//! hold and more of them all the time. Baseline: a bare loop that writes a frame on the same events, while the service
//! is as busy.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use precall_test_support::harness::bare_speaker::BareSpeaker;
use precall_test_support::harness::callers::Callers;
use precall_test_support::harness::numbers::{millis, percentile};
use precall_test_support::harness::pbx::Pbx;
use precall_test_support::harness::table::Table;
use precall_test_support::harness::world::{Cores, Cpu, Plan, SECRET, Tls, World};
use precall_test_support::harness::{self, Mode, Outcome, usage};
use serde_json::Value;

const RATE: u32 = 5;
/// Callers on hold arrive faster, because their arrival is not measured.
const RAMP_RATE: u32 = 50;
/// Goal for the first frame: the 99th percentile, in milliseconds.
const GOAL_MS: f64 = 20.0;
const GAP_MS: u64 = 40;
/// Longer than the bench, shorter than the service would hold them.
const HELD_MS: u64 = 240_000;
/// A new caller hears the greeting and some of the music.
const NEW_MS: u64 = 5_000;
const WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const GREETING_SECONDS: u32 = 3;

/// The program under load, built with this bench.
const PROGRAM: &str = env!("CARGO_BIN_EXE_precall");

fn main() -> ExitCode {
    harness::run(bench)
}

async fn bench(mode: Mode) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let (pbx, other) = (Pbx::start(PROGRAM, Tls::Without).await?, Pbx::start(PROGRAM, Tls::Without).await?);
    let plan = Plan {
        program: PROGRAM,
        conversation: Duration::from_secs(3_600),
        clone_delay: Duration::ZERO,
        cores: Cores::All,
        tls: Tls::Without,
        variables: vec![
            ("CALL_ROUTE", "transfer"),
            ("AGENT_DESTINATION", "800"),
            ("INITIATION_SECRET", SECRET),
            // Callers are held until the voice's deadline, and this bench is over before.
            ("AUTO_TRANSITION_ENABLED", "false"),
            ("CLONE_MAX_WAIT_SECONDS", "300"),
        ],
    };
    let more = pbx.variables(folder.path(), GREETING_SECONDS);
    let mut world = World::start_with(plan, more).await?;
    println!("{}", world.describe());
    pbx.until_heard(WITHIN).await?;
    let mut callers = Callers::new()?;
    let held_count = mode.pick(100, 20);
    let idle = spent(&world, &pbx, mode.pick(5, 1)).await?;

    ring(&pbx, RAMP_RATE, callers.take(held_count)?, HELD_MS).await?;
    until_greeted(&pbx, held_count).await?;
    // Past the greeting, so that most of it is what most callers hear most of the time.
    tokio::time::sleep(Duration::from_secs(GREETING_SECONDS.into())).await;
    let held = spent(&world, &pbx, mode.pick(15, 2)).await?;

    let count = mode.pick(200, 10);
    let bare = BareSpeaker::start(other.server.address).await?;
    ring(&other, RATE, callers.take(count)?, NEW_MS).await?;
    until(|| Ok(bare.took().len() >= count)).await?;
    let baseline = Waits {
        first_frame: bare.took().into_iter().map(millis).collect(),
        first_sound: Vec::new(),
        at_pbx: figures(&other.calls().await?, "first_frame_ms"),
        heard: Vec::new(),
    };

    let before = (world.cpu()?, usage::cpu(pbx.server.pid()?)?, Instant::now());
    let ids = ring(&pbx, RATE, callers.take(count)?, NEW_MS).await?;
    let took = before.2.elapsed();
    let busy = Spent {
        cpu: world.cpu()?.since(before.0),
        pbx: usage::cpu(pbx.server.pid()?)?.saturating_sub(before.1),
        seconds: took.as_secs_f64(),
    };
    let live = world.live().await?;
    let ours = timings(&world, &ids).await?;
    let calls = pbx.calls().await?;
    let new: Vec<Value> =
        calls.iter().filter(|call| ids.iter().any(|id| call["call_id"] == **id)).cloned().collect();
    let service = Waits {
        first_frame: ours.iter().map(|(frame, _)| *frame as f64 / 1e3).collect(),
        first_sound: ours.iter().map(|(_, sound)| *sound as f64 / 1e3).collect(),
        at_pbx: figures(&new, "first_frame_ms"),
        heard: figures(&new, "first_sound_ms"),
    };
    print_waits(&service, &baseline, count, held_count);
    print_cpu(&idle, &held, &busy, (held_count, live));
    print_sound(&calls);
    let p99 = percentile(&service.first_frame, 0.99);
    let verdict = if p99 < GOAL_MS { "met" } else { "MISSED" };
    println!(
        "\nfirst frame written p99 {p99:.2} ms at {RATE} new calls/s, {held_count} held; \
         goal under {GOAL_MS} ms: {verdict}"
    );
    world.service.end().await
}

/// Milliseconds, one value for each call.
struct Waits {
    /// From the event that the leg is connected to the first frame handed to the socket, as the sender measured it.
    first_frame: Vec<f64>,
    /// The same, to the first frame that is not silence.
    first_sound: Vec<f64>,
    /// From connected to the first byte at the PBX.
    at_pbx: Vec<f64>,
    /// From connected to the first sound that the caller heard.
    heard: Vec<f64>,
}

struct Spent {
    cpu: Cpu,
    pbx: Duration,
    seconds: f64,
}

async fn spent(world: &World, pbx: &Pbx, seconds: u64) -> Outcome<Spent> {
    let (before, pbx_before, begun) = (world.cpu()?, usage::cpu(pbx.server.pid()?)?, Instant::now());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Ok(Spent {
        cpu: world.cpu()?.since(before),
        pbx: usage::cpu(pbx.server.pid()?)?.saturating_sub(pbx_before),
        seconds: begun.elapsed().as_secs_f64(),
    })
}

/// Places the calls, `rate` a second. Returns their ids at the PBX.
async fn ring(pbx: &Pbx, rate: u32, callers: Vec<String>, lasting_ms: u64) -> Outcome<Vec<String>> {
    let mut beat = tokio::time::interval(Duration::from_secs(1) / rate);
    let mut ids = Vec::new();
    for caller in callers {
        beat.tick().await;
        ids.push(pbx.ring(&caller, lasting_ms).await?);
    }
    Ok(ids)
}

async fn until_greeted(pbx: &Pbx, count: usize) -> Outcome<()> {
    let begun = Instant::now();
    loop {
        let heard = figures(&pbx.calls().await?, "first_sound_ms").len();
        if heard >= count {
            return Ok(());
        }
        if begun.elapsed() > WITHIN {
            return Err(format!("only {heard} of {count} callers heard something").into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn until(mut reached: impl FnMut() -> Outcome<bool>) -> Outcome<()> {
    let begun = Instant::now();
    while !reached()? {
        if begun.elapsed() > WITHIN {
            return Err(format!("not reached within {} s", WITHIN.as_secs()).into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// First frame and first sound of these calls in microseconds, as the service stored them.
async fn timings(world: &World, ids: &[String]) -> Outcome<Vec<(i64, i64)>> {
    let statement = "select (timings ->> 'first_frame_us')::bigint, (timings ->> 'first_sound_us')::bigint
        from call_log where threecx_call_id = any($1)
            and timings ->> 'first_frame_us' is not null and timings ->> 'first_sound_us' is not null";
    let begun = Instant::now();
    loop {
        let rows = world.database.query(statement, &[&ids]).await?;
        if rows.len() == ids.len() {
            return Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect());
        }
        if begun.elapsed() > WITHIN {
            let log = world.service.log_tail();
            return Err(format!("{} of {} calls were greeted\n{log}", rows.len(), ids.len()).into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn figures(calls: &[Value], name: &str) -> Vec<f64> {
    calls.iter().filter_map(|call| call.get(name)?.as_f64()).collect()
}

fn print_waits(service: &Waits, baseline: &Waits, count: usize, held: usize) {
    let mut table = Table::new(&["ms", "p50", "p99"]);
    for (name, values) in [
        ("baseline: event received -> first frame written", &baseline.first_frame),
        ("event received -> first frame written", &service.first_frame),
        ("event received -> first frame with sound", &service.first_sound),
        ("baseline: Connected -> first byte at the PBX", &baseline.at_pbx),
        ("Connected -> first byte at the PBX", &service.at_pbx),
        ("Connected -> the caller hears something", &service.heard),
    ] {
        let cells = [0.5, 0.99].map(|part| format!("{:.2}", percentile(values, part)));
        table.row([name.to_owned()].into_iter().chain(cells).collect());
    }
    table.print(&format!("{count} new calls at {RATE}/s, {held} others on hold; the lead silence is 300 ms"));
    let ratio = percentile(&service.first_frame, 0.5) / percentile(&baseline.first_frame, 0.5).max(0.001);
    println!("  the service takes {ratio:.1} times as long as the bare loop (p50)");
}

fn print_cpu(idle: &Spent, held: &Spent, busy: &Spent, (held_count, live): (usize, u64)) {
    let mut table = Table::new(&["CPU ms a second", "service", "PostgreSQL", "PBX", "bench"]);
    for (name, spent) in [
        ("nobody rings".to_owned(), idle),
        (format!("{held_count} on hold"), held),
        (format!("{held_count} on hold, {RATE} new a second ({live} live)"), busy),
    ] {
        let parts = [spent.cpu.service, spent.cpu.postgres, spent.pbx, spent.cpu.load];
        let cells = parts.map(|part| format!("{:.1}", millis(part) / spent.seconds));
        table.row([name].into_iter().chain(cells).collect());
    }
    table.print("processor time");
    let of = |spent: &Spent| millis(spent.cpu.service) / spent.seconds;
    println!(
        "  a caller on hold: {:.2} ms of the service's CPU a second",
        (of(held) - of(idle)) / held_count as f64
    );
}

fn print_sound(calls: &[Value]) {
    let number = |call: &Value, name: &str| call.get(name).and_then(Value::as_u64).unwrap_or(0);
    let gaps = |call: &Value| call.get("gaps_ms").and_then(Value::as_array).map_or(0, Vec::len);
    let longest = calls.iter().map(|call| number(call, "longest_gap_ms")).max().unwrap_or(0);
    let late: u64 = calls.iter().map(|call| number(call, "bytes_after_hangup")).sum();
    let streams = calls.iter().filter(|call| number(call, "posts_opened") != 1).count();
    println!("\n{} calls as their callers heard them", calls.len());
    println!("  gaps over {GAP_MS} ms: {} (longest {longest} ms)", calls.iter().map(gaps).sum::<usize>());
    println!("  bytes after hang-up: {late}; calls with other than one audio stream: {streams}");
}
