//! `precall manual`: the manual pages and the completions of shells, for packages.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use super::{Exit, said};

/// What the first page has besides the help: it is the one that is read at night.
const MORE: &str = "\
Exit codes: 0 done, 1 failed or found something wrong, 2 the configuration or the command line is wrong.

/etc/precall/precall.env has the settings, /etc/precall/secrets the secrets, /var/lib/precall the state, \
/var/log/mcp-services the log.

The documents are in /usr/share/doc/precall: begin with OPERATIONS.md.";

const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder to write into; it must be there
    folder: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    said(write(super::Arguments::command(), &arguments.folder))
}

fn write(command: Command, folder: &Path) -> io::Result<()> {
    let mut command = command.after_long_help(MORE);
    clap_mangen::generate_to(command.clone(), folder)?;
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut command, "precall", folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
