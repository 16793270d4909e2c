//! `precall keys new`: makes a key, shows it once, stores nothing.

use clap::Subcommand;
use uuid::Uuid;

use super::Exit;
use crate::config::{ApiKeys, Scope};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a key, and print it once with its entry for API_KEYS.
    New {
        /// Name of the user; appears in logs and in the audit log.
        #[arg(long, default_value = "operator")]
        name: String,
        /// read, operate or admin; each includes the one before.
        #[arg(long, default_value = "read", value_parser = scope)]
        scope: Scope,
    },
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::from_name(text).ok_or_else(|| "must be read, operate or admin".to_owned())
}

pub(super) fn run(command: &Command) -> Exit {
    let Command::New { name, scope } = command;
    // 244 random bits from the operating system.
    let key = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let Some(entry) = ApiKeys::entry(name, *scope, &key) else {
        eprintln!("precall: --name may have letters, digits, - and _ only");
        return Exit::Unusable;
    };
    println!("key:      {key}");
    println!("API_KEYS: {entry}");
    Exit::Good
}
