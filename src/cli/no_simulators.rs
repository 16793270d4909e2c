//! The commands of the feature `simulators`, in a build without it: each is refused with what to run instead.

use std::ffi::OsString;

use clap::{Args, Subcommand};

use super::Exit;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Not in this build: it needs the feature `simulators`.
    #[command(hide = true, disable_help_flag = true)]
    Demo(Ignored),
    /// Not in this build: it needs the feature `simulators`.
    #[command(hide = true, disable_help_flag = true)]
    Simulate(Ignored),
    /// Not in this build: it needs the feature `simulators`.
    #[command(hide = true, disable_help_flag = true)]
    InstallPostgres(Ignored),
}

/// Arguments of every kind, so that the command is refused and not its arguments.
#[derive(Debug, Args)]
pub(super) struct Ignored {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _arguments: Vec<OsString>,
}

pub(super) fn run(command: &Command) -> Exit {
    let (name, missing) = match command {
        Command::Demo(_) => ("demo", "no simulators"),
        Command::Simulate(_) => ("simulate", "no simulators"),
        Command::InstallPostgres(_) => ("install-postgres", "no simulators and no embedded database"),
    };
    eprintln!(
        "precall: this build has {missing}; use a build with the feature `simulators`: \
         `cargo run --release -- {name}` in the source folder"
    );
    Exit::Unusable
}
