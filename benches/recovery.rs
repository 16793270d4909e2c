//! How long a start takes with 10,000 live calls in the database: from the kill of the process before it, until new
//! calls are taken, and until each live call is read back and its log says so. Baselines: the same start without a live
//! call, and a plain read of the same rows on one connection. The bench fails if a call is lost or a log has a gap.
//! `restart` measures what bridged callers hear after a kill; this bench does not.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "figures for people")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use precall_test_support::harness::callers::Callers;
use precall_test_support::harness::client::{once, plain};
use precall_test_support::harness::numbers::{median, millis};
use precall_test_support::harness::ringing::ring;
use precall_test_support::harness::table::Table;
use precall_test_support::harness::world::{Cores, Plan, Tls, World};
use precall_test_support::harness::{self, Mode, Outcome};
use uuid::Uuid;

/// Goal: a start with live calls takes less than so many plain reads of their rows.
const GOAL: f64 = 3.0;
const WITHIN: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The program under test, built with this bench.
const PROGRAM: &str = env!("CARGO_BIN_EXE_precall");

fn main() -> ExitCode {
    harness::run(bench)
}

/// Times after the kill, in milliseconds, one for each round.
#[derive(Default)]
struct Starts {
    listening: Vec<f64>,
    ready: Vec<f64>,
    all_back: Vec<f64>,
}

impl Starts {
    fn row(&self, name: &str, plain_read: Option<f64>) -> Vec<String> {
        let all_back = median(&self.all_back);
        vec![
            name.to_owned(),
            format!("{:.0}", median(&self.listening)),
            format!("{:.0}", median(&self.ready)),
            format!("{all_back:.0}"),
            plain_read.map_or_else(String::new, |read| format!("{:.1}", all_back / read)),
            plain_read.map_or_else(String::new, |read| goal(all_back / read)),
        ]
    }
}

fn goal(plain_reads: f64) -> String {
    format!("under {GOAL}: {}", if plain_reads < GOAL { "met" } else { "MISSED" })
}

async fn bench(mode: Mode) -> Outcome<()> {
    let (calls, rounds) = mode.pick((10_000, 3), (300, 2));
    let mut world = World::start(Plan {
        program: PROGRAM,
        conversation: Duration::from_secs(3_600),
        clone_delay: Duration::ZERO,
        cores: Cores::All,
        tls: Tls::Without,
        variables: vec![
            ("GREETING_MAX_SECONDS", "1"),
            ("CONVERSATION_MAX_SECONDS", "14400"),
            // The service does not ask for the reports of these conversations during the bench.
            ("POSTCALL_WAIT_SECONDS", "3600"),
        ],
    })
    .await?;
    println!("{}", world.describe());
    let mut without = Starts::default();
    for _ in 0..rounds {
        start(&mut world, 0, &mut without).await?;
    }
    ring(&mut world, Callers::new()?.take(calls)?, 0).await?;
    let (mut with, mut reads) = (Starts::default(), Vec::new());
    let mut events = 0;
    for _ in 0..rounds {
        let (read, took) = plain_read(&world).await?;
        (events, reads) = (read, [reads, vec![took]].concat());
        start(&mut world, calls, &mut with).await?;
        is_whole(&mut world, calls).await?;
    }
    let read = median(&reads);
    let mut table =
        Table::new(&["", "listens ms", "takes calls ms", "all calls back ms", "plain reads", "goal"]);
    table.row(without.row("baseline: no live call", None));
    table.row(vec![
        "baseline: plain read of the rows".to_owned(),
        String::new(),
        String::new(),
        format!("{read:.1}"),
        "1.0".to_owned(),
    ]);
    table.row(with.row(&format!("{calls} live calls"), Some(read)));
    let more = median(&with.all_back) - median(&without.all_back);
    table.row(vec![
        "the same, without the first baseline".to_owned(),
        String::new(),
        String::new(),
        format!("{more:.0}"),
        format!("{:.1}", more / read),
    ]);
    table
        .print(&format!("start after kill -9, {calls} live calls with {events} events; medians of {rounds}"));
    println!(
        "  the goal is for 10,000 live calls: with few of them, most of a start does not depend on them"
    );
    world.service.end().await
}

/// Kills the service, starts it, and waits until it has read this many calls back.
async fn start(world: &mut World, calls: usize, starts: &mut Starts) -> Outcome<()> {
    let before = last_position(world).await?;
    let begun = Instant::now();
    world.kill_and_start().await?;
    starts.listening.push(millis(begun.elapsed()));
    while once(world.service.address, &plain("GET", "/health/ready")).await?.status != 200 {
        late(world, begun, "it takes no calls")?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
    starts.ready.push(millis(begun.elapsed()));
    let resumed =
        "select count(distinct call) from call_events where position > $1 and event ->> 'kind' = 'resumed'";
    let wanted = i64::try_from(calls)?;
    loop {
        // The count costs the database more than this look, so it waits until there can be enough.
        let written = last_position(world).await?.saturating_sub(before);
        if written >= wanted {
            let count: i64 = world.database.query_one(resumed, &[&before]).await?.get(0);
            if count == wanted {
                break;
            }
        }
        late(world, begun, &format!("not all of {calls} calls are back, {written} events are written"))?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
    starts.all_back.push(millis(begun.elapsed()));
    Ok(())
}

async fn last_position(world: &World) -> Outcome<i64> {
    Ok(world.database.query_one("select last_value from event_position", &[]).await?.get(0))
}

fn late(world: &World, begun: Instant, what: &str) -> Outcome<()> {
    if begun.elapsed() < WITHIN {
        return Ok(());
    }
    Err(format!("{what} after {} s\n{}", WITHIN.as_secs(), world.service.log_tail()).into())
}

/// Reads the rows of all live calls and their events. Returns the number of events, and the time in milliseconds.
async fn plain_read(world: &World) -> Outcome<(usize, f64)> {
    let calls = "select id, account_id, pbx, line, threecx_call_id, caller_id, called_number from call_log
        where state <> 'released'";
    let events = "select call, seq, at, event::text from call_events where call = any($1) order by call, seq";
    let (calls, events) = (world.database.prepare(calls).await?, world.database.prepare(events).await?);
    let begun = Instant::now();
    let calls = world.database.query(&calls, &[]).await?;
    let ids: Vec<Uuid> = calls.iter().map(|row| row.get(0)).collect();
    let events = world.database.query(&events, &[&ids]).await?;
    let bytes: usize = events.iter().map(|row| row.get::<_, &str>(3).len()).sum();
    let took = millis(begun.elapsed());
    if bytes == 0 {
        return Err("the live calls have no events".into());
    }
    Ok((events.len(), took))
}

/// Fails if a call is missing, is over, or has a gap in its log.
async fn is_whole(world: &mut World, calls: usize) -> Outcome<()> {
    let live = world.live().await?;
    let gaps =
        "select count(*) from (select call from call_events group by call having count(*) <> max(seq)) g";
    let gaps: i64 = world.database.query_one(gaps, &[]).await?.get(0);
    let talking = "select count(*) from call_log where state = 'conversing'";
    let talking: i64 = world.database.query_one(talking, &[]).await?.get(0);
    if live != u64::try_from(calls)? || usize::try_from(talking)? != calls || gaps > 0 {
        return Err(format!("of {calls} calls {live} are live, {talking} talk, {gaps} have a gap").into());
    }
    Ok(())
}
