//! Bridged calls: the service on one core, the simulated PBX and the simulated agent, each a process of its own. What
//! one call costs in CPU and memory, and how late its audio is, at several numbers of calls, without TLS and with it on
//! both sides, as in production. Baseline: as many callers on hold in a run right before.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use precall_test_support::harness::callers::Callers;
use precall_test_support::harness::numbers::{millis, percentile};
use precall_test_support::harness::pbx::{Arrival, Pbx};
use precall_test_support::harness::table::Table;
use precall_test_support::harness::world::{Cores, Cpu, Plan, Tls, World};
use precall_test_support::harness::{self, Mode, Outcome, usage};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Slow, so that the measurement shows running calls and not their setup.
const RAMP_RATE: u32 = 25;
/// Longer than the bench.
const CALL_MS: u64 = 900_000;
const GREETING_SECONDS: u32 = 1;
const WITHIN: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Audio that is left when the next piece is due (`docs/AUDIO.md`). A piece that finds less is late by the difference.
const DUE_MS: f64 = 40.0;
/// The limit of the goals for late audio.
const LATE_MS: f64 = 20.0;
const CPU_GOAL_MS: f64 = 0.45;
const CPU_TLS_GOAL_MS: f64 = 0.6;
const MEMORY_GOAL_KIB: f64 = 64.0;
const MEMORY_TLS_GOAL_KIB: f64 = 90.0;
const CALLS_GOAL: f64 = 1_200.0;

/// The program under load, built with this bench.
const PROGRAM: &str = env!("CARGO_BIN_EXE_precall");

fn main() -> ExitCode {
    harness::run(bench)
}

async fn bench(mode: Mode) -> Outcome<()> {
    let counts: &[usize] = mode.pick(&[100, 400, 800, 1_200], &[10]);
    let mut rows = Vec::new();
    let most = counts.last().copied().unwrap_or(1);
    let seconds = mode.pick(8, 2);
    let mut held = Stage::start(mode, Brings::Nobody, Tls::Without).await?;
    println!("{}", held.world.describe());
    let on_hold = held.measure(most.min(100), seconds).await?;
    held.end().await?;
    let mut bridged = Stage::start(mode, Brings::Agent, Tls::Without).await?;
    for count in counts {
        rows.push(bridged.measure(*count, seconds).await?);
    }
    bridged.end().await?;
    let mut with_tls = Stage::start(mode, Brings::Agent, Tls::With).await?;
    let counts: &[usize] = mode.pick(&[100, 400], &[10]);
    let mut tls_rows = Vec::new();
    for count in counts {
        tls_rows.push(with_tls.measure(*count, seconds).await?);
    }
    with_tls.end().await?;
    print(&on_hold, &rows, &tls_rows);
    Ok(())
}

/// Who speaks with the callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Brings {
    Agent,
    Nobody,
}

impl Brings {
    fn state(self) -> &'static str {
        match self {
            Self::Agent => "conversing",
            Self::Nobody => "holding",
        }
    }
}

/// The running processes.
struct Stage {
    brings: Brings,
    pbx: Pbx,
    world: World,
    callers: Callers,
    ids: Vec<String>,
    idle: f64,
    memory: u64,
    _folder: TempDir,
}

/// The figures of one number of calls.
struct Figures {
    calls: usize,
    /// CPU milliseconds of the service for each call and second, less the use of an idle service.
    cpu_ms: f64,
    /// CPU milliseconds a second, by process.
    service: f64,
    pbx: f64,
    agent: f64,
    /// Lateness of each piece of audio, milliseconds.
    lateness: Vec<f64>,
    /// Silences over 40 ms.
    gaps: usize,
    memory_kib: f64,
}

