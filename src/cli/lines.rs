//! `precall lines`: what called numbers give their calls, in versions.

use std::fmt::Write as _;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::service::{Output, in_url};
use super::table::Table;
use super::{Exit, unusable};

/// Lines in one list.
const MOST: usize = 5_000;
/// Settings that are numbers.
const NUMBERS: [&str; 3] = ["max_live_calls", "greeting_max_seconds", "clone_max_wait_seconds"];

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the lines. The default line comes from the environment and is not among them.
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Show a line: what it sets, its versions, and what became of their calls in 30 days.
    Show {
        /// The called number
        number: String,
        #[command(flatten)]
        output: Output,
    },
    /// Change a line, or make one: `precall lines set +4930123 agent_id=agent_7 language=de`.
    Set {
        /// The called number
        number: String,
        /// NAME=VALUE, as `precall lines show` names them; without a value the default line's counts again
        #[arg(required = true)]
        settings: Vec<String>,
        /// Why, for people
        #[arg(long)]
        note: Option<String>,
        /// Only write the version: it counts when it is published
        #[arg(long)]
        draft: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Let a version count: for all callers, or with --percent for some.
    Publish {
        /// The called number
        number: String,
        /// The version
        version: i32,
        /// For how many of a hundred callers: a trial beside the version that counts
        #[arg(long, value_parser = clap::value_parser!(i16).range(1..=100))]
        percent: Option<i16>,
        #[command(flatten)]
        output: Output,
    },
    /// End the trial; without one, let the version before count again.
    Rollback {
        /// The called number
        number: String,
        #[command(flatten)]
        output: Output,
    },
    /// Delete a line: its number gets the default line. The versions stay.
    Delete {
        /// The called number
        number: String,
        #[command(flatten)]
        output: Output,
    },
}

pub(super) async fn run(command: Command) -> Exit {
    let outcome = match command {
        Command::List { output } => list(&output).await,
        Command::Show { number, output } => show(&output, &number).await,
        Command::Set { number, settings, note, draft, output } => {
            set(&output, &number, &settings, note.as_deref(), draft).await
        }
        Command::Publish { number, version, percent, output } => {
            let order = json!({ "version": version, "percent": percent });
            changed(&output, output.service.post(&path(&number, "/publish"), &order).await)
        }
        Command::Rollback { number, output } => {
            changed(&output, output.service.post(&path(&number, "/rollback"), &json!({})).await)
        }
        Command::Delete { number, output } => delete(&output, &number).await,
    };
    outcome.err().unwrap_or(Exit::Good)
}

fn path(number: &str, action: &str) -> String {
    format!("lines/{}{action}", in_url(number))
}

async fn list(output: &Output) -> Result<(), Exit> {
    let lines = output.service.list("lines", "", MOST).await?;
    if output.json {
        println!("{}", Value::Array(lines));
        return Ok(());
    }
    let mut table = Table::new(["NUMBER", "VERSION", "TRIAL", "SETS"]);
    for line in &lines {
        table.row([text(line, "number"), version(line), trial(line), settings(line, ", ")]);
    }
    print!("{table}");
    Ok(())
}

async fn show(output: &Output, number: &str) -> Result<(), Exit> {
    let line: Value = output.service.get(&path(number, "")).await?;
    if output.json {
        println!("{line}");
    } else {
        print!("{}", shown(&line));
    }
    Ok(())
}

/// The line for people.
fn shown(line: &Value) -> String {
    let mut page = String::new();
    let current = line.get("current").filter(|current| !current.is_null());
    let _infallible = match current {
        Some(current) => {
            writeln!(
                page,
                "{}, version {}\n  {}",
                text(line, "number"),
                version(current),
                settings(current, "\n  ")
            )
        }
        None => {
            writeln!(page, "{} has no line: its calls are calls of the default line", text(line, "number"))
        }
    };
    let mut table = Table::new(["VERSION", "STATE", "COMPLETED", "FAILED", "LIVE", "WRITTEN", "BY", "NOTE"]);
    for version in line.get("items").and_then(Value::as_array).into_iter().flatten() {
        let outcomes = version.get("outcomes").cloned().unwrap_or_default();
        table.row([
            text(version, "version"),
            text(version, "state"),
            text(&outcomes, "completed"),
            failures(&outcomes),
            text(&outcomes, "live"),
            text(version, "created_at"),
            text(version, "created_by"),
            text(version, "note"),
        ]);
    }
    let _infallible = write!(page, "\n{table}");
    page
}

/// `3 (agent_lost 2, handoff_failed 1)`.
fn failures(outcomes: &Value) -> String {
    let causes = outcomes.get("causes").and_then(Value::as_object);
    let causes: Vec<String> =
        causes.into_iter().flatten().map(|(cause, count)| format!("{cause} {count}")).collect();
    let count = text(outcomes, "failed");
    if causes.is_empty() { count } else { format!("{count} ({})", causes.join(", ")) }
}

