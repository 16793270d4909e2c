//! `precall config show`: what is set, and from where; secrets only as set or not.

use std::io::Write;

use clap::Subcommand;

use super::{Exit, environment, unusable};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print every variable with its value.
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
            // Whoever reads it may have seen enough.
            let _closed = std::io::stdout().write_all(text.as_bytes());
            Exit::Good
        }
        Err(error) => unusable(&error),
    }
}
