//! The command line. Exit codes: 0 success, 1 failed or found something wrong, 2 wrong configuration or usage.

mod act;
mod adopt;
mod alerts;
mod bundle;
mod bypass;
pub(crate) mod caller_rows;
mod callers;
mod calls;
mod canary;
pub mod check;
mod config;
mod database_look;
#[cfg(feature = "simulators")]
mod demo;
#[cfg(test)]
mod documented;
mod healthcheck;
#[cfg(feature = "simulators")]
mod install_postgres;
mod keys;
mod lines;
mod live_answer;
mod live_call;
mod manual;
mod migrate;
#[cfg(not(feature = "simulators"))]
mod no_simulators;
mod quarantine;
mod restore;
mod serve;
mod service;
mod sign;
mod spool_look;
mod status;
mod table;
mod top;
mod verify;
mod voices;
mod why;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::{Parser, Subcommand};
use precall_store::connect;
use precall_store::connect::fault::Fault;

use crate::config::{Config, ConfigError, DatabaseSource, read_environment};

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The command succeeded.
    Good,
    /// The command failed, or found something wrong.
    Failed,
    /// The configuration or the command line is wrong.
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

/// Take calls from 3CX to an ElevenLabs voice agent that speaks with a voice cloned for the caller.
#[derive(Debug, Parser)]
#[command(name = "precall", version, about)]
struct Arguments {
    /// File of settings that the process environment does not set; without it, .env in the working directory
    #[arg(long, global = true, value_name = "FILE")]
    env_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service (the default).
    Serve(serve::Arguments),
    /// Run precall with simulated callers, 3CX and ElevenLabs and a database, all in this process.
    #[cfg(feature = "simulators")]
    Demo(demo::Arguments),
    /// Run a simulator of ElevenLabs, 3CX or an S3 store; or ring the simulated 3CX.
    #[cfg(feature = "simulators")]
    Simulate {
        #[command(subcommand)]
        simulator: precall_simulators::Simulator,
    },
    #[cfg(not(feature = "simulators"))]
    #[command(flatten)]
    NotInThisBuild(no_simulators::Command),
    /// Apply missing migrations to the database. With --adopt: take over the database of a VoiceClone Pre-Call Service.
    Migrate(migrate::Arguments),
    /// Check the database: event logs have no gaps, derived rows match them, no duplicates. Also look at what waits
    /// in SPOOL_DIR for a database, and whether this one lacks acknowledged events.
    Verify,
    /// List what was kept out of its log, or write it there where the log takes it.
    Quarantine {
        #[command(subcommand)]
        command: quarantine::Command,
    },
    /// Repeat erasures after the database was restored from a backup.
    Restore(restore::Arguments),
    /// Ask everything that a call needs, and say what to change. With --live-call: make one real call.
    Check(live_call::Arguments),
    /// Ask the running service whether it makes progress (exit code 0 or 1).
    Healthcheck,
    /// Show on one screen how the running service is: what is wrong, who is on the line, what failed in the last hour.
    Status(status::Arguments),
    /// Show calls, problems and capacity on one screen that follows the running service.
    Top(top::Arguments),
    /// List calls, newest first.
    Calls(calls::Arguments),
    /// Say in plain sentences what happened to a call, whose fault it was, and what to do.
    Why(why::Arguments),
    /// End a live call.
    Hangup(act::Arguments),
    /// Send the caller of a live call to a person or queue.
    Transfer(act::TransferArguments),
    /// Send the caller of a live call to FALLBACK_DESTINATION.
    Fallback(act::Arguments),
    /// Let a live call go on in the fallback voice instead of the caller's cloned voice.
    FallbackVoice(act::Arguments),
    /// Clone the voice of a call's caller once more, for this call or the next one.
    RetryClone(act::Arguments),
    /// Pack an archive for a fault report: without secrets, transcripts and whole numbers.
    Bundle(bundle::Arguments),
    /// Send new calls to FALLBACK_DESTINATION, or take them again.
    Bypass {
        #[command(subcommand)]
        command: bypass::Command,
    },
    /// Make a test call from the PBX through precall to the agent, and show each step.
    Canary(canary::Arguments),
    /// Import or export callers (CSV).
    Callers {
        #[command(subcommand)]
        command: callers::Command,
    },
    /// Ask the running service to reconcile or clone voices.
    Voices {
        #[command(subcommand)]
        command: voices::Command,
    },
    /// List, change, publish and roll back lines: what called numbers give their calls.
    Lines {
        #[command(subcommand)]
        command: lines::Command,
    },
    /// Make, list and revoke API keys.
    Keys {
        #[command(subcommand)]
        command: keys::Command,
    },
    /// Try the alerts by mail and webhook.
    Alerts {
        #[command(subcommand)]
        command: alerts::Command,
    },
    /// Sign a webhook body from standard input, and print the signature header.
    Sign(sign::Arguments),
    /// Install PostgreSQL for the embedded database, if it is missing.
    #[cfg(feature = "simulators")]
    InstallPostgres,
    /// Show the configuration, or have the running service read it again.
    Config {
        #[command(subcommand)]
        command: config::Command,
    },
    /// Write manual pages and shell completions into a folder, for a package.
    Manual(manual::Arguments),
}

