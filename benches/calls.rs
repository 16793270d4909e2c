//! Whole calls on route `callback`: how many a second, what one costs each process, and how long the caller waits for
//! the greeting. Each call has a clone of its own. Baseline: the same webhooks with nothing behind them, at the same
//! rate.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use precall_test_support::harness::callers::Callers;
use precall_test_support::harness::load::{Exchange, all_say, closed_loop, open_loop};
use precall_test_support::harness::numbers::{median, millis, percentile};
use precall_test_support::harness::table::Table;
use precall_test_support::harness::world::{
    Cores, Cpu, Plan, SECRET, Tls, VOICE_SLOTS, World, incoming, outgoing,
};
use precall_test_support::harness::{self, Mode, Outcome, client};
use serde_json::Value;

const GREETING_PATH: &str = "/v1/convai/sip-trunk/outbound-call";
/// A call takes two conversations, a clone and two pauses of the provider: well under two seconds.
const ALL_OVER_WITHIN: Duration = Duration::from_secs(60);
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LANES: usize = 8;
const TOP_UP_EVERY: Duration = Duration::from_millis(10);
const RAMP: Duration = Duration::from_secs(1);

/// The program under load, built with this bench.
const PROGRAM: &str = env!("CARGO_BIN_EXE_precall");

fn main() -> ExitCode {
    harness::run(bench)
}

async fn bench(mode: Mode) -> Outcome<()> {
    let mut world = World::start(Plan {
        program: PROGRAM,
        conversation: Duration::from_millis(300),
        clone_delay: Duration::from_millis(200),
        cores: Cores::All,
        tls: Tls::Without,
        variables: Vec::new(),
    })
    .await?;
    println!("{}", world.describe());
    let mut bench = Bench { callers: Callers::new()?, rung: 0 };
    world.map(&bench.callers.all()).await?;
    // Sets up connections, caches and query plans, which later figures must not contain.
    bench.at_rate(&mut world, mode.pick(20, 10), mode.pick(60, 10)).await?;
    let idle = bench.idle(&world, mode.pick(5, 1)).await?;
    for rate in mode.pick(vec![10, 100], vec![10]) {
        let (rounds, seconds) = mode.pick((3, 8), (1, 2));
        let (mut empty, mut calls) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            empty.push(bench.empty(&world, rate, rate.saturating_mul(seconds)).await?);
            calls.push(bench.at_rate(&mut world, rate, rate.saturating_mul(seconds)).await?);
        }
        print_open(rate, rounds, &empty, &calls);
    }
    let (rounds, seconds) = mode.pick((3, 7), (1, 2));
    let mut most = Vec::new();
    for _ in 0..rounds {
        most.push(bench.most(&mut world, mode.pick(400, 50), Duration::from_secs(seconds)).await?);
    }
    print_closed(&most);
    println!(
        "\nidle service: {:.1} ms of CPU a second; PostgreSQL {:.1} ms",
        millis(idle.service),
        millis(idle.postgres)
    );
    world.service.end().await
}

struct Bench {
    callers: Callers,
    rung: usize,
}

/// Calls or webhooks at a fixed rate.
struct AtRate {
    count: usize,
    cpu: Cpu,
    /// Of the webhook, milliseconds.
    answered: Vec<f64>,
    /// From the webhook to the greeting's request at the provider, milliseconds.
    greeted: Vec<f64>,
    /// A round trip to PostgreSQL at the same rate, milliseconds: what this machine gives at all.
    round_trips: Vec<f64>,
}

/// The highest rate of calls.
struct Most {
    per_second: f64,
    live: u64,
    seconds: f64,
    cpu: Cpu,
}

impl Bench {
    fn requests(
        &mut self,
        count: usize,
        body: fn(&str, &str) -> Value,
    ) -> Outcome<(Vec<String>, Vec<Vec<u8>>)> {
        let callers = self.callers.take(count)?;
        let requests = callers.iter().map(|caller| {
            self.rung = self.rung.saturating_add(1);
            client::webhook(SECRET, &body(&format!("bench-{}", self.rung), caller))
        });
        let requests = requests.collect();
        Ok((callers, requests))
    }

    async fn idle(&self, world: &World, seconds: u32) -> Outcome<Cpu> {
        let before = world.cpu()?;
        tokio::time::sleep(Duration::from_secs(seconds.into())).await;
        let used = world.cpu()?.since(before);
        Ok(Cpu { service: used.service / seconds, postgres: used.postgres / seconds, ..used })
    }

