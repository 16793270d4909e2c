//! `precall config show`: what is set, and from where; secrets only as set or not.

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
            print!("{}", config.show());
            for notice in config.notices().iter().chain(config.warnings()) {
                println!("note: {notice}");
            }
            Exit::Good
        }
        Err(error) => unusable(&error),
    }
}
