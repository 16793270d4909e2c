//! The live board in a real browser with thousands of live calls and hundreds of changes a second: the main thread's
//! time for a frame, the heap, and how late a change is painted. Baseline: the same page without changes.
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::process::ExitCode;
use std::time::Duration;

use precall_test_support::KEY;
use precall_test_support::browser::Browser;
use precall_test_support::harness::callers::Callers;
use precall_test_support::harness::load::open_loop;
use precall_test_support::harness::numbers::percentile;
use precall_test_support::harness::ringing::{change, ring};
use precall_test_support::harness::table::Table;
use precall_test_support::harness::world::{Cores, Plan, Tls, World};
use precall_test_support::harness::{self, Mode, Outcome};

/// The program under load, built with this bench.
const PROGRAM: &str = env!("CARGO_BIN_EXE_precall");

/// Watches the page: from the begin of a frame's scripts until the browser has laid out and painted it; and from the
/// time of a call's event, as the stream has it, until the frame after its message.
const WATCH: &str = "
    const seen = { frames: [], late: [] };
    window.benchSeen = seen;
    let painted = () => undefined;
    const after = new MessageChannel();
    after.port1.onmessage = () => painted();
    const frame = () => {
        const began = performance.now();
        painted = () => seen.frames.push(performance.now() - began);
        after.port2.postMessage(0);
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    const stream = new EventSource('/api/v1/live/stream');
    stream.addEventListener('change', (event) => {
        const at = JSON.parse(event.data).changed.map((call) => Date.parse(call.last_event_at));
        requestAnimationFrame(() => setTimeout(() => {
            for (const moment of at) seen.late.push(Date.now() - moment);
        }));
    });";

/// What was seen since the last time, and the heap after a collection, in bytes.
const TAKE: &str = "
    const { frames, late } = window.benchSeen;
    const taken = [frames.splice(0), late.splice(0)];
    gc();
    return [...taken, performance.memory.usedJSHeapSize, document.querySelectorAll('#rows tr').length];";

fn main() -> ExitCode {
    harness::run(bench)
}

async fn bench(mode: Mode) -> Outcome<()> {
    let (calls, rate, seconds) = mode.pick((5_000, 500, 15), (300, 200, 4));
    let plan = Plan {
        program: PROGRAM,
        conversation: Duration::from_secs(3_600),
        clone_delay: Duration::ZERO,
        cores: Cores::All,
        tls: Tls::Without,
        variables: vec![
            ("GREETING_MAX_SECONDS", "1"),
            ("CONVERSATION_MAX_SECONDS", "14400"),
            ("MAX_LIVE_CALLS", "100000"),
        ],
    };
    let mut world = World::start(plan).await?;
    println!("{}", world.describe());
    let Some(browser) = Browser::start(&format!("http://{}", world.service.address)).await else {
        return world.service.end().await;
    };
    ring(&mut world, Callers::new()?.take(calls)?, 0).await?;
    browser.sign_in(KEY, "/").await;
    browser.says("[data-counter=live]", &calls.to_string()).await;
    browser.run(WATCH, Vec::new()).await;
    println!("{calls} live calls, {rate} changes a second for {seconds} s");
    let mut table =
        Table::new(&["changes/s", "frames", "p50 ms", "p95 ms", "late p50 ms", "p95 ms", "heap MiB", "rows"]);
    for rate_now in [0, rate] {
        browser.run(TAKE, Vec::new()).await;
        if rate_now == 0 {
            tokio::time::sleep(Duration::from_secs(u64::from(seconds))).await;
        } else {
            let changes = (0..rate * seconds).map(|n| change(n as usize, calls, 0)).collect();
            let exchanges = open_loop(world.service.address, rate, changes).await?;
            if let Some(refused) = exchanges.iter().find(|exchange| exchange.answer.status != 200) {
                return Err(format!("a change was not taken: {:?}", refused.answer.json()).into());
            }
        }
        let seen = browser.run(TAKE, Vec::new()).await;
        let (frames, late, heap, rows): (Vec<f64>, Vec<f64>, f64, usize) = serde_json::from_value(seen)?;
        table.row(vec![
            rate_now.to_string(),
            frames.len().to_string(),
            format!("{:.1}", percentile(&frames, 0.5)),
            format!("{:.1}", percentile(&frames, 0.95)),
            format!("{:.0}", percentile(&late, 0.5)),
            format!("{:.0}", percentile(&late, 0.95)),
            format!("{:.1}", heap / 1_048_576.0),
            rows.to_string(),
        ]);
    }
    table.print("the live board in Chromium, without a graphics card");
    drop(browser);
    world.service.end().await
}
