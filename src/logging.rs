//! Logging to standard error, and to a file if one is configured. Standard output is for results of commands.
//!
//! Logging never blocks a call: if the channel to the writing thread is full, lines are dropped and counted. There is
//! one root slog logger. Records of libraries (`log` crate) go to it too, from level warning: below that they contain
//! requests.

mod drain;
mod file;
mod panics;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use slog::{Drain, LevelFilter, Logger, o};
use slog_async::{AsyncCore, AsyncGuard};

use crate::config::{Environment, Log};
use drain::{Bounded, CatchPanics, Echo, JsonLines, Stamp};
use file::RotatingFile;

/// Capacity of the channel to the writing thread, in lines: about one second of a very busy installation.
const CHANNEL_LINES: usize = 16_384;

/// Time limit for writing the last lines at the end. Standard error may be a pipe without a reader.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// Format on standard error. The file is always JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One object a line: `ts` (RFC 3339, UTC, microseconds), `level`, `msg` and the fields.
    Json,
    /// Text for a terminal.
    Terminal,
}

impl Format {
    /// JSON in production, and if standard error is not a terminal.
    #[must_use]
    pub(crate) fn choose(environment: Environment) -> Self {
        match environment {
            Environment::Development if io::stderr().is_terminal() => Self::Terminal,
            Environment::Development | Environment::Production => Self::Json,
        }
    }
}

/// Logging of the process. Keep it until the end; dropping it writes the waiting lines.
#[must_use = "logging ends when this is dropped"]
pub(crate) struct Logging {
    logger: Logger,
    guard: Option<AsyncGuard>,
    is_running: Arc<AtomicBool>,
}

impl Logging {
    /// The root logger. Its children have fields such as `call`.
    pub(crate) fn logger(&self) -> &Logger {
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
            // After the time limit there is no receiver.
            let _too_late = done.send(());
        });
        if flush.is_ok() {
            let _flushed_or_too_slow = wait.recv_timeout(FLUSH_MAX);
        }
    }
}

/// Starts logging for the whole process: the root logger, the bridge from `log`, the panic hook.
///
/// It cannot fail. A log file that cannot be written is reported on standard error and retried every 10 s.
pub(crate) fn start(log: &Log, format: Format) -> Logging {
    let logging = build(log, format, Box::new(io::stderr()));
    // Without the reset the logger stays in place after the end: slog-scope panics when it has none.
    slog_scope::set_global_logger(logging.logger.clone()).cancel_reset();
    // Level warning: below it libraries log requests, and `log` does not even format them.
    // Fails only if the process already has a bridge. That one leads to the global logger too.
    let _already_bridged = slog_stdlog::init_with_level(log::Level::Warn);
    panics::log_panics(logging.logger.clone(), Arc::clone(&logging.is_running));
    logging
}

/// A root logger that writes to `stderr`.
fn build(log: &Log, format: Format, stderr: Box<dyn Write + Send>) -> Logging {
    let file = log.file.clone().map(RotatingFile::new);
    let (logger, guard) = match format {
        Format::Json => {
            let (channel, guard) = channel(CatchPanics(JsonLines::new(stderr, Echo::Records, file)));
            // The time is added here, because under load a line is written later.
            let drain = LevelFilter::new(Bounded::new(Stamp(channel)), log.level);
            (Logger::root(drain.ignore_res(), o!()), guard)
        }
        Format::Terminal => {
            let terminal = slog_term::FullFormat::new(slog_term::TermDecorator::new().stderr().build())
                .use_custom_timestamp(|out| out.write_all(drain::now().as_bytes()))
                .build();
            let lines = Stamp(JsonLines::new(stderr, Echo::FileOnly, file));
            let (channel, guard) = channel(CatchPanics(slog::Duplicate::new(terminal, lines)));
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
