//! The log of what was asked of the provider, in the form that checks read it in: `GET /sim/requests`.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Value, json};

/// Most requests that are kept; the oldest go first.
const CAPACITY: usize = 10_000;
/// Most bytes of bodies that are kept, all requests together; the oldest requests go first.
const BYTES_KEPT: usize = 128 * 1024 * 1024;
/// Largest body that is kept of one request, as JSON text.
const BODY_KEPT: usize = 256 * 1024;

/// Names one request for as long as it is in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestNumber(u64);

#[derive(Debug)]
struct Entry {
    at: Timestamp,
    method: String,
    path: String,
    query: String,
    /// None until an answer has been decided; stays so when the client left before.
    status: Option<u16>,
    content_type: Option<String>,
    traceparent: Option<String>,
    body: Value,
    body_size: usize,
}

/// What a request's head said.
#[derive(Debug)]
pub(crate) struct Head {
    pub at: Timestamp,
    pub method: String,
    pub path: String,
    pub query: String,
    pub content_type: Option<String>,
    pub traceparent: Option<String>,
}

/// The last requests, oldest first.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    entries: VecDeque<Entry>,
    /// The number of the first entry.
    first: u64,
    bytes: usize,
}

impl RequestLog {
    /// A request's head has arrived.
    pub fn begin(&mut self, head: Head) -> RequestNumber {
        if self.entries.len() >= CAPACITY {
            self.forget_oldest();
        }
        let number = RequestNumber(self.first.saturating_add(length(&self.entries)));
        self.entries.push_back(Entry {
            at: head.at,
            method: head.method,
            path: head.path,
            query: head.query,
            status: None,
            content_type: head.content_type,
            traceparent: head.traceparent,
            body: Value::Null,
            body_size: 0,
        });
        number
    }

    /// Its body has been read.
    pub fn body(&mut self, number: RequestNumber, body: Value) {
        let size = body.to_string().len();
        let (body, size) = if size > BODY_KEPT {
            (Value::String(format!("({size} bytes, not kept)")), 32)
        } else {
            (body, size)
        };
        if let Some(entry) = self.entry(number) {
            entry.body = body;
            entry.body_size = size;
            self.bytes = self.bytes.saturating_add(size);
        }
        while self.bytes > BYTES_KEPT {
            self.forget_oldest();
        }
    }

    /// Its answer has been decided.
    pub fn answered(&mut self, number: RequestNumber, status: u16) {
        if let Some(entry) = self.entry(number) {
            entry.status = Some(status);
        }
    }

    /// Forgets everything; requests under way are not entered again.
    pub fn clear(&mut self) {
        self.first = self.first.saturating_add(length(&self.entries));
        self.entries.clear();
        self.bytes = 0;
    }

    /// The log as `/sim/requests` shows it.
    pub fn shown(&self) -> Vec<Value> {
        self.entries.iter().map(shown).collect()
    }

    fn entry(&mut self, number: RequestNumber) -> Option<&mut Entry> {
        let index = usize::try_from(number.0.checked_sub(self.first)?).ok()?;
        self.entries.get_mut(index)
    }

    fn forget_oldest(&mut self) {
        match self.entries.pop_front() {
            Some(entry) => {
                self.first = self.first.saturating_add(1);
                self.bytes = self.bytes.saturating_sub(entry.body_size);
            }
            None => self.bytes = 0,
        }
    }
}

fn length(entries: &VecDeque<Entry>) -> u64 {
    u64::try_from(entries.len()).unwrap_or(u64::MAX)
}

/// RFC 3339 in UTC with exactly six digits of the second.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

fn shown(entry: &Entry) -> Value {
    let mut shown = json!({
        "at": rfc3339(entry.at),
        "method": entry.method,
        "path": entry.path,
        "query": entry.query,
        "status": entry.status,
        "content_type": entry.content_type,
        "body": entry.body,
    });
    if let (Some(trace), Value::Object(fields)) = (&entry.traceparent, &mut shown) {
        fields.insert("traceparent".to_owned(), Value::from(trace.as_str()));
    }
    shown
}
