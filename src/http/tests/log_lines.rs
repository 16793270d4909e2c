//! A log that keeps its lines for a test.
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use slog::{Drain, KV, Key, Logger, Never, OwnedKVList, Record, o};

/// Fields of the written lines. The message is the field `msg`.
#[derive(Clone, Default)]
pub(in crate::http) struct LogLines(Arc<Mutex<Vec<HashMap<String, String>>>>);

impl LogLines {
    /// A logger that writes here.
    pub(in crate::http) fn logger(&self) -> Logger {
        Logger::root(self.clone(), o!())
    }

    /// Takes the lines since the last time.
    pub(in crate::http) fn take(&self) -> Vec<HashMap<String, String>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct Fields<'a>(&'a mut HashMap<String, String>);

impl slog::Serializer for Fields<'_> {
    fn emit_arguments(&mut self, key: Key, value: &std::fmt::Arguments<'_>) -> slog::Result {
        self.0.insert(key.to_string(), value.to_string());
        Ok(())
    }
}

impl Drain for LogLines {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), Never> {
        let mut fields = HashMap::from([("msg".to_owned(), record.msg().to_string())]);
        record.kv().serialize(record, &mut Fields(&mut fields)).unwrap();
        self.0.lock().unwrap().push(fields);
        Ok(())
    }
}
