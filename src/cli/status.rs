//! `precall status`: how the running service is, on one screen.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Exit;
use super::service::{Service, in_url, now, read};
use super::span::short;
use super::table::Table;

/// Failed calls of the last hour that are counted by cause.
const FAILED_MOST: usize = 2_000;
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

/// The answer of `GET /api/v1/live`.
#[derive(Debug, Deserialize)]
struct Live {
    now: Timestamp,
    health: Health,
    items: Vec<LiveCall>,
}

#[derive(Debug, Deserialize)]
struct Health {
    status: String,
    database: String,
    elevenlabs: String,
    threecx: String,
    spool: String,
    ready: bool,
    standby: bool,
    draining: bool,
    problems: Vec<Problem>,
    capacity: BTreeMap<String, Value>,
    version: String,
}

#[derive(Debug, Deserialize)]
struct Problem {
    area: String,
    since: Option<Timestamp>,
    words: String,
    remedy: String,
    failed: u64,
    succeeded: u64,
    call: Option<String>,
}

#[derive(Debug, Deserialize)]
struct LiveCall {
    id: String,
    caller: String,
    line: String,
    state: String,
    voice: String,
    offered_at: Option<Timestamp>,
}

/// A failed call of the list.
#[derive(Debug, Deserialize)]
struct FailedCall {
    cause: Option<String>,
    blame: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Measure {
    used: Option<u64>,
    limit: Option<u64>,
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    show(&arguments).await.unwrap_or_else(|exit| exit)
}

/// An error or a service that takes no calls counts as something found wrong: exit code 1.
async fn show(arguments: &Arguments) -> Result<Exit, Exit> {
    let service = &arguments.service;
    let live: Value = service.get("live").await?;
    let since = now().saturating_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN);
    let query = format!("status=failed&since={}", in_url(&since.to_string()));
    // The calls in memory are shown without the database as well.
    let failures = service.list("calls", &query, FAILED_MOST).await;
    if arguments.json {
        println!("{:#}", json!({ "live": live, "failed_in_the_last_hour": failures.unwrap_or_default() }));
        return Ok(Exit::Good);
    }
    let live: Live = read(live)?;
    let failures = match failures {
        Ok(items) => Some(read::<Vec<FailedCall>>(Value::Array(items))?),
        Err(_) => None,
    };
    print!("{}", screen(&live, failures.as_deref()));
    let takes_calls = live.health.ready || live.health.standby;
    Ok(if live.health.status != "error" && takes_calls { Exit::Good } else { Exit::Failed })
}

fn screen(live: &Live, failures: Option<&[FailedCall]>) -> String {
    let mut said = head(&live.health);
    said.push_str(&problems(live));
    said.push_str(&on_the_line(live));
    said.push_str("\nFailed in the last hour\n");
    match failures {
        None => said.push_str("  not known: the database does not answer\n"),
        Some([]) => said.push_str("  none\n"),
        Some(failures) => said.push_str(&by_cause(failures)),
    }
    said.push_str("\nCapacity\n");
    for (name, measure) in &live.health.capacity {
        let Ok(Measure { used: Some(used), limit: Some(limit) }) = serde_json::from_value(measure.clone())
        else {
            continue;
        };
        let (what, unit) = match name.strip_suffix("_bytes") {
            Some(what) => (format!("{what} (MiB)"), 1 << 20),
            None => (name.replace('_', " "), 1),
        };
        let _ = writeln!(said, "  {what:<16} {} of {}", used / unit, limit / unit);
    }
    said
}

fn head(health: &Health) -> String {
    let takes = match (health.ready, health.standby, health.draining) {
        (true, ..) => "takes calls",
        (false, true, _) => "is a standby: another precall takes the calls",
        (false, _, true) => "is being stopped and takes no new calls",
        (false, false, false) => "takes NO calls",
    };
    format!(
        "precall {} {takes}: {}\n  database {}, 3CX {}, ElevenLabs {}, spool {}\n",
        health.version,
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
    let mut by_state: BTreeMap<&str, usize> = BTreeMap::new();
    for call in &live.items {
        let count = by_state.entry(&call.state).or_default();
        *count = count.saturating_add(1);
    }
    let states: Vec<String> = by_state.iter().map(|(state, count)| format!("{count} {state}")).collect();
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

fn by_cause(failures: &[FailedCall]) -> String {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for call in failures {
        let key = (call.cause.as_deref().unwrap_or("unknown"), call.blame.as_deref().unwrap_or("nobody"));
        let count = counts.entry(key).or_default();
        *count = count.saturating_add(1);
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut said = String::new();
    for ((cause, blame), count) in counts {
        let _ = writeln!(said, "  {count:>5}  {cause} ({blame}): precall calls --since 1h --cause {cause}");
    }
    if failures.len() == FAILED_MOST {
        let _ = writeln!(said, "  of the newest {FAILED_MOST}");
    }
    said
}

#[cfg(test)]
mod tests;
