//! The load harness: real processes on loopback, bounded loops, and who used how much of the machine.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people, and recordings made of a sine"
)]

pub mod bare_speaker;
pub mod callers;
pub mod child;
pub mod client;
pub mod load;
pub mod numbers;
pub mod pbx;
pub mod table;
pub mod usage;
pub mod world;

use std::error::Error;
use std::future::Future;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

/// Whatever goes wrong ends the bench and is printed.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Enough for a median; what the docs quote.
    Full,
    /// A few seconds: that it works, and roughly how.
    Quick,
}

impl Mode {
    /// `cargo bench` says `--bench`; without it somebody only wants to see that it runs.
    fn of_arguments() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let has = |name: &str| arguments.iter().any(|argument| argument == name);
        if has("--quick") || !has("--bench") { Self::Quick } else { Self::Full }
    }

    /// One value or the other.
    pub fn pick<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

/// Runs a bench to its end, or to Ctrl-C or SIGTERM; either way its processes end with it.
pub fn run<F: Future<Output = Outcome<()>>>(bench: impl FnOnce(Mode) -> F) -> ExitCode {
    let mode = Mode::of_arguments();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let ended = LocalSet::new().block_on(&runtime, async {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            outcome = bench(mode) => outcome,
            _ = terminate.recv() => Err("told to stop".into()),
            _ = interrupt.recv() => Err("told to stop".into()),
        }
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

fn failed(error: &dyn Error) -> ExitCode {
    eprintln!("the bench failed: {error}");
    ExitCode::FAILURE
}