    async fn empty(&mut self, world: &World, rate: u32, count: u32) -> Outcome<AtRate> {
        let count = usize::try_from(count)?;
        let caller = self.callers.take(1)?.remove(0);
        let request = client::webhook(SECRET, &outgoing("bench-out", &caller));
        let before = world.cpu()?;
        let exchanges = open_loop(world.service.address, rate, vec![request; count]).await?;
        let cpu = world.cpu()?.since(before);
        all_say(&exchanges, "ignored")?;
        let round_trips = round_trips(world, rate, count).await?;
        Ok(AtRate { count, cpu, answered: answered(&exchanges), greeted: Vec::new(), round_trips })
    }

    /// Calls at a fixed rate, until the last of them is over.
    async fn at_rate(&mut self, world: &mut World, rate: u32, count: u32) -> Outcome<AtRate> {
        let (callers, requests) = self.requests(usize::try_from(count)?, incoming)?;
        world.requests().await?;
        let begun = Timestamp::now();
        let before = world.cpu()?;
        let exchanges = open_loop(world.service.address, rate, requests).await?;
        all_say(&exchanges, "accepted")?;
        until_over(world, begun, callers.len()).await?;
        let cpu = world.cpu()?.since(before);
        let greeted = greeted(&exchanges, &callers, &world.requests().await?)?;
        Ok(AtRate {
            count: callers.len(),
            cpu,
            answered: answered(&exchanges),
            greeted,
            round_trips: Vec::new(),
        })
    }

    /// Keeps `live` calls live for `lasting`.
    async fn most(&mut self, world: &mut World, live: u64, lasting: Duration) -> Outcome<Most> {
        let (first, begun) = (Timestamp::now(), Instant::now());
        let (mut window, mut sent) = (None, 0_usize);
        while begun.elapsed() < lasting {
            let missing = usize::try_from(live.saturating_sub(world.live().await?))?;
            let (_, requests) = self.requests(missing, incoming)?;
            if self.rung > VOICE_SLOTS {
                return Err("the simulator's voice slots are used up".into());
            }
            sent = sent.saturating_add(missing);
            let answered = closed_loop(world.service.address, LANES, requests).await?;
            all_say(&answered.exchanges, "accepted")?;
            if begun.elapsed() >= RAMP && window.is_none() {
                window = Some((Timestamp::now(), world.cpu()?));
            }
            tokio::time::sleep(TOP_UP_EVERY).await;
        }
        let (from, before) = window.ok_or("nothing was measured")?;
        let (to, cpu) = (Timestamp::now(), world.cpu()?.since(before));
        until_over(world, first, sent).await?;
        let ended = "select count(*) from call_log where call_ended_at >= $1 and call_ended_at < $2";
        let ended: i64 = world.database.query_one(ended, &[&from, &to]).await?.get(0);
        let seconds = to.duration_since(from).as_secs_f64();
        Ok(Most { per_second: ended as f64 / seconds, live, seconds, cpu })
    }
}

