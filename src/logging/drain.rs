//! slog drains that turn records into lines.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use slog::{
    BorrowedKV, Drain, FnValue, KV, Key, Level, Never, OwnedKVList, PushFnValue, Record, RecordStatic,
    Serializer, b, o, record,
};
use slog_async::AsyncError;
use slog_json::Json;

use super::file::{RotatingFile, Written};
use super::recent_lines::RecentLines;

/// The current time for a line: RFC 3339, UTC, microseconds.
pub(super) fn now() -> String {
    format!("{:.6}", jiff::Timestamp::now())
}

/// Adds time and source library to every record.
pub(super) struct Stamp<D>(pub(super) D);

impl<D: Drain> Drain for Stamp<D> {
    type Ok = D::Ok;
    type Err = D::Err;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<D::Ok, D::Err> {
        let stamped = Stamped { record, at: now() };
        let about = RecordStatic { location: record.location(), tag: record.tag(), level: record.level() };
        self.0.log(&Record::new(&about, record.msg(), BorrowedKV(&stamped)), values)
    }
}

/// What [`Stamp`] adds to a record's fields.
struct Stamped<'a> {
    record: &'a Record<'a>,
    at: String,
}

impl KV for Stamped<'_> {
    fn serialize(&self, record: &Record<'_>, serializer: &mut dyn Serializer) -> slog::Result {
        self.record.kv().serialize(record, serializer)?;
        if !self.record.tag().is_empty() {
            serializer.emit_str(Key::from("target"), self.record.tag())?;
        }
        serializer.emit_str(Key::from("ts"), &self.at)
    }
}

/// Drops records when the channel is full, and logs their number when there is room again. slog-async's own drain does
/// the same, but counts most lines twice.
pub(super) struct Bounded<D> {
    inner: D,
    queue: &'static str,
    dropped: AtomicU64,
}

impl<D> Bounded<D> {
    /// `queue` is its name in the line about dropped records.
    pub(super) fn new(inner: D, queue: &'static str) -> Self {
        Self { inner, queue, dropped: AtomicU64::new(0) }
    }
}

impl<D: Drain<Ok = (), Err = AsyncError>> Bounded<D> {
    fn report(&self) {
        let count = self.dropped.swap(0, Ordering::Relaxed);
        if count == 0 {
            return;
        }
        let reported = self.inner.log(
            &record!(
                Level::Warning,
                "",
                &format_args!("log lines were dropped"),
                b!("count" => count, "queue" => self.queue)
            ),
            &OwnedKVList::from(o!()),
        );
        if reported.is_err() {
            self.dropped.fetch_add(count, Ordering::Relaxed);
        }
    }
}

impl<D: Drain<Ok = (), Err = AsyncError>> Drain for Bounded<D> {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        self.report();
        if self.inner.log(record, values).is_err() {
            // The channel is full or closed: the line is lost.
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Which lines go to standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Echo {
    /// All lines.
    Records,
    /// Only lines about the log file. Another drain writes the rest.
    FileOnly,
}

/// Writes whole lines. A line is made in memory first, so that a failure writes no half line.
pub(super) struct JsonLines {
    json: Json<Buffer>,
    buffer: Buffer,
    sinks: Mutex<Sinks>,
}

struct Sinks {
    stderr: Box<dyn Write + Send>,
    echo: Echo,
    file: Option<RotatingFile>,
}

impl JsonLines {
    pub(super) fn new(stderr: Box<dyn Write + Send>, echo: Echo, file: Option<RotatingFile>) -> Self {
        let buffer = Buffer::default();
        let json = Json::new(buffer.clone())
            .add_key_value(o!("level" => FnValue(|record: &Record<'_>| level_name(record.level()))))
            .add_key_value(o!("msg" => PushFnValue(|record: &Record<'_>, serializer| {
                serializer.emit(record.msg())
            })))
            .build();
        let lines = Self { json, buffer, sinks: Mutex::new(Sinks { stderr, echo, file }) };
        lines.write(None);
        lines
    }

    /// The line as bytes.
    ///
    /// # Errors
    /// A field could not be serialised.
    fn line(&self, record: &Record<'_>, values: &OwnedKVList) -> io::Result<Vec<u8>> {
        // Removes the rest of a failed line.
        drop(self.buffer.take());
        self.json.log(record, values)?;
        Ok(self.buffer.take())
    }

    /// Writes a line. `None` only opens the file, so that a problem shows at the start.
    fn write(&self, line: Option<&[u8]>) {
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(line), Echo::Records) = (line, sinks.echo) {
            // A closed standard error cannot be reported.
            let _closed = sinks.stderr.write_all(line);
        }
        let Some(file) = &mut sinks.file else { return };
        let path = file.path().display().to_string();
        let reported = match file.write(line.unwrap_or_default()) {
            Written::AsBefore => return,
            Written::Failed(why) => self.line(
                &record!(
                    Level::Warning,
                    "",
                    &format_args!("log file cannot be written"),
                    b!("file" => path, "error" => why, "ts" => now())
                ),
                &OwnedKVList::from(o!()),
            ),
            Written::Again => self.line(
                &record!(
                    Level::Info,
                    "",
                    &format_args!("log file is written again"),
                    b!("file" => path, "ts" => now())
                ),
                &OwnedKVList::from(o!()),
            ),
        };
        if let Ok(reported) = reported {
            let _closed = sinks.stderr.write_all(&reported);
        }
    }
}

impl Drain for JsonLines {
    type Ok = ();
    type Err = io::Error;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> io::Result<()> {
        let line = self.line(record, values)?;
        RecentLines::of_process().take(&line);
        self.write(Some(&line));
        Ok(())
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Critical => "critical",
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

/// A buffer with two owners: the JSON writer fills it, [`JsonLines`] empties it.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Drops a line whose formatting panics, so that the writing thread survives. Fields are formatted there.
pub(super) struct CatchPanics<D>(pub(super) D);

impl<D: Drain> Drain for CatchPanics<D> {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        // Unwind safe: the next line starts with an empty buffer.
        let _lost = catch_unwind(AssertUnwindSafe(|| self.0.log(record, values).is_ok()));
        Ok(())
    }
}
