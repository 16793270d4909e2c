//! `precall status`: how the running service is, on one screen.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Exit;
use super::live_answer::{FAILED_MOST, FailedCall, Health, Live, Measure, by_cause, by_state, failed_since};
use super::service::{Service, now, read};
use super::table::Table;
use crate::span::short;

/// Live calls that are shown.
const LIVE_SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print what the API says, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: Service,
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    show(&arguments).await.unwrap_or_else(|exit| exit)
}

/// An error or a service that takes no calls counts as something found wrong: exit code 1.
async fn show(arguments: &Arguments) -> Result<Exit, Exit> {
    let service = &arguments.service;
    let live: Value = service.get("live").await?;
    // The calls in memory are shown without the database as well.
    let failures = service.list("calls", &failed_since(now()), FAILED_MOST).await;
    let canary: Option<Value> = service.look("canary").await;
    if arguments.json {
        let failed = failures.unwrap_or_default();
        println!("{:#}", json!({ "live": live, "failed_in_the_last_hour": failed, "canary": canary }));
        return Ok(Exit::Good);
    }
    let live: Live = read(live)?;
    let failures = match failures {
        Ok(items) => Some(read::<Vec<FailedCall>>(Value::Array(items))?),
        Err(_) => None,
    };
    print!(
        "{}{}",
        screen(&live, failures.as_deref()),
        canary.map(|canary| last_canary(&canary)).unwrap_or_default()
    );
    Ok(if live.health.is_well() { Exit::Good } else { Exit::Failed })
}

fn screen(live: &Live, failures: Option<&[FailedCall]>) -> String {
    let mut said = head(&live.health);
    said.push_str(&problems(live));
    said.push_str(&on_the_line(live));
    said.push_str("\nFailed in the last hour\n");
    match failures {
        None => said.push_str("  not known: the database does not answer\n"),
        Some([]) => said.push_str("  none\n"),
        Some(failures) => said.push_str(&causes(failures)),
    }
    said.push_str("\nCapacity\n");
    for (what, Measure { used, limit, .. }) in live.health.measures() {
        let (used, limit) = (used.unwrap_or_default(), limit.unwrap_or_default());
        let _ = writeln!(said, "  {what:<16} {used} of {limit}");
    }
    said
}

fn head(health: &Health) -> String {
    format!(
        "precall {} {}: {}\n  database {}, 3CX {}, ElevenLabs {}, spool {}\n",
        health.version,
        health.takes(),
        health.status,
        health.database,
        health.threecx.replace('_', " "),
        health.elevenlabs,
        health.spool,
    )
}

fn problems(live: &Live) -> String {
    let mut said = String::from("\nProblems\n");
    if live.health.problems.is_empty() {
        said.push_str("  none\n");
    }
    for problem in &live.health.problems {
        let _ = write!(said, "  {}: {}", problem.area, problem.words);
        if let Some(since) = problem.since {
            let _ = write!(said, " (for {})", short(live.now.duration_since(since)));
        }
        if problem.failed > 0 {
            let of = problem.failed.saturating_add(problem.succeeded);
            let _ = write!(said, ", {} of {of} in ten minutes", problem.failed);
        }
        let _ = writeln!(said, "\n    To do: {}", problem.remedy);
        if let Some(call) = &problem.call {
            let _ = writeln!(said, "    The last call: precall why {call}");
        }
    }
    said
}

fn on_the_line(live: &Live) -> String {
    let states: Vec<String> =
        by_state(&live.items).iter().map(|(state, count)| format!("{count} {state}")).collect();
    let mut said = format!("\nOn the line: {}", live.items.len());
    if !states.is_empty() {
        let _ = write!(said, " ({})", states.join(", ").replace('_', " "));
    }
    said.push('\n');
    if live.items.is_empty() {
        return said;
    }
    let mut table = Table::new(["  for", "caller", "line", "state", "voice", "id"]);
    for call in live.items.iter().take(LIVE_SHOWN) {
        let lasts = call.offered_at.map(|at| short(live.now.duration_since(at))).unwrap_or_default();
        table.row([
            format!("  {lasts}"),
            call.caller.clone(),
            call.line.clone(),
            call.state.clone(),
            call.voice.clone(),
            call.id.clone(),
        ]);
    }
    let _ = write!(said, "{table}");
    if live.items.len() > LIVE_SHOWN {
        let more = live.items.len().saturating_sub(LIVE_SHOWN);
        let _ = writeln!(said, "  and {more} more: precall calls --live");
    }
    said
}

fn causes(failures: &[FailedCall]) -> String {
    let mut said = String::new();
    for ((cause, blame), count) in by_cause(failures) {
        let _ = writeln!(said, "  {count:>5}  {cause} ({blame}): precall calls --since 1h --cause {cause}");
    }
    if failures.len() == FAILED_MOST {
        let _ = writeln!(said, "  of the newest {FAILED_MOST}");
    }
    said
}

/// How the latest test call ended; nothing if there was none.
fn last_canary(canary: &Value) -> String {
    let Some(run) = canary.pointer("/items/0") else { return String::new() };
    let text = |name: &str| run.get(name).and_then(Value::as_str).unwrap_or_default();
    let outcome = if text("outcome").is_empty() { "is running" } else { text("outcome") };
    let mut said = format!("\nLast test call\n  {outcome}, began {}", text("started_at"));
    if !text("step").is_empty() {
        let _ = write!(said, ", step {}", text("step"));
    }
    if !text("words").is_empty() {
        let _ = write!(said, ": {}", text("words"));
    }
    said.push('\n');
    said
}

#[cfg(test)]
mod tests;
