//! `precall calls`: the list of calls, newest first.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Exit;
use super::service::{Service, in_url, now, read};
use super::table::Table;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only calls that failed
    #[arg(long)]
    failed: bool,
    /// Only live calls
    #[arg(long, conflicts_with = "failed")]
    live: bool,
    /// Only calls that came in within this time, like 30m, 1h or 2d
    #[arg(long, value_name = "TIME", value_parser = crate::span::span)]
    since: Option<Duration>,
    /// Only calls of this caller, in any spelling
    #[arg(long, value_name = "NUMBER")]
    caller: Option<String>,
    /// Only calls of this line
    #[arg(long, value_name = "NAME")]
    line: Option<String>,
    /// Only calls that ended for this cause
    #[arg(long, value_name = "CAUSE")]
    cause: Option<String>,
    /// Only calls of the canary: they are in no other list
    #[arg(long)]
    canary: bool,
    /// Highest number of calls
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Print the calls as the API shows them, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: Service,
}

/// A call in the list.
#[derive(Debug, Deserialize)]
struct Call {
    id: String,
    threecx_call_id: Option<String>,
    caller_id: Option<String>,
    line: String,
    state: String,
    cause: Option<String>,
    blame: Option<String>,
    voice_missing: Option<String>,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    show(&arguments).await.unwrap_or_else(|exit| exit)
}

async fn show(arguments: &Arguments) -> Result<Exit, Exit> {
    let items = arguments.service.list("calls", &arguments.query(now()), arguments.limit).await?;
    if arguments.json {
        println!("{:#}", json!(items));
    } else {
        print!("{}", table(&read::<Vec<Call>>(Value::Array(items))?));
    }
    Ok(Exit::Good)
}

impl Arguments {
    fn query(&self, now: Timestamp) -> String {
        let mut parts = Vec::new();
        if self.failed {
            parts.push("status=failed".to_owned());
        }
        if self.live {
            parts.push("live=true".to_owned());
        }
        if self.canary {
            parts.push("canary=true".to_owned());
        }
        let since = self.since.and_then(|span| now.checked_sub(SignedDuration::try_from(span).ok()?).ok());
        let since = since.map(|since| since.to_string());
        for (name, value) in
            [("since", &since), ("caller_id", &self.caller), ("line", &self.line), ("cause", &self.cause)]
        {
            parts.extend(value.as_ref().map(|value| format!("{name}={}", in_url(value))));
        }
        parts.join("&")
    }
}

fn table(calls: &[Call]) -> String {
    if calls.is_empty() {
        return "no calls\n".to_owned();
    }
    let mut table = Table::new(["came in (UTC)", "caller", "line", "lasted", "how", "3CX id", "id"]);
    for call in calls {
        let lasted = call.ended_at.map_or_else(
            || "live".to_owned(),
            |ended| crate::span::short(ended.duration_since(call.started_at)),
        );
        table.row([
            call.started_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            call.caller_id.clone().unwrap_or_else(|| "withheld".to_owned()),
            call.line.clone(),
            lasted,
            how(call),
            call.threecx_call_id.clone().unwrap_or_default(),
            call.id.clone(),
        ]);
    }
    table.to_string()
}

/// How it ended, or how it is.
fn how(call: &Call) -> String {
    let mut how = call.cause.clone().unwrap_or_else(|| call.state.clone());
    if let Some(blame) = &call.blame {
        how.push_str(&format!(" ({blame})"));
    }
    if let Some(missing) = &call.voice_missing {
        how.push_str(&format!(", voice: {missing}"));
    }
    how
}

#[cfg(test)]
mod tests;
