//! The drains between a logger and the bytes of a line.

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

/// The time as it stands in a line: RFC 3339, UTC, microseconds.
pub(super) fn now() -> String {
    format!("{:.6}", jiff::Timestamp::now())
}

/// Gives every line its time and the library it is from.
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

/// Drops what the channel has no room for and says how much it was, as soon as there is room again. slog-async's
/// own drain does the same, but counts most lines twice.
pub(super) struct Bounded<D> {
    inner: D,
    dropped: AtomicU64,
}

impl<D> Bounded<D> {
    pub(super) fn new(inner: D) -> Self {
        Self { inner, dropped: AtomicU64::new(0) }
    }
}

impl<D: Drain<Ok = (), Err = AsyncError>> Bounded<D> {
    fn report(&self) {
        let count = self.dropped.swap(0, Ordering::Relaxed);
        if count == 0 {
            return;
        }
        let told = self.inner.log(
            &record!(Level::Warning, "", &format_args!("log lines were dropped"), b!("count" => count)),
            &OwnedKVList::from(o!()),
        );
        if told.is_err() {
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
            // Full, or at its end; in both cases the line is lost.
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Which lines go to standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Echo {
    /// All.
    Records,
    /// Only what concerns the file; another drain writes the rest.
    Trouble,
}

/// Writes each line whole: a line is made in memory first, so that a failure within leaves no half of it behind.
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

    /// One line as bytes; none if a field could not be written.
    fn line(&self, record: &Record<'_>, values: &OwnedKVList) -> io::Result<Vec<u8>> {
        // What a failed line left behind.
        drop(self.buffer.take());
        self.json.log(record, values)?;
        Ok(self.buffer.take())
    }

    /// Writes a line where it belongs. Without one only the file is opened, so that trouble is known at start.
    fn write(&self, line: Option<&[u8]>) {
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(line), Echo::Records) = (line, sinks.echo) {
            // There is nowhere left to say that standard error is closed.
            let _closed = sinks.stderr.write_all(line);
        }
        let Some(file) = &mut sinks.file else { return };
        let path = file.path().display().to_string();
        let told = match file.write(line.unwrap_or_default()) {
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
        if let Ok(told) = told {
            let _closed = sinks.stderr.write_all(&told);
        }
    }
}

impl Drain for JsonLines {
    type Ok = ();
    type Err = io::Error;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> io::Result<()> {
        let line = self.line(record, values)?;
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

/// Bytes that two owners see: the JSON writer fills them, [`JsonLines`] takes them.
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

/// Loses a line rather than the writing thread: fields are formatted there, by anybody's `Display`.
pub(super) struct Unbreakable<D>(pub(super) D);

impl<D: Drain> Drain for Unbreakable<D> {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        // Nothing is left half done: the next line starts with an empty buffer.
        let _lost = catch_unwind(AssertUnwindSafe(|| self.0.log(record, values).is_ok()));
        Ok(())
    }
}
