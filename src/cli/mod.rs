//! The command line. Exit codes: 0 good, 1 found something wrong or failed, 2 bad configuration or usage.

mod caller_rows;
mod callers;
mod check;
mod check_agent;
mod check_capacity;
mod config_show;
#[cfg(feature = "simulators")]
mod demo;
mod healthcheck;
#[cfg(feature = "simulators")]
mod install_postgres;
mod keys;
mod live_call;
mod migrate;
#[cfg(not(feature = "simulators"))]
mod no_simulators;
mod restore;
mod serve;
mod sign;
#[cfg(feature = "simulators")]
mod simulate;
mod verify;
mod voices;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use precall_actors::store::connect;

use crate::config::{Config, ConfigError, DatabaseSource, read_environment};

/// What a command ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Good,
    /// Something is wrong, or failed.
    Failed,
    /// The configuration or the command cannot be used.
    Unusable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::Failed => 1,
            Exit::Unusable => 2,
        })
    }
}

/// Greets callers at once, clones their voice meanwhile, hands them to a voice agent that speaks with it.
#[derive(Debug, Parser)]
#[command(name = "precall", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve webhooks and carry calls (the default).
    Serve,
    /// Run precall with simulated callers, 3CX and ElevenLabs and a database, all in this process.
    #[cfg(feature = "simulators")]
    Demo(demo::Arguments),
    /// Run a simulator of ElevenLabs, 3CX or an S3 store.
    #[cfg(feature = "simulators")]
    Simulate {
        #[command(subcommand)]
        provider: simulate::Provider,
    },
    #[cfg(not(feature = "simulators"))]
    #[command(flatten)]
    NotInThisBuild(no_simulators::Command),
    /// Bring the database's schema up to date.
    Migrate,
    /// Prove that the database says one thing: logs without gaps, rows that follow from them, nothing twice.
    Verify,
    /// After the database was restored: erase again what was erased since the backup.
    Restore(restore::Arguments),
    /// Check configuration, database and provider, and say what to change; or a 3CX PBX, by one real call.
    Check(live_call::Arguments),
    /// Ask a running precall whether it is alive.
    Healthcheck,
    /// Bring callers in from a file, and out to one.
    Callers {
        #[command(subcommand)]
        command: callers::Command,
    },
    /// Have a running precall look after the voices at the provider.
    Voices {
        #[command(subcommand)]
        command: voices::Command,
    },
    /// Work with API keys.
    Keys {
        #[command(subcommand)]
        command: keys::Command,
    },
    /// Sign a webhook body given on standard input.
    Sign(sign::Arguments),
    /// Install PostgreSQL for the embedded database, if it is missing.
    #[cfg(feature = "simulators")]
    InstallPostgres,
    /// Work with the configuration.
    Config {
        #[command(subcommand)]
        command: config_show::Command,
    },
}

/// Reads the command line and does what it says.
#[must_use]
pub fn run() -> ExitCode {
    let exit = match Arguments::parse().command.unwrap_or(Command::Serve) {
        Command::Serve => in_system(serve::run()),
        #[cfg(feature = "simulators")]
        Command::Demo(arguments) => in_system(demo::run(arguments)),
        #[cfg(feature = "simulators")]
        Command::Simulate { provider } => in_system(simulate::run(provider)),
        #[cfg(not(feature = "simulators"))]
        Command::NotInThisBuild(command) => no_simulators::run(&command),
        Command::Migrate => in_system(migrate::run()),
        Command::Verify => in_system(verify::run()),
        Command::Restore(arguments) => in_system(restore::run(arguments)),
        Command::Check(arguments) if arguments.is_live() => in_system(live_call::run(arguments)),
        Command::Check(_) => in_system(check::run()),
        Command::Healthcheck => in_system(healthcheck::run()),
        Command::Callers { command } => in_system(callers::run(command)),
        Command::Voices { command } => in_system(voices::run(command)),
        Command::Keys { command } => keys::run(&command),
        Command::Sign(arguments) => sign::run(&arguments),
        #[cfg(feature = "simulators")]
        Command::InstallPostgres => install_postgres::run(),
        Command::Config { command } => config_show::run(&command),
    };
    exit.into()
}

/// Actors, servers and clients live in an actix system on this thread.
fn in_system(command: impl Future<Output = Exit>) -> Exit {
    actix::System::new().block_on(command)
}

#[cfg(feature = "simulators")]
fn said<E: std::fmt::Display>(outcome: Result<(), E>) -> Exit {
    match outcome {
        Ok(()) => Exit::Good,
        Err(error) => {
            eprintln!("precall: {error}");
            Exit::Failed
        }
    }
}

/// A connection to the database of DATABASE_URL, or how the command ends. `embedded` is the error without a URL.
async fn external_database(name: &str, embedded: &str) -> Result<connect::Dedicated, Exit> {
    let database = environment().and_then(|set| Config::database_from_map(&set)).map_err(|e| unusable(&e))?;
    let DatabaseSource::External(url) = database.source else {
        eprintln!("precall: {embedded}");
        return Err(Exit::Unusable);
    };
    connect::connect(&url, name, connect::Limits::default()).await.map_err(|error| {
        eprintln!("precall: {error}");
        Exit::Failed
    })
}

fn unusable(error: &impl std::fmt::Display) -> Exit {
    eprintln!("precall: {error}");
    Exit::Unusable
}

fn environment() -> Result<BTreeMap<String, String>, ConfigError> {
    read_environment(Path::new(".env"))
}
