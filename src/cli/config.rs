//! `precall config`: shows the configuration, and has the running service read it again.

use std::io::Write;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::service::{Output, read};
use super::{Exit, env_file, unusable};
use crate::config::{Config, ConfigSource};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print every variable with its value and where that comes from. Secrets are not printed.
    Show {
        /// Show what the running service uses, and mark what its files say otherwise now
        #[arg(long)]
        running: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Have the running service read its configuration again, for new calls: all of it, or nothing.
    Reload {
        #[command(flatten)]
        output: Output,
    },
}

pub(super) async fn run(command: Command) -> Exit {
    let ended = match command {
        Command::Show { running: false, output } => show_files(output.json),
        Command::Show { running: true, output } => show_running(&output).await,
        Command::Reload { output } => reload(&output).await,
    };
    ended.err().unwrap_or(Exit::Good)
}

/// What the files and the environment of this command say.
fn show_files(as_json: bool) -> Result<(), Exit> {
    let config = Config::read(ConfigSource::Environment(env_file())).map_err(|error| unusable(&error))?;
    let notes: Vec<&String> = config.notices().iter().chain(config.warnings()).collect();
    if as_json {
        print(&format!("{}\n", json!({ "items": config.shown(), "notes": notes })));
        return Ok(());
    }
    let mut text = config.show();
    for note in notes {
        text.push_str(&format!("note: {note}\n"));
    }
    print(&text);
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Running {
    items: Vec<Item>,
    refused: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Item {
    name: String,
    section: String,
    value: Option<String>,
    source: Source,
    needs_restart: bool,
    differs: bool,
    lines: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Source {
    from: String,
    file: Option<String>,
    line: Option<usize>,
}

async fn show_running(output: &Output) -> Result<(), Exit> {
    let answer: Value = output.service.get("config").await?;
    if output.json {
        print(&format!("{answer}\n"));
        return Ok(());
    }
    let running: Running = read(answer)?;
    print(&table(&running));
    Ok(())
}

fn table(running: &Running) -> String {
    let width = running.items.iter().map(|item| item.name.len()).max().unwrap_or(0);
    let (mut out, mut section) = (String::new(), "");
    for item in &running.items {
        if item.section != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            out.push_str(&format!("{gap}[{}]\n", item.section));
            section = &item.section;
        }
        out.push_str(&format!("{:width$}  {}\n", item.name, item.words()));
    }
    if let Some(refused) = &running.refused {
        out.push_str(&format!("note: a reload would be refused: {refused}\n"));
    }
    out
}

impl Item {
    fn words(&self) -> String {
        let mut words = match &self.value {
            None => "not set".to_owned(),
            Some(value) => format!("{value}{}", self.source.words()),
        };
        if !self.lines.is_empty() {
            words.push_str(&format!("; set in the database for lines {}", self.lines.join(", ")));
        }
        match (self.differs, self.needs_restart) {
            (true, true) => words.push_str("; CHANGED in the files, needs a restart"),
            (true, false) => words.push_str("; CHANGED in the files, `precall config reload` applies it"),
            (false, _) => {}
        }
        words
    }
}

impl Source {
    fn words(&self) -> String {
        match (self.from.as_str(), &self.file, self.line) {
            ("file", Some(file), Some(line)) => format!(" ({file} line {line})"),
            ("secret_file", Some(file), _) => format!(" (secret file {file})"),
            (from, ..) => format!(" ({from})"),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Reloaded {
    changed: Vec<String>,
    needs_restart: Vec<String>,
    hidden_by_environment: Vec<String>,
    warnings: Vec<String>,
}

async fn reload(output: &Output) -> Result<(), Exit> {
    let answer: Value = output.service.post("config/reload", &json!({})).await?;
    if output.json {
        print(&format!("{answer}\n"));
        return Ok(());
    }
    let Reloaded { changed, needs_restart, hidden_by_environment, warnings } = read(answer)?;
    let mut text = match changed.as_slice() {
        [] => "Reloaded. No variable has changed.\n".to_owned(),
        changed => format!("Reloaded, for new calls: {}\n", changed.join(", ")),
    };
    if !needs_restart.is_empty() {
        text.push_str(&format!("Not applied, needs a restart: {}\n", needs_restart.join(", ")));
    }
    if !hidden_by_environment.is_empty() {
        text.push_str(&format!(
            "Not applied, the environment of the process sets them: {}\n",
            hidden_by_environment.join(", ")
        ));
    }
    for warning in warnings {
        text.push_str(&format!("note: {warning}\n"));
    }
    print(&text);
    Ok(())
}

fn print(text: &str) {
    // The reader may close the pipe early.
    let _closed = std::io::stdout().write_all(text.as_bytes());
}
