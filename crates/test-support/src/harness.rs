//! The load harness of the benches: real processes on loopback, bounded request loops, and CPU and memory by process.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people, and recordings made of a sine"
)]

pub mod actors;
pub mod bare_speaker;
pub mod callers;
pub mod child;
pub mod client;
pub mod load;
pub mod numbers;
pub mod pbx;
pub mod ringing;
pub mod table;
pub mod usage;
pub mod world;

use std::error::Error;
use std::future::Future;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

/// Any error ends the bench and is printed.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Enough for medians: the figures that the documents quote.
    Full,
    /// A few seconds: shows that the bench works, and rough figures.
    Quick,
}

impl Mode {
    /// `cargo bench` passes `--bench`. Without it, or with `--quick`, the bench only has to show that it runs.
    fn of_arguments() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let has = |name: &str| arguments.iter().any(|argument| argument == name);
        if has("--quick") || !has("--bench") { Self::Quick } else { Self::Full }
    }

    /// The value for this mode.
    pub fn pick<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

/// Runs a bench until it ends, or until Ctrl-C or SIGTERM. Its processes end with it.
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
            _ = terminate.recv() => Err("stopped by a signal".into()),
            _ = interrupt.recv() => Err("stopped by a signal".into()),
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
