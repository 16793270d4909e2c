//! How long callers who talk with an agent miss sound when precall ends and goes on: killed and started again, the
//! same with a database that does not answer, with a large spool, and stopped by plan with a standby. Baseline: a start
//! of the program that only prints its version.

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use precall_test_support::harness::callers::Callers;
use precall_test_support::harness::child::Server;
use precall_test_support::harness::client::{once, plain};
use precall_test_support::harness::numbers::{millis, percentile};
use precall_test_support::harness::pbx::Pbx;
use precall_test_support::harness::table::Table;
use precall_test_support::harness::world::{Cores, Plan, Tls, World};
use precall_test_support::harness::{self, Mode, Outcome};
use precall_test_support::spooled_calls::{self, Last};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longer than the bench.
const CALL_MS: u64 = 1_800_000;
const GREETING_SECONDS: u32 = 1;
const WITHIN: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// So long the database does not answer after the kill.
const AWAY: Duration = Duration::from_secs(3);
/// A silence after the restart shows within this time.
const LISTENED: Duration = Duration::from_secs(2);
/// The goal of the 99th percentile.
const GOAL_MS: f64 = 1_000.0;

/// The program under test, built with this bench.
const PROGRAM: &str = env!("CARGO_BIN_EXE_precall");

fn main() -> ExitCode {
    harness::run(bench)
}

async fn bench(mode: Mode) -> Outcome<()> {
    let (callers, rounds) = (mode.pick(20, 3), mode.pick(5, 1));
    let mut stage = Stage::start(callers).await?;
    println!("{}; {callers} callers", stage.world.describe());
    let mut table = Table::new(&["precall", "restarts", "silence p50 ms", "p99", "longest", "goal 1,000"]);
    let mut show = |what: &str, rounds: usize, silences: &[f64]| {
        let p99 = percentile(silences, 0.99);
        table.row(vec![
            what.to_owned(),
            rounds.to_string(),
            format!("{:.0}", percentile(silences, 0.5)),
            format!("{p99:.0}"),
            format!("{:.0}", percentile(silences, 1.0)),
            if p99 <= GOAL_MS { "met" } else { "MISSED" }.to_owned(),
        ]);
    };
    let spooled = mode.pick(240_u64, 24);
    let with_spool = stage.after(Break::WithSpool(spooled << 20)).await?;
    show(&format!("killed, {spooled} MiB in the spool"), 1, &with_spool);
    for (what, how) in [("killed", Break::Kill), ("killed, database frozen", Break::KillWithoutDatabase)] {
        let mut silences = Vec::new();
        for _ in 0..rounds {
            silences.extend(stage.after(how).await?);
        }
        show(what, rounds, &silences);
    }
    let mut silences = Vec::new();
    for _ in 0..rounds {
        silences.extend(stage.after(Break::HandOver).await?);
    }
    show("stopped, with a standby", rounds, &silences);
    table.print("callers who talk with an agent, on a simulated PBX");
    println!("\nbaseline: a start that prints the version takes {:.1} ms", bare_start(mode)?);
    stage.end().await
}

/// The median time of a start of the program that does nothing else.
fn bare_start(mode: Mode) -> Outcome<f64> {
    let mut times = Vec::new();
    for _ in 0..mode.pick(20, 3) {
        let begun = Instant::now();
        let status = Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).status()?;
        if !status.success() {
            return Err("the program does not print its version".into());
        }
        times.push(millis(begun.elapsed()));
    }
    Ok(percentile(&times, 0.5))
}

/// How precall ends and goes on.
#[derive(Clone, Copy, Debug)]
enum Break {
    Kill,
    KillWithoutDatabase,
    /// With so many bytes of an earlier start in the spool.
    WithSpool(u64),
    HandOver,
}

/// The times in which a caller heard nothing, in milliseconds: over 40 ms in a stream, over 40 ms between two streams,
/// and from a second on whatever the reason, silent audio included.
type Silences = [Vec<f64>; 3];

/// The running processes.
struct Stage {
    pbx: Pbx,
    world: World,
    ids: Vec<String>,
    _folder: TempDir,
}

