//! What a live call holds: resident memory of the service with nobody, 1,000 and 5,000 callers who talk to their agent.
//! Baseline: as many idle actors with a timer, in this process.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

use std::process::ExitCode;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};
use precall_test_support::harness::callers::Callers;
use precall_test_support::harness::numbers::millis;
use precall_test_support::harness::ringing::ring;
use precall_test_support::harness::table::Table;
use precall_test_support::harness::usage::{Memory, memory};
use precall_test_support::harness::world::{Cores, Plan, Tls, World};
use precall_test_support::harness::{self, Mode, Outcome};

/// About the size of a call's state.
const STATE_BYTES: usize = 464;

/// The program under load, built with this bench.
const PROGRAM: &str = env!("CARGO_BIN_EXE_precall");

fn main() -> ExitCode {
    harness::run(bench)
}

async fn bench(mode: Mode) -> Outcome<()> {
    let counts = mode.pick([1_000, 5_000], [100, 300]);
    let baseline = tokio::task::spawn_blocking(move || idle_actors(counts)).await??;
    let mut world = World::start(Plan {
        program: PROGRAM,
        conversation: Duration::from_secs(3_600),
        clone_delay: Duration::ZERO,
        cores: Cores::All,
        tls: Tls::Without,
        variables: vec![("GREETING_MAX_SECONDS", "1"), ("CONVERSATION_MAX_SECONDS", "14400")],
    })
    .await?;
    println!("{}", world.describe());
    let mut table = Table::new(&["live calls", "RSS KiB", "of it heap KiB", "KiB a call", "CPU ms/s"]);
    let pid = world.service.pid()?;
    let nobody = memory(pid)?;
    table.row(row(0, nobody, None, quiet_cpu(&world, mode).await?));
    let (mut callers, mut live, mut last) = (Callers::new()?, 0_usize, nobody);
    let mut marginal = 0.0;
    for count in counts {
        ring(&mut world, callers.take(count.saturating_sub(live))?, live).await?;
        let cpu = quiet_cpu(&world, mode).await?;
        let now = memory(pid)?;
        table.row(row(count, now, Some(grown(nobody, now, count)), cpu));
        marginal = grown(last, now, count.saturating_sub(live));
        (live, last) = (count, now);
    }
    table.print("the service, every caller talking to an agent");
    println!("  from {} to {}: {marginal:.2} KiB a call", counts[0], counts[1]);
    let mut table = Table::new(&["idle actors", "KiB an actor"]);
    for (count, each) in counts.iter().zip(baseline) {
        table.row(vec![count.to_string(), format!("{each:.2}")]);
    }
    table.print(&format!("baseline: actors with {STATE_BYTES} bytes of state and a timer"));
    println!("  a live call is {:.1} of them", marginal / baseline[1]);
    println!("\n{} live calls at the end", world.live().await?);
    world.service.end().await
}

fn row(count: usize, memory: Memory, each: Option<f64>, cpu: f64) -> Vec<String> {
    vec![
        count.to_string(),
        memory.resident.to_string(),
        memory.anonymous.to_string(),
        each.map_or_else(String::new, |each| format!("{each:.2}")),
        format!("{cpu:.1}"),
    ]
}

fn grown(before: Memory, after: Memory, count: usize) -> f64 {
    (after.anonymous as f64 - before.anonymous as f64) / count as f64
}

/// CPU use of the quiet service, in milliseconds a second. Also gives it time to settle.
async fn quiet_cpu(world: &World, mode: Mode) -> Outcome<f64> {
    let seconds = mode.pick(4, 1);
    let before = world.cpu()?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Ok(millis(world.cpu()?.since(before).service) / seconds as f64)
}

struct Idle {
    state: [u8; STATE_BYTES],
}

impl Actor for Idle {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_later(Duration::from_secs(3_600), |actor, _| actor.state = [0; STATE_BYTES]);
    }
}

#[derive(Message)]
#[rtype(result = "u8")]
struct Ask;

impl Handler<Ask> for Idle {
    type Result = u8;

    fn handle(&mut self, _: Ask, _: &mut Context<Self>) -> u8 {
        self.state[0]
    }
}

/// KiB for each idle actor, at both counts.
fn idle_actors(counts: [usize; 2]) -> Result<[f64; 2], String> {
    actix::System::new().block_on(async move {
        let mut each = [0.0; 2];
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        for (each, count) in each.iter_mut().zip(counts) {
            let before = memory(std::process::id()).map_err(|error| failed(&error))?;
            let actors: Vec<Addr<Idle>> =
                (0..count).map(|_| Idle { state: [1; STATE_BYTES] }.start()).collect();
            for actor in &actors {
                actor.send(Ask).await.map_err(|error| failed(&error))?;
            }
            let after = memory(std::process::id()).map_err(|error| failed(&error))?;
            *each = grown(before, after, count);
            // Kept: the next actors must not reuse this memory.
            std::mem::forget(actors);
        }
        Ok(each)
    })
}
