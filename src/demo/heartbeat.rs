//! A heartbeat in the demo's process: when it is late, the machine let the process wait for a processor. A gap at such
//! a time is the machine's.

use std::fmt;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use precall_base::clock;
use precall_call::At;
use serde::Serialize;

#[cfg(test)]
mod tests;

const BEAT: Duration = Duration::from_millis(5);
/// A beat that is later than this is a stall.
const LATE: Duration = Duration::from_millis(10);
/// Most stalls that are kept; later ones are counted only.
const STALLS_MAX: usize = 100_000;
/// Audio is sent this far ahead of the listener, so a stall is heard this much later.
const AHEAD: Duration = Duration::from_millis(250);
/// Stalls of this much in total explain a gap: the service keeps at least 60 ms of audio ahead.
const EXPLAINS: Duration = Duration::from_millis(40);

/// A thread that does nothing but look at the clock. It ends when this value is dropped.
pub(super) struct Heartbeat {
    stalls: Arc<Mutex<Stalls>>,
    _ends: Sender<()>,
}

impl Heartbeat {
    pub(super) fn start() -> std::io::Result<Self> {
        let stalls = Arc::new(Mutex::new(Stalls::default()));
        let (ends, ended) = mpsc::channel::<()>();
        let kept = Arc::clone(&stalls);
        let beats = move || {
            let mut before = Instant::now();
            while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                let late = before.elapsed().saturating_sub(BEAT);
                kept.lock().unwrap_or_else(PoisonError::into_inner).beat(late, clock::now());
                before = Instant::now();
            }
        };
        thread::Builder::new().name("heartbeat".to_owned()).spawn(beats)?;
        Ok(Self { stalls, _ends: ends })
    }

    /// The stalls so far.
    pub(super) fn stalls(&self) -> Stalls {
        self.stalls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// When the machine let the process wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Stalls {
    all: Vec<(At, At)>,
    count: u64,
    longest: Duration,
    total: Duration,
}

impl Stalls {
    /// A beat that came this late.
    pub(super) fn beat(&mut self, late: Duration, now: At) {
        if late < LATE {
            return;
        }
        self.count = self.count.saturating_add(1);
        self.longest = self.longest.max(late);
        self.total = self.total.saturating_add(late);
        if self.all.len() < STALLS_MAX {
            let micros = i64::try_from(late.as_micros()).unwrap_or(i64::MAX);
            self.all.push((At(now.0.saturating_sub(micros)), now));
        }
    }

    /// Whether stalls explain a silence or a delay between these moments.
    pub(super) fn explain(&self, from: At, to: At) -> bool {
        let ahead = i64::try_from(AHEAD.as_micros()).unwrap_or(0);
        let from = At(from.0.saturating_sub(ahead));
        let within = |(began, ended): &(At, At)| to.min(*ended).since(from.max(*began));
        let total: Duration =
            self.all.iter().filter(|(began, ended)| *began < to && *ended > from).map(within).sum();
        total >= EXPLAINS
    }

    /// The figures.
    pub(super) fn machine(&self) -> Machine {
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Machine { stalls: self.count, longest_ms: ms(self.longest), total_ms: ms(self.total) }
    }
}

/// What the machine did to the demo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// How often the process waited 10 ms or more for a processor.
    pub stalls: u64,
    /// The longest wait, milliseconds.
    pub longest_ms: u64,
    /// All of them together, milliseconds.
    pub total_ms: u64,
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stalls, longest_ms, total_ms } = self;
        write!(f, "the machine was late {stalls} times (longest {longest_ms} ms, together {total_ms} ms)")
    }
}
