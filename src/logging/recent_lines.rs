//! The latest log lines of each call, for its page. Bounded: lines of a call, calls, and bytes in all; the call whose
//! last line is oldest is forgotten first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

/// Lines of one call.
const LINES_MAX: usize = 200;
/// Calls with lines.
const CALLS_MAX: usize = 300;
/// Bytes of all lines.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// A longer line is cut.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// The field that names the call. Inside a text the quotes would be escaped.
const FIELD: &str = "\"call\":\"";
/// Length of a call's id.
const ID_BYTES: usize = 36;

/// The lines of this process.
static OF_PROCESS: LazyLock<Arc<RecentLines>> = LazyLock::new(Arc::default);

/// The latest log lines of each call. They are redacted as the log is.
#[derive(Debug, Default)]
pub(crate) struct RecentLines(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    calls: HashMap<String, CallLines>,
    bytes: usize,
    /// Counts the lines.
    taken: u64,
}

#[derive(Debug, Default)]
struct CallLines {
    lines: VecDeque<String>,
    /// Lines that were dropped to make room.
    dropped: u64,
    /// Number of the last line among all.
    last: u64,
}

impl RecentLines {
    /// The lines of this process.
    pub(crate) fn of_process() -> &'static Arc<Self> {
        &OF_PROCESS
    }

    /// Takes a line in JSON, if it is of a call.
    pub(super) fn take(&self, line: &[u8]) {
        let Ok(line) = std::str::from_utf8(line) else { return };
        let Some((_, behind)) = line.split_once(FIELD) else { return };
        let Some(call) = behind.get(..ID_BYTES).filter(|id| uuid::Uuid::try_parse(id).is_ok()) else {
            return;
        };
        let line = line.trim_end();
        let line = line.get(..line.floor_char_boundary(LINE_BYTES_MAX)).unwrap_or_default();
        self.kept().take(call, line.to_owned());
    }

    /// The lines of a call, oldest first, and how many older ones were dropped.
    pub(crate) fn of(&self, call: &str) -> (Vec<String>, u64) {
        let kept = self.kept();
        let Some(of_call) = kept.calls.get(call) else { return (Vec::new(), 0) };
        (of_call.lines.iter().cloned().collect(), of_call.dropped)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn take(&mut self, call: &str, line: String) {
        self.taken = self.taken.saturating_add(1);
        self.bytes = self.bytes.saturating_add(line.len());
        let of_call = self.calls.entry(call.to_owned()).or_default();
        of_call.last = self.taken;
        of_call.lines.push_back(line);
        while of_call.lines.len() > LINES_MAX {
            let gone = of_call.lines.pop_front().map_or(0, |line| line.len());
            of_call.dropped = of_call.dropped.saturating_add(1);
            self.bytes = self.bytes.saturating_sub(gone);
        }
        while self.calls.len() > CALLS_MAX || self.bytes > BYTES_MAX {
            let oldest = self.calls.iter().min_by_key(|(_, of_call)| of_call.last);
            let Some(oldest) = oldest.map(|(call, _)| call.clone()) else { return };
            let gone = self.calls.remove(&oldest).unwrap_or_default();
            let bytes: usize = gone.lines.iter().map(String::len).sum();
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    //! Tests of the kept lines.

    use super::*;

    const CALL: &str = "019ae3f0-0000-7000-8000-000000000001";

    fn line(call: &str, text: &str) -> Vec<u8> {
        format!("{{\"msg\":\"{text}\",\"call\":\"{call}\",\"level\":\"info\"}}\n").into_bytes()
    }

    #[test]
    fn the_latest_lines_of_a_call_are_kept() {
        let recent = RecentLines::default();
        for number in 0..LINES_MAX + 7 {
            recent.take(&line(CALL, &format!("line {number}")));
        }
        let (lines, dropped) = recent.of(CALL);
        assert_eq!((lines.len(), dropped), (LINES_MAX, 7));
        assert!(
            lines.first().is_some_and(|line| line.contains("line 7\"") && line.ends_with('}')),
            "{lines:?}"
        );
    }

    #[test]
    fn a_line_that_only_speaks_of_a_call_is_not_of_it() {
        let recent = RecentLines::default();
        recent.take(format!("{{\"msg\":\"it says \\\"call\\\":\\\"{CALL}\\\"\"}}").as_bytes());
        recent.take(b"{\"call\":\"no id\"}");
        recent.take(b"\xff");
        assert_eq!(recent.kept().taken, 0);
    }

    #[test]
    fn calls_and_bytes_are_bounded() {
        let recent = RecentLines::default();
        let call = |number: usize| format!("019ae3f0-0000-7000-8000-{number:012}");
        for number in 0..CALLS_MAX + 1 {
            recent.take(&line(&call(number), "x"));
        }
        assert!(recent.of(&call(0)).0.is_empty() && !recent.of(&call(1)).0.is_empty());
        for number in 0..CALLS_MAX {
            for _ in 0..LINES_MAX {
                recent.take(&line(&call(number), &"x".repeat(LINE_BYTES_MAX)));
            }
        }
        let kept = recent.kept();
        let bytes: usize = kept.calls.values().flat_map(|of_call| &of_call.lines).map(String::len).sum();
        assert!(bytes == kept.bytes && bytes <= BYTES_MAX, "{bytes}, counted {}", kept.bytes);
    }
}
