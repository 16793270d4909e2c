//! `precall config show`: every variable, its value and its source. Secrets are shown as set or not set.

use std::io::Write;

use clap::Subcommand;

use super::{Exit, environment, unusable};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print every variable with its value. Secrets are not printed.
    Show,
}

pub(super) fn run(command: &Command) -> Exit {
    let Command::Show = command;
    match environment().and_then(|set| Config::from_map(&set)) {
        Ok(config) => {
            let mut text = config.show().to_owned();
            for notice in config.notices().iter().chain(config.warnings()) {
                text.push_str(&format!("note: {notice}\n"));
            }
            // The reader may close the pipe early.
            let _closed = std::io::stdout().write_all(text.as_bytes());
            Exit::Good
        }
        Err(error) => unusable(&error),
    }
}