async fn set(
    output: &Output,
    number: &str,
    changes: &[String],
    note: Option<&str>,
    draft: bool,
) -> Result<(), Exit> {
    let known: Option<Value> = output.service.find(&path(number, "")).await?;
    let current = known.as_ref().and_then(|known| known.pointer("/current/settings"));
    let current = current.and_then(Value::as_object).cloned().unwrap_or_default();
    let settings = changed_settings(current, changes).map_err(|why| unusable(&why))?;
    let order = json!({ "settings": settings, "note": note, "publish": !draft });
    changed(output, output.service.put(&path(number, ""), &order).await)
}

/// The settings with the changes `NAME=VALUE`. The service checks the names.
fn changed_settings(
    mut settings: Map<String, Value>,
    changes: &[String],
) -> Result<Map<String, Value>, String> {
    settings.retain(|_, value| !value.is_null());
    for change in changes {
        let (name, value) =
            change.split_once('=').ok_or_else(|| format!("{change} must be NAME=VALUE, like language=de"))?;
        let value = match value {
            "" => {
                settings.remove(name);
                continue;
            }
            _ if NUMBERS.contains(&name) => {
                let number: i32 = value.parse().map_err(|_| format!("{name} must be a whole number"))?;
                Value::from(number)
            }
            _ => Value::from(value),
        };
        settings.insert(name.to_owned(), value);
    }
    Ok(settings)
}

fn changed(output: &Output, answer: Result<Value, Exit>) -> Result<(), Exit> {
    let answer = answer?;
    if output.json {
        println!("{answer}");
        return Ok(());
    }
    let (number, version) = (text(&answer, "number"), text(&answer, "version"));
    let in_use = answer.get("in_use").and_then(Value::as_bool).unwrap_or_default();
    let when = if in_use {
        "New calls use it."
    } else {
        "No call uses it yet: it is a draft, or its prompts are being spoken."
    };
    println!("Line {number}, version {version}. {when}");
    Ok(())
}

async fn delete(output: &Output, number: &str) -> Result<(), Exit> {
    output.service.delete(&path(number, "")).await?;
    println!("Deleted. Calls of {number} are calls of the default line.");
    Ok(())
}

fn version(line: &Value) -> String {
    match line.get("version").filter(|version| !version.is_null()) {
        Some(version) => version.to_string(),
        None => "by hand".to_owned(),
    }
}

fn trial(line: &Value) -> String {
    match line.get("trial").filter(|trial| !trial.is_null()) {
        Some(trial) => format!("{} for {} %", text(trial, "version"), text(trial, "percent")),
        None => String::new(),
    }
}

fn settings(line: &Value, between: &str) -> String {
    let set = line.get("settings").and_then(Value::as_object);
    let set = set.into_iter().flatten().filter(|(_, value)| !value.is_null());
    let set: Vec<String> = set
        .map(|(name, _)| format!("{name}={}", text(line.get("settings").unwrap_or(&Value::Null), name)))
        .collect();
    if set.is_empty() { "nothing: as the default line".to_owned() } else { set.join(between) }
}

/// A field as text; empty if it is missing or null.
fn text(object: &Value, name: &str) -> String {
    match object.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    //! Tests of the line commands.
    #![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_laid_over_what_is_set() {
        let current = json!({ "agent_id": "a", "language": "de", "max_live_calls": null });
        let change = |changes: &[&str]| {
            let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
            changed_settings(current.as_object().unwrap().clone(), &changes).map(Value::Object)
        };
        assert_eq!(
            change(&["language=", "max_live_calls=3"]),
            Ok(json!({ "agent_id": "a", "max_live_calls": 3 }))
        );
        let greeting = change(&["greeting_message=a=b"]).unwrap();
        assert_eq!(greeting.get("greeting_message").and_then(Value::as_str), Some("a=b"));
        for (wrong, says) in [("language", "NAME=VALUE"), ("max_live_calls=x", "whole number")] {
            assert!(change(&[wrong]).unwrap_err().contains(says), "{wrong}");
        }
    }

    #[test]
    fn a_line_is_shown_with_its_versions() {
        let outcomes = json!({ "live": 1, "completed": 5, "failed": 3, "causes": { "agent_lost": 3 } });
        let version = json!({ "version": 2, "state": "published", "created_at": "2026-01-01T00:00:00Z",
            "created_by": "anna", "note": "new agent", "outcomes": outcomes });
        let current = json!({ "version": 2, "settings": { "agent_id": "a", "language": null } });
        let line = json!({ "number": "+4930", "current": current, "items": [version] });
        let page = shown(&line);
        for text in ["+4930, version 2", "agent_id=a", "published", "3 (agent_lost 3)", "anna", "new agent"] {
            assert!(page.contains(text), "{text} in {page}");
        }
    }
}
