//! Logs a panic as one line: location, message, thread. It replaces the standard hook.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use precall_base::redact::redact;
use slog::{Logger, error};

/// Replaces the panic hook. A second call replaces it again, so that no panic is logged twice.
pub(super) fn log_panics(logger: Logger, is_running: Arc<AtomicBool>) {
    std::panic::set_hook(Box::new(move |info| {
        let message = message(info.payload());
        let location = info.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        let current = thread::current();
        let name = current.name().unwrap_or("unnamed");
        if !is_running.load(Ordering::Acquire) {
            // Logging has ended, so write a plain line. A closed standard error must not cause another panic.
            let _closed = writeln!(io::stderr(), "panicked at {location} on {name}: {message}");
            return;
        }
        // Captured only with RUST_BACKTRACE.
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        error!(logger, "panicked"; "location" => location, "message" => message, "thread" => name,
            "backtrace" => backtrace);
    }));
}

/// The payload's text, shortened and without secrets and telephone numbers: an assertion may have printed them.
fn message(payload: &(dyn Any + Send)) -> String {
    const MAX: usize = 500;
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    redact(text, MAX, &[])
}