impl Stage {
    /// Starts everything, and waits until all callers talk with an agent.
    async fn start(callers: usize) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let pbx = Pbx::start(PROGRAM, Tls::Without).await?;
        let plan = Plan {
            program: PROGRAM,
            conversation: Duration::from_secs(3_600),
            clone_delay: Duration::ZERO,
            cores: Cores::All,
            tls: Tls::Without,
            variables: vec![
                ("CALL_ROUTE", "bridge"),
                ("CONVERSATION_MAX_SECONDS", "3600"),
                ("DRAIN_TIMEOUT_SECONDS", "60"),
            ],
        };
        let more = pbx.variables(folder.path(), GREETING_SECONDS);
        let world = World::start_with(plan, more).await?;
        // With pauses in which a call can be handed over, and callers who do not speak in them.
        let sentence = json!({"do": "say", "text": "A sentence.", "ms": 2_000});
        let pause = json!({"do": "wait", "ms": 800});
        let talk = [sentence.clone(), pause].into_iter().cycle().take(198);
        // An agent that goes on with a conversation leaves out its first message.
        world.set_script([sentence.clone(), sentence].into_iter().chain(talk).collect()).await?;
        pbx.until_heard(WITHIN).await?;
        let mut stage = Self { pbx, world, ids: Vec::new(), _folder: folder };
        for caller in Callers::new()?.take(callers)? {
            stage.ids.push(stage.pbx.ring_silent(&caller, CALL_MS).await?);
        }
        stage.until_all_talk().await?;
        Ok(stage)
    }

    /// Waits until all callers talk with an agent, whom they hear.
    async fn until_all_talk(&self) -> Outcome<()> {
        let statement = "select count(*) from call_log where state = 'conversing'";
        let begun = Instant::now();
        loop {
            let there: i64 = self.world.database.query_one(statement, &[]).await?.get(0);
            if usize::try_from(there)? == self.ids.len() {
                return Ok(());
            }
            if begun.elapsed() > WITHIN {
                let log = self.world.service.log_tail();
                return Err(format!("{there} of {} callers talk with an agent\n{log}", self.ids.len()).into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Ends precall and lets it go on. Returns each caller's longest silence since then, in milliseconds.
    async fn after(&mut self, how: Break) -> Outcome<Vec<f64>> {
        if let Break::WithSpool(bytes) = how {
            let (frames, _) = spooled_calls::frames(bytes, Last::AreOver);
            spooled_calls::leave(&self.world.spool(), &frames).await;
        }
        let before = self.silences().await?;
        match how {
            Break::Kill | Break::WithSpool(_) => self.world.kill_and_start().await?,
            Break::KillWithoutDatabase => {
                let frozen = self.world.freeze_database();
                self.world.kill_and_start().await?;
                tokio::time::sleep(AWAY).await;
                drop(frozen);
            }
            Break::HandOver => {
                let standby = self.world.start_standby().await?;
                until_standby(&standby).await?;
                let first = std::mem::replace(&mut self.world.service, standby);
                first.stop(WITHIN).await?;
            }
        }
        self.world.until_ready().await?;
        self.until_all_talk().await?;
        tokio::time::sleep(LISTENED).await;
        let after = self.silences().await?;
        let longest = |(after, before): (Silences, Silences)| {
            let new = after
                .into_iter()
                .zip(before)
                .flat_map(|(after, before)| after.into_iter().skip(before.len()));
            new.fold(0.0, f64::max)
        };
        Ok(after.into_iter().zip(before).map(longest).collect())
    }

    /// Each caller's silences so far.
    async fn silences(&self) -> Outcome<Vec<Silences>> {
        let calls = self.pbx.calls().await?;
        let of = |id: &String| {
            let call = calls.iter().find(|call| call.get("call_id").and_then(Value::as_str) == Some(id))?;
            let numbers = |name: &str, of: fn(&Value) -> Option<f64>| {
                Some(call.get(name)?.as_array()?.iter().filter_map(of).collect())
            };
            Some([
                numbers("gaps_ms", Value::as_f64)?,
                numbers("breaks_ms", Value::as_f64)?,
                numbers("silences", |silence| silence.get("ms")?.as_f64())?,
            ])
        };
        let silences: Option<Vec<Silences>> = self.ids.iter().map(of).collect();
        silences.ok_or_else(|| "the PBX has lost a call".into())
    }

    async fn end(self) -> Outcome<()> {
        self.world.service.end().await?;
        self.pbx.server.end().await
    }
}

async fn until_standby(service: &Server) -> Outcome<()> {
    let begun = Instant::now();
    loop {
        let health = once(service.address, &plain("GET", "/health")).await?.json()?;
        if health.get("standby").and_then(Value::as_bool) == Some(true) {
            return Ok(());
        }
        if begun.elapsed() > WITHIN {
            return Err(format!("no standby: {health}\n{}", service.log_tail()).into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
