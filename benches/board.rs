//! What the live board costs: CPU of the service and bytes for each viewer of `/api/v1/live/stream`, and how late a
//! change is, with 2,000 live calls, 200 changes a second and 50 viewers. Baselines: the same changes without a viewer
//! and with one viewer.
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "figures for people")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use precall::config::{ApiKeys, Scope};
use precall_base::clock;
use precall_test_support::KEY;
use precall_test_support::harness::callers::Callers;
use precall_test_support::harness::load::open_loop;
use precall_test_support::harness::numbers::{millis, percentile};
use precall_test_support::harness::ringing::{change, ring};
use precall_test_support::harness::table::Table;
use precall_test_support::harness::world::{Cores, Plan, Tls, World};
use precall_test_support::harness::{self, Mode, Outcome};
use serde_json::Value;
use tokio::task::JoinSet;

/// The program under load, built with this bench.
const PROGRAM: &str = env!("CARGO_BIN_EXE_precall");
/// One key may have 16 streams, so the viewers share these.
const KEYS: [(&str, &str); 4] = [
    ("bench", KEY),
    ("second", "bench-bench-bench-bench-bench-bench-2"),
    ("third", "bench-bench-bench-bench-bench-bench-3"),
    ("fourth", "bench-bench-bench-bench-bench-bench-4"),
];
/// Goal for a viewer: 1 % of a core, in milliseconds a second.
const GOAL_MS: f64 = 10.0;

/// What the viewers have received.
#[derive(Default)]
struct Received {
    bytes: u64,
    messages: u64,
    ended: usize,
    /// From the time of a call's event to its bytes, in milliseconds, as the first viewer saw it.
    delays: Vec<f64>,
}

fn main() -> ExitCode {
    harness::run(bench)
}

async fn bench(mode: Mode) -> Outcome<()> {
    let (calls, rate, seconds) = mode.pick((2_000, 200, 10), (300, 200, 4));
    let plan = Plan {
        program: PROGRAM,
        conversation: Duration::from_secs(3_600),
        clone_delay: Duration::ZERO,
        cores: Cores::All,
        tls: Tls::Without,
        variables: vec![("GREETING_MAX_SECONDS", "1"), ("CONVERSATION_MAX_SECONDS", "14400")],
    };
    let keys: Vec<String> =
        KEYS.iter().filter_map(|(name, key)| ApiKeys::entry(name, Scope::Read, key)).collect();
    let mut world = World::start_with(plan, BTreeMap::from([("API_KEYS", keys.join(","))])).await?;
    println!("{}", world.describe());
    ring(&mut world, Callers::new()?.take(calls)?, 0).await?;
    println!("{calls} live calls, {rate} changes a second for {seconds} s");

    let mut table = Table::new(&[
        "viewers",
        "CPU ms/s",
        "ms/s a viewer",
        "KiB/s a viewer",
        "messages/s",
        "late p50 ms",
        "p95 ms",
        "goal",
    ]);
    let mut alone = None;
    for viewers in mode.pick([0, 1, 50], [0, 1, 20]) {
        let received = Rc::new(RefCell::new(Received::default()));
        let mut open = JoinSet::new();
        for (ordinal, (_, key)) in KEYS.into_iter().cycle().take(viewers).enumerate() {
            let url = format!("http://{}/api/v1/live/stream", world.service.address);
            open.spawn_local(view(url, key, ordinal == 0, Rc::clone(&received)));
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        *received.borrow_mut() = Received::default();
        let before = world.cpu()?;
        let changes = (0..rate * seconds).map(|n| change(n as usize, calls, viewers)).collect();
        let exchanges = open_loop(world.service.address, rate, changes).await?;
        if let Some(refused) = exchanges.iter().find(|exchange| exchange.answer.status != 200) {
            return Err(format!("a change was not taken: {:?}", refused.answer.json()).into());
        }
        let cpu = millis(world.cpu()?.since(before).service) / f64::from(seconds);
        let seen = received.borrow();
        if seen.ended > 0 {
            return Err(format!("{} of {viewers} streams have ended", seen.ended).into());
        }
        let each = viewers as f64 * f64::from(seconds);
        let of_each = |figure: f64| if viewers == 0 { String::new() } else { format!("{figure:.1}") };
        let more = alone.map_or(0.0, |alone: f64| (cpu - alone) / viewers as f64);
        table.row(vec![
            viewers.to_string(),
            format!("{cpu:.1}"),
            of_each(more),
            of_each(seen.bytes as f64 / 1024.0 / each),
            of_each(seen.messages as f64 / each),
            of_each(percentile(&seen.delays, 0.5)),
            of_each(percentile(&seen.delays, 0.95)),
            match viewers {
                0 | 1 => String::new(),
                _ if more < GOAL_MS => format!("under {GOAL_MS}: met"),
                _ => format!("under {GOAL_MS}: MISSED"),
            },
        ]);
        alone.get_or_insert(cpu);
    }
    table.print("the service, the viewers and the changes");
    println!("  1 % of a core is 10 ms/s; the first viewer also pays for the encoding, once for all");
    world.service.end().await
}

/// Reads a stream without an end.
async fn view(url: String, key: &'static str, reads: bool, received: Rc<RefCell<Received>>) {
    let client = awc::Client::builder().disable_timeout().finish();
    let Ok(mut answer) = client.get(url).bearer_auth(key).send().await else {
        received.borrow_mut().ended += 1;
        return;
    };
    let mut text = Vec::new();
    while let Some(Ok(piece)) = answer.next().await {
        let mut received = received.borrow_mut();
        received.bytes += piece.len() as u64;
        received.messages += u64::from(piece.ends_with(b"\n\n"));
        if !reads {
            continue;
        }
        text.extend_from_slice(&piece);
        if text.ends_with(b"\n\n") {
            received.delays.extend(delays(&text));
            text.clear();
        }
    }
    received.borrow_mut().ended += 1;
}

/// How long ago the calls of a change had their last event.
fn delays(message: &[u8]) -> Vec<f64> {
    let now = clock::wall().0;
    let text = String::from_utf8_lossy(message);
    if !text.contains("event: change\n") {
        return Vec::new();
    }
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or_default();
    let Ok(data) = serde_json::from_str::<Value>(data) else { return Vec::new() };
    let changed = data.get("changed").and_then(Value::as_array).cloned().unwrap_or_default();
    let at = |call: &Value| call.get("last_event_at")?.as_str()?.parse::<Timestamp>().ok();
    changed.iter().filter_map(at).map(|at| (now - at.as_microsecond()) as f64 / 1_000.0).collect()
}