/// Reads the command line and runs the command.
#[must_use]
pub fn run() -> ExitCode {
    let Arguments { env_file, command } = Arguments::parse();
    if let Some(file) = env_file {
        if let Err(error) = std::fs::File::open(&file) {
            return unusable(&format!("--env-file {}: {error}", file.display())).into();
        }
        let _only_here = ENV_FILE.set(file);
    }
    let exit = match command.unwrap_or(Command::Serve(serve::Arguments::default())) {
        Command::Serve(arguments) => in_system(serve::run(arguments)),
        #[cfg(feature = "simulators")]
        Command::Demo(arguments) => in_system(demo::run(arguments)),
        #[cfg(feature = "simulators")]
        Command::Simulate { simulator } => in_system(async { said(simulator.run().await) }),
        #[cfg(not(feature = "simulators"))]
        Command::NotInThisBuild(command) => no_simulators::run(&command),
        Command::Migrate(arguments) => in_system(migrate::run(arguments)),
        Command::Verify => in_system(verify::run()),
        Command::Quarantine { command } => in_system(quarantine::run(command)),
        Command::Restore(arguments) => in_system(restore::run(arguments)),
        Command::Check(arguments) if arguments.is_live() => in_system(live_call::run(arguments)),
        Command::Check(arguments) => in_system(check::run(arguments.options(), arguments.as_json())),
        Command::Healthcheck => in_system(healthcheck::run()),
        Command::Status(arguments) => in_system(status::run(arguments)),
        Command::Top(arguments) => in_system(top::run(arguments)),
        Command::Calls(arguments) => in_system(calls::run(arguments)),
        Command::Why(arguments) => in_system(why::run(arguments)),
        Command::Hangup(arguments) => in_system(act::hangup(arguments)),
        Command::Transfer(arguments) => in_system(act::transfer(arguments)),
        Command::Fallback(arguments) => in_system(act::fallback(arguments)),
        Command::FallbackVoice(arguments) => in_system(act::fallback_voice(arguments)),
        Command::RetryClone(arguments) => in_system(act::retry_clone(arguments)),
        Command::Bundle(arguments) => in_system(bundle::run(arguments)),
        Command::Bypass { command } => in_system(bypass::run(command)),
        Command::Canary(arguments) => in_system(canary::run(arguments)),
        Command::Callers { command } => in_system(callers::run(command)),
        Command::Voices { command } => in_system(voices::run(command)),
        Command::Lines { command } => in_system(lines::run(command)),
        Command::Keys { command } => in_system(keys::run(command)),
        Command::Alerts { command } => in_system(alerts::run(command)),
        Command::Sign(arguments) => sign::run(&arguments),
        #[cfg(feature = "simulators")]
        Command::InstallPostgres => install_postgres::run(),
        Command::Config { command } => in_system(config::run(command)),
        Command::Manual(arguments) => manual::run(&arguments),
    };
    exit.into()
}

/// Actors, servers and clients live in an actix system on this thread.
fn in_system(command: impl Future<Output = Exit>) -> Exit {
    actix::System::new().block_on(command)
}

fn said<E: std::fmt::Display>(outcome: Result<(), E>) -> Exit {
    match outcome {
        Ok(()) => Exit::Good,
        Err(error) => {
            eprintln!("precall: {error}");
            Exit::Failed
        }
    }
}

/// The address in `DATABASE_URL`. Without it the command ends, and prints `embedded`.
fn external_url(embedded: &str) -> Result<Box<connect::DatabaseUrl>, Exit> {
    let database = environment().and_then(|set| Config::database_from_map(&set)).map_err(|e| unusable(&e))?;
    let DatabaseSource::External(url) = database.source else {
        eprintln!("precall: {embedded}");
        return Err(Exit::Unusable);
    };
    Ok(url)
}

/// Connects to the database in `DATABASE_URL`.
async fn external_database(name: &str, embedded: &str) -> Result<connect::Dedicated, Exit> {
    let url = external_url(embedded)?;
    connect::connect(&url, name, connect::Limits::default()).await.map_err(|error| {
        let fault = Fault::of_connect(&error);
        eprintln!("precall: {}", fault.words);
        if fault.is_passing { Exit::Failed } else { Exit::Unusable }
    })
}

fn unusable(error: &impl std::fmt::Display) -> Exit {
    eprintln!("precall: {error}");
    Exit::Unusable
}

/// `--env-file`.
static ENV_FILE: OnceLock<PathBuf> = OnceLock::new();

/// The file of settings that the process environment does not set.
fn env_file() -> PathBuf {
    ENV_FILE.get().cloned().unwrap_or_else(|| PathBuf::from(".env"))
}

fn environment() -> Result<BTreeMap<String, String>, ConfigError> {
    read_environment(&env_file())
}
