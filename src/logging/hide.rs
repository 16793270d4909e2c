//! Hides secrets, tokens and telephone numbers in every text of a line. Clients redact what they receive; this is the
//! second wall. It runs on the thread that writes the lines: no call waits for it.

use std::fmt;

use precall_base::redact::hide;
use slog::{BorrowedKV, Drain, KV, Key, OwnedKVList, Record, RecordStatic, Serializer, o};

/// The field with the time of a line, which [`Stamp`](super::drain::Stamp) adds.
const TIME: &str = "ts";

/// Passes records on with hidden texts. Numbers and truth values stay as they are.
pub(super) struct Hide<D> {
    inner: D,
    /// The logger's own fields are in the record then.
    none: OwnedKVList,
}

impl<D> Hide<D> {
    pub(super) fn new(inner: D) -> Self {
        Self { inner, none: OwnedKVList::from(o!()) }
    }
}

impl<D: Drain> Drain for Hide<D> {
    type Ok = D::Ok;
    type Err = D::Err;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<D::Ok, D::Err> {
        let fields = Hidden { record, values };
        let about = RecordStatic { location: record.location(), tag: record.tag(), level: record.level() };
        let pass = |message: &fmt::Arguments<'_>| {
            self.inner.log(&Record::new(&about, message, BorrowedKV(&fields)), &self.none)
        };
        // A message without arguments is a text of the program itself.
        match record.msg().as_str() {
            Some(_) => pass(record.msg()),
            None => pass(&format_args!("{}", hide(&record.msg().to_string()))),
        }
    }
}

/// The fields of a logger and of a record.
struct Hidden<'a> {
    record: &'a Record<'a>,
    values: &'a OwnedKVList,
}

impl KV for Hidden<'_> {
    fn serialize(&self, _: &Record<'_>, serializer: &mut dyn Serializer) -> slog::Result {
        let mut hiding = Hiding(serializer);
        self.values.serialize(self.record, &mut hiding)?;
        self.record.kv().serialize(self.record, &mut hiding)
    }
}

struct Hiding<'a>(&'a mut dyn Serializer);

macro_rules! as_they_are {
    ($($emit:ident: $kind:ty),* $(,)?) => {$(
        fn $emit(&mut self, key: Key, value: $kind) -> slog::Result {
            self.0.$emit(key, value)
        }
    )*};
}

impl Serializer for Hiding<'_> {
    as_they_are! {
        emit_bool: bool, emit_char: char,
        emit_u8: u8, emit_u16: u16, emit_u32: u32, emit_u64: u64, emit_u128: u128, emit_usize: usize,
        emit_i8: i8, emit_i16: i16, emit_i32: i32, emit_i64: i64, emit_i128: i128, emit_isize: isize,
        emit_f32: f32, emit_f64: f64,
    }

    fn emit_unit(&mut self, key: Key) -> slog::Result {
        self.0.emit_unit(key)
    }

    fn emit_none(&mut self, key: Key) -> slog::Result {
        self.0.emit_none(key)
    }

    fn emit_str(&mut self, key: Key, text: &str) -> slog::Result {
        // Every line has its time, and hiding costs as much as writing a short line.
        if key == TIME {
            return self.0.emit_str(key, text);
        }
        self.0.emit_str(key, &hide(text))
    }

    fn emit_arguments(&mut self, key: Key, value: &fmt::Arguments<'_>) -> slog::Result {
        self.0.emit_str(key, &hide(&value.to_string()))
    }
}