/// Waits until every call since then has ended and is stored, each with its agent in the caller's own voice.
async fn until_over(world: &mut World, since: Timestamp, count: usize) -> Outcome<()> {
    world.until_idle(ALL_OVER_WITHIN).await?;
    let sums = "select count(*), count(*) filter (where status = 'completed'),
            count(*) filter (where status = 'completed' and cloned_voice_id is not null)
        from call_log where call_started_at >= $1";
    let (count, begun) = (i64::try_from(count)?, Instant::now());
    loop {
        // The last ones are over in memory a moment before they are in the table.
        let row = world.database.query_one(sums, &[&since]).await?;
        let (all, completed, cloned): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        if (all, completed, cloned) == (count, count, count) {
            return Ok(());
        }
        if begun.elapsed() > WRITTEN_WITHIN {
            let log = world.service.log_tail();
            let sums = format!("{all} are written, {completed} completed, {cloned} cloned");
            return Err(format!("of {count} calls {sums}\n{log}").into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Round trips to PostgreSQL at the rate of the webhooks, for two seconds at most.
async fn round_trips(world: &World, rate: u32, count: usize) -> Outcome<Vec<f64>> {
    let mut beat = tokio::time::interval(Duration::from_secs(1) / rate);
    let statement = world.database.prepare("select 1").await?;
    let mut took = Vec::new();
    for _ in 0..count.min(usize::try_from(rate)?.saturating_mul(2)) {
        beat.tick().await;
        let begun = Instant::now();
        world.database.query_one(&statement, &[]).await?;
        took.push(millis(begun.elapsed()));
    }
    Ok(took)
}

fn answered(exchanges: &[Exchange]) -> Vec<f64> {
    exchanges.iter().map(|exchange| millis(exchange.took)).collect()
}

/// The wait of each caller for the greeting request. Simulator and bench run on one machine, so their clocks agree.
fn greeted<'a>(exchanges: &[Exchange], callers: &[String], requests: &'a [Value]) -> Outcome<Vec<f64>> {
    let mut asked: HashMap<&str, i64> = HashMap::new();
    let text = |request: &'a Value, path| request.pointer(path).and_then(Value::as_str);
    for request in requests.iter().filter(|request| text(request, "/path") == Some(GREETING_PATH)) {
        let at: Timestamp = text(request, "/at").ok_or("no time")?.parse()?;
        let number = text(request, "/body/to_number").ok_or("no number")?;
        // The agent's call to the same number comes later.
        asked.entry(number).or_insert(at.as_microsecond());
    }
    let waited = exchanges.iter().map(|exchange| {
        let caller = callers.get(exchange.ordinal).ok_or("no such caller")?;
        let at = asked.get(caller.as_str()).ok_or("a caller was not greeted")?;
        Ok(at.saturating_sub(exchange.sent_at) as f64 / 1e3)
    });
    waited.collect()
}

fn print_open(rate: u32, rounds: usize, empty: &[AtRate], calls: &[AtRate]) {
    let per = |all: &[AtRate], part: fn(Cpu) -> Duration| {
        median(&all.iter().map(|one| millis(part(one.cpu)) / one.count as f64).collect::<Vec<_>>())
    };
    let of = |all: &[AtRate], list: fn(&AtRate) -> &Vec<f64>, part: f64| {
        median(&all.iter().map(|one| percentile(list(one), part)).collect::<Vec<_>>())
    };
    let mut table = Table::new(&["CPU ms", "service", "PostgreSQL", "simulator", "load"]);
    let parts: [fn(Cpu) -> Duration; 4] =
        [|cpu| cpu.service, |cpu| cpu.postgres, |cpu| cpu.simulator, |cpu| cpu.load];
    for (name, all) in [("baseline: an empty webhook", empty), ("a whole call", calls)] {
        let cells = parts.iter().map(|part| format!("{:.2}", per(all, *part)));
        table.row([name.to_owned()].into_iter().chain(cells).collect());
    }
    let times = |part| per(calls, part) / per(empty, part).max(0.01);
    table.row(vec!["ratio".to_owned(), format!("{:.0}", times(|cpu| cpu.service))]);
    table.print(&format!("at {rate} calls a second, open loop; medians of {rounds}"));
    let mut table = Table::new(&["ms", "p50", "p99"]);
    for (name, all, list) in [
        ("baseline: an empty webhook is answered", empty, (|one| &one.answered) as fn(&AtRate) -> &Vec<f64>),
        ("baseline: a round trip to PostgreSQL", empty, |one| &one.round_trips),
        ("webhook to its answer (durable)", calls, |one| &one.answered),
        ("webhook to the greeting's request", calls, |one| &one.greeted),
    ] {
        table.row(vec![
            name.to_owned(),
            format!("{:.2}", of(all, list, 0.5)),
            format!("{:.2}", of(all, list, 0.99)),
        ]);
    }
    table.print("waiting");
}

fn print_closed(most: &[Most]) {
    let of = |value: fn(&Most) -> f64| median(&most.iter().map(value).collect::<Vec<_>>());
    let share = |part: fn(Cpu) -> Duration| {
        median(&most.iter().map(|one| 100.0 * part(one.cpu).as_secs_f64() / one.seconds).collect::<Vec<_>>())
    };
    let live = most.first().map_or(0, |one| one.live);
    let mut table =
        Table::new(&["calls/s", "service ms/call", "service %", "PostgreSQL %", "simulator %", "load %"]);
    table.row(vec![
        format!("{:.0}", of(|one| one.per_second)),
        format!("{:.2}", of(|one| millis(one.cpu.service) / (one.per_second * one.seconds))),
        format!("{:.0}", share(|cpu| cpu.service)),
        format!("{:.0}", share(|cpu| cpu.postgres)),
        format!("{:.0}", share(|cpu| cpu.simulator)),
        format!("{:.0}", share(|cpu| cpu.load)),
    ]);
    table.print(&format!("closed loop, {live} calls live; 100 % is a core; medians of {}", most.len()));
}
