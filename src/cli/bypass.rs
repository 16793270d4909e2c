//! `precall bypass`: sends new calls to FALLBACK_DESTINATION, and shows where that is so.

use std::time::Duration;

use serde_json::{Value, json};

use super::Exit;
use super::service::Output;
use crate::span::span;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Send new calls to FALLBACK_DESTINATION, without any contact to ElevenLabs. Calls that are live go on.
    On {
        /// How long, like 30m or 2h; without it until `precall bypass off`
        #[arg(long = "for", value_name = "TIME", value_parser = span)]
        lasts: Option<Duration>,
        #[command(flatten)]
        word: Word,
    },
    /// Take new calls again.
    Off {
        #[command(flatten)]
        word: Word,
    },
    /// Show the bypasses in force.
    Show {
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Word {
    /// The line, as `precall calls` shows it; without it every line
    #[arg(long)]
    line: Option<String>,
    /// Why, for your colleagues and the audit log
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(command: Command) -> Exit {
    let (answered, is_json) = match command {
        Command::Show { output } => (output.service.get::<Value>("bypass").await, output.json),
        Command::On { lasts, word } => (word.say(true, lasts).await, word.output.json),
        Command::Off { word } => (word.say(false, None).await, word.output.json),
    };
    match answered {
        Ok(answer) if is_json => println!("{answer}"),
        Ok(answer) => print!("{}", shown(&answer)),
        Err(exit) => return exit,
    }
    Exit::Good
}

impl Word {
    async fn say(&self, on: bool, lasts: Option<Duration>) -> Result<Value, Exit> {
        let seconds = lasts.map(|lasts| lasts.as_secs());
        let order = json!({ "on": on, "line": self.line, "for_seconds": seconds, "reason": self.reason });
        self.output.service.put("bypass", &order).await
    }
}

/// What is in force, a sentence each.
fn shown(answer: &Value) -> String {
    let items = answer.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return "No bypass: new calls are taken on every line.\n".to_owned();
    }
    let text =
        |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let sentence = |item: &Value| {
        let line = item.get("line").and_then(Value::as_str);
        let line = line.map_or_else(|| "every line".to_owned(), |line| format!("line {line}"));
        let until = item.get("until").and_then(Value::as_str);
        let until =
            until.map_or_else(|| "until it is switched off".to_owned(), |until| format!("until {until}"));
        let (since, by, reason) = (text(item, "since"), text(item, "by"), text(item, "reason"));
        format!("New calls of {line} go to FALLBACK_DESTINATION since {since}, {until}. {by}: {reason}\n")
    };
    items.iter().map(sentence).collect()
}
