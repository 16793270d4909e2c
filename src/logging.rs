//! Log lines: to standard error, since standard output belongs to the program's answers, and on request to a file.
//!
//! A line never makes a call wait: the channel to the writing thread drops what does not fit and says how much.
//! Root of everything is one slog logger; what libraries log through `log` joins it, at warning and above, since
//! below that they write down requests.

mod drain;
mod file;
mod panics;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use slog::{Drain, LevelFilter, Logger, o};
use slog_async::{AsyncCore, AsyncGuard};

use crate::config::{Environment, Log};
use drain::{Bounded, Echo, JsonLines, Stamp, Unbreakable};
use file::RotatingFile;

/// Lines that wait for the writing thread at most: about a second of a very busy installation.
const CHANNEL_LINES: usize = 16_384;

/// How long the end of the program waits for the last lines; standard error may be a pipe that nobody reads.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// How lines look on standard error. The file is always JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One object a line: `ts` (RFC 3339, UTC, microseconds), `level`, `msg` and the fields.
    Json,
    /// For a person at a terminal.
    Terminal,
}

impl Format {
    /// JSON in production and wherever standard error is not a terminal.
    #[must_use]
    pub fn choose(environment: Environment) -> Self {
        match environment {
            Environment::Development if io::stderr().is_terminal() => Self::Terminal,
            Environment::Development | Environment::Production => Self::Json,
        }
    }
}

/// Keeps logging alive; held by `main` to its end. Dropping it writes what is still waiting.
#[must_use = "logging ends when this is dropped"]
pub struct Logging {
    logger: Logger,
    guard: Option<AsyncGuard>,
    is_running: Arc<AtomicBool>,
}

impl Logging {
    /// The root logger; children of it carry `call` and the like.
    pub fn logger(&self) -> &Logger {
        &self.logger
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.is_running.store(false, Ordering::Release);
        let Some(guard) = self.guard.take() else { return };
        let (done, wait) = mpsc::channel();
        let flush = thread::Builder::new().name("log-flush".to_owned()).spawn(move || {
            drop(guard);
            // Nobody waits any more if this came too late.
            let _too_late = done.send(());
        });
        if flush.is_ok() {
            let _flushed_or_too_slow = wait.recv_timeout(FLUSH_MAX);
        }
    }
}

/// Starts logging for the whole process: the root logger, the bridge from `log`, the panic hook.
///
/// It cannot fail: a file that cannot be written is reported on standard error and tried again now and then.
pub fn start(log: &Log, format: Format) -> Logging {
    let logging = build(log, format, Box::new(io::stderr()));
    // Without the reset the logger stays in place after our end: slog-scope panics when it has none.
    slog_scope::set_global_logger(logging.logger.clone()).cancel_reset();
    // At warning: below it libraries write down requests, and `log` does not even format them.
    // Fails only where the process has a bridge already; it leads to the global logger too.
    let _already_bridged = slog_stdlog::init_with_level(log::Level::Warn);
    panics::log_panics(logging.logger.clone(), Arc::clone(&logging.is_running));
    logging
}

/// A root logger of its own that writes to `stderr`.
fn build(log: &Log, format: Format, stderr: Box<dyn Write + Send>) -> Logging {
    let file = log.file.clone().map(RotatingFile::new);
    let (logger, guard) = match format {
        Format::Json => {
            let (channel, guard) = channel(Unbreakable(JsonLines::new(stderr, Echo::Records, file)));
            // Stamped here, not when it is written: under load that is later.
            let drain = LevelFilter::new(Bounded::new(Stamp(channel)), log.level);
            (Logger::root(drain.ignore_res(), o!()), guard)
        }
        Format::Terminal => {
            let terminal = slog_term::FullFormat::new(slog_term::TermDecorator::new().stderr().build())
                .use_custom_timestamp(|out| out.write_all(drain::now().as_bytes()))
                .build();
            let lines = Stamp(JsonLines::new(stderr, Echo::Trouble, file));
            let (channel, guard) = channel(Unbreakable(slog::Duplicate::new(terminal, lines)));
            let drain = LevelFilter::new(Bounded::new(channel), log.level);
            (Logger::root(drain.ignore_res(), o!()), guard)
        }
    };
    Logging { logger, guard: Some(guard), is_running: Arc::new(AtomicBool::new(true)) }
}

fn channel<D>(writer: D) -> (AsyncCore, AsyncGuard)
where
    D: Drain<Ok = (), Err = slog::Never> + Send + 'static,
{
    AsyncCore::custom(writer).chan_size(CHANNEL_LINES).thread_name("log".to_owned()).build_with_guard()
}