impl Stage {
    async fn start(mode: Mode, brings: Brings, tls: Tls) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let pbx = Pbx::start(PROGRAM, tls).await?;
        let mut variables = vec![("CALL_ROUTE", "bridge"), ("CONVERSATION_MAX_SECONDS", "3600")];
        if brings == Brings::Nobody {
            variables.extend([("AUTO_TRANSITION_ENABLED", "false"), ("CLONE_MAX_WAIT_SECONDS", "300")]);
        }
        let plan = Plan {
            program: PROGRAM,
            conversation: Duration::from_secs(3_600),
            clone_delay: Duration::ZERO,
            cores: Cores::One,
            tls,
            variables,
        };
        let more = pbx.variables(folder.path(), GREETING_SECONDS);
        let world = World::start_with(plan, more).await?;
        set_agent(&world).await?;
        pbx.until_heard(WITHIN).await?;
        let callers = Callers::new()?;
        let mut stage =
            Self { brings, pbx, world, callers, ids: Vec::new(), idle: 0.0, memory: 0, _folder: folder };
        // The first call sets up what all calls share.
        stage.ring(1).await?;
        let (before, begun) = (stage.world.cpu()?, Instant::now());
        tokio::time::sleep(Duration::from_secs(mode.pick(3, 1))).await;
        stage.idle = millis(stage.world.cpu()?.since(before).service) / begun.elapsed().as_secs_f64();
        stage.memory = usage::memory(stage.world.service.pid()?)?.anonymous;
        Ok(stage)
    }

    /// Places calls until there are this many, and waits until all of them are bridged or on hold.
    async fn ring(&mut self, calls: usize) -> Outcome<()> {
        let mut beat = tokio::time::interval(Duration::from_secs(1) / RAMP_RATE);
        for caller in self.callers.take(calls.saturating_sub(self.ids.len()))? {
            beat.tick().await;
            self.ids.push(self.pbx.ring(&caller, CALL_MS).await?);
        }
        let statement = "select count(*) from call_log where state = $1";
        let begun = Instant::now();
        loop {
            let there: i64 = self.world.database.query_one(statement, &[&self.brings.state()]).await?.get(0);
            if usize::try_from(there)? >= calls {
                return Ok(());
            }
            if begun.elapsed() > WITHIN {
                let log = self.world.service.log_tail();
                return Err(format!("{there} of {calls} calls are {}\n{log}", self.brings.state()).into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn measure(&mut self, calls: usize, seconds: u64) -> Outcome<Figures> {
        self.ring(calls).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let memory = usage::memory(self.world.service.pid()?)?.anonymous;
        let (before, pbx, begun) = (self.world.cpu()?, usage::cpu(self.pbx.server.pid()?)?, Instant::now());
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let spent: Cpu = self.world.cpu()?.since(before);
        let pbx = usage::cpu(self.pbx.server.pid()?)?.saturating_sub(pbx);
        let took = begun.elapsed().as_secs_f64();
        let mut lateness = Vec::new();
        for id in &self.ids {
            lateness.extend(late(&self.pbx.arrivals(id).await?, seconds));
        }
        let heard = self.pbx.calls().await?;
        let gaps = |call: &Value| call.get("gaps_ms").and_then(Value::as_array).map_or(0, Vec::len);
        let service = millis(spent.service) / took;
        // The first call is part of the idle figures.
        let others = calls.saturating_sub(1).max(1) as f64;
        Ok(Figures {
            calls,
            cpu_ms: (service - self.idle) / others,
            service,
            pbx: millis(pbx) / took,
            agent: millis(spent.simulator) / took,
            lateness,
            gaps: heard.iter().map(gaps).sum(),
            memory_kib: memory.saturating_sub(self.memory) as f64 / others,
        })
    }

    async fn end(self) -> Outcome<()> {
        self.world.service.end().await?;
        self.pbx.server.end().await
    }
}

/// Sets up an agent that speaks two thirds of the time and sends its audio twice as fast as it is played.
async fn set_agent(world: &World) -> Outcome<()> {
    let sentence = [
        json!({"do": "say", "text": "A sentence that the caller hears in full.", "ms": 4_000}),
        json!({"do": "wait", "ms": 2_000}),
    ];
    let script: Vec<Value> = sentence.iter().cycle().take(200).cloned().collect();
    world.set_script(script).await
}

/// The lateness in milliseconds of each piece of audio in the last `seconds`.
fn late(arrivals: &[Arrival], seconds: u64) -> Vec<f64> {
    let last = arrivals.last().map_or(0.0, |arrival| arrival.after_ms);
    let (mut end, mut late) = (0.0_f64, Vec::new());
    for arrival in arrivals {
        if arrival.after_ms > last - seconds as f64 * 1e3 {
            late.push((DUE_MS - (end - arrival.after_ms)).max(0.0));
        }
        end = end.max(arrival.after_ms) + arrival.bytes / 16.0;
    }
    late
}

fn print(on_hold: &Figures, rows: &[Figures], tls_rows: &[Figures]) {
    let mut table = Table::new(&[
        "",
        "calls",
        "CPU ms/call/s",
        "late p50",
        "p99",
        ">20 ms",
        "gaps",
        "KiB/call",
        "service",
        "PBX",
        "agent",
    ]);
    let named = |name: &'static str| move |figures| (name, figures);
    let all = [("on hold", on_hold)].into_iter().chain(rows.iter().map(named("bridged")));
    for (what, figures) in all.chain(tls_rows.iter().map(named("with TLS"))) {
        let over = figures.lateness.iter().filter(|late| **late > LATE_MS).count();
        let share = over as f64 * 100.0 / figures.lateness.len().max(1) as f64;
        table.row(vec![
            what.to_owned(),
            figures.calls.to_string(),
            format!("{:.2}", figures.cpu_ms),
            format!("{:.1}", percentile(&figures.lateness, 0.5)),
            format!("{:.1}", percentile(&figures.lateness, 0.99)),
            format!("{share:.2} %"),
            figures.gaps.to_string(),
            format!("{:.1}", figures.memory_kib),
            format!("{:.0}", figures.service),
            format!("{:.0}", figures.pbx),
            format!("{:.0}", figures.agent),
        ]);
    }
    table.print("callers on hold, and bridged calls; lateness in ms; CPU of processes in ms a second");
    let Some(last) = rows.last() else { return };
    let verdict = |is_met: bool| if is_met { "met" } else { "MISSED" };
    let best = rows.iter().map(|figures| figures.cpu_ms).fold(f64::MAX, f64::min);
    println!("\nbridged instead of on hold: {:.1} times the CPU", last.cpu_ms / on_hold.cpu_ms.max(0.001));
    println!(
        "CPU a call and second: {:.2} ms with {} calls; goal {CPU_GOAL_MS}: {}",
        last.cpu_ms,
        last.calls,
        verdict(last.cpu_ms <= CPU_GOAL_MS),
    );
    println!(
        "calls one core has time for: {:.0} at that, {:.0} at the best of the rows; goal {CALLS_GOAL}: {}",
        1e3 / last.cpu_ms,
        1e3 / best,
        verdict(1e3 / last.cpu_ms >= CALLS_GOAL),
    );
    println!(
        "memory a call, without TLS: {:.1} KiB; goal {MEMORY_GOAL_KIB}: {}",
        last.memory_kib,
        verdict(last.memory_kib <= MEMORY_GOAL_KIB),
    );
    let Some(with_tls) = tls_rows.last() else { return };
    println!(
        "with TLS: CPU a call and second {:.2} ms, goal {CPU_TLS_GOAL_MS}: {}; memory a call {:.1} KiB, goal \
         {MEMORY_TLS_GOAL_KIB}: {}",
        with_tls.cpu_ms,
        verdict(with_tls.cpu_ms <= CPU_TLS_GOAL_MS),
        with_tls.memory_kib,
        verdict(with_tls.memory_kib <= MEMORY_TLS_GOAL_KIB),
    );
}
