//! Logging to standard error, and to a file if one is configured. Standard output is for results of commands.
//!
//! Logging never blocks a call: if the queue to the writing thread is full, lines are dropped and counted. Lines of
//! requests and libraries have a queue of their own, so that a flood of requests drops no line of a call. There is one
//! root slog logger. Records of libraries (`log` crate) go to it too, from level warning: below that they contain
//! requests. Secrets, tokens and telephone numbers are hidden in every text of every line (`hide`).

mod drain;
mod file;
mod hide;
mod level;
mod libraries;
mod panics;
mod queues;
mod recent_lines;
pub(crate) mod request_id;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Write};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use slog::{Drain, Logger, o};
use slog_async::{AsyncCore, AsyncGuard};

use crate::config::{Environment, Log};
use drain::{Bounded, CatchPanics, Echo, JsonLines, Stamp};
use file::RotatingFile;
use hide::Hide;
use level::FromLevel;
pub(crate) use level::LogLevel;
use libraries::Libraries;
use queues::{Queues, SharedWriter};
pub(crate) use recent_lines::RecentLines;
use request_id::WithRequestId;

/// Capacity of the queue for lines of calls, in lines: about one second of a very busy installation.
const CHANNEL_LINES: usize = 16_384;
/// Capacity of the queue for lines of requests and libraries.
const REQUEST_LINES: usize = 4_096;

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
    level: LogLevel,
    guards: Option<[AsyncGuard; 2]>,
    is_running: Arc<AtomicBool>,
}

impl Logging {
    /// The root logger. Its children have fields such as `call`.
    pub(crate) fn logger(&self) -> &Logger {
        &self.logger
    }

    /// The lowest level that is written. It can be changed.
    pub(crate) fn level(&self) -> LogLevel {
        self.level.clone()
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.is_running.store(false, Ordering::Release);
        let Some(guards) = self.guards.take() else { return };
        let (done, wait) = mpsc::channel();
        let flush = thread::Builder::new().name("log-flush".to_owned()).spawn(move || {
            drop(guards);
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
    let level = LogLevel::new(log.level);
    let (logger, guards) = match format {
        // The time is added before the queue, because under load a line is written later.
        Format::Json => {
            let lines = JsonLines::new(stderr, Echo::Records, file);
            root(CatchPanics(Hide::new(lines)), Stamp, level.clone())
        }
        Format::Terminal => {
            let terminal = slog_term::FullFormat::new(slog_term::TermDecorator::new().stderr().build())
                .use_custom_timestamp(|out| out.write_all(drain::now().as_bytes()))
                .build();
            let lines = Stamp(JsonLines::new(stderr, Echo::FileOnly, file));
            let both = Hide::new(slog::Duplicate::new(terminal, lines));
            root(CatchPanics(both), |channel| channel, level.clone())
        }
    };
    Logging { logger, level, guards: Some(guards), is_running: Arc::new(AtomicBool::new(true)) }
}

/// The root logger: level, lines of libraries, two queues, one writer. `stamp` adds what a line has from its beginning.
fn root<W, C>(writer: W, stamp: impl Fn(AsyncCore) -> C, level: LogLevel) -> (Logger, [AsyncGuard; 2])
where
    W: Drain<Ok = (), Err = slog::Never> + Send + 'static,
    C: Drain<Ok = (), Err = slog_async::AsyncError> + Send + Sync + RefUnwindSafe + UnwindSafe + 'static,
{
    let writer = SharedWriter::new(writer);
    let (calls, calls_guard) = channel(writer.clone(), CHANNEL_LINES, "log");
    let (requests, requests_guard) = channel(writer, REQUEST_LINES, "log-requests");
    let queues = Queues {
        calls: Bounded::new(stamp(calls), "calls"),
        requests: Bounded::new(stamp(requests), "requests"),
    };
    let drain = Libraries::new(FromLevel::new(WithRequestId(queues), level).ignore_res());
    (Logger::root(drain, o!()), [calls_guard, requests_guard])
}

fn channel<D>(writer: D, lines: usize, name: &str) -> (AsyncCore, AsyncGuard)
where
    D: Drain<Ok = (), Err = slog::Never> + Send + 'static,
{
    AsyncCore::custom(writer).chan_size(lines).thread_name(name.to_owned()).build_with_guard()
}
