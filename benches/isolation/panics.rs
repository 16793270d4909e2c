//! The injected panics of this process, and how long it takes until the actor goes on, or the call hears of the end of
//! its part.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{set_hook, take_hook};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use precall_test_support::harness::numbers::micros;
use slog::{Drain, Level, Logger, Never, OwnedKVList, Record, o};

/// The words of a panic of this bench, and of the service's own points; the name of the point follows.
pub(crate) const INJECTED: &str = "injected panic at ";
/// What the service logs when it has restarted the actor of a call, before the actor goes on.
const RESTARTS: &str = "the call's actor panicked, restarting it";
/// What it logs when the call has heard that another actor of it is down.
const HEARD: &str = "an actor of the call panicked";
/// What it logs while it answers a webhook that it cannot read.
const UNREADABLE: &str = "webhook cannot be read, quarantined";
const HTTP_WORKER: &str = "HttpWorker";

thread_local! {
    /// Panics of this thread of which nobody has heard yet.
    static UNHEARD: RefCell<VecDeque<(String, Instant)>> = const { RefCell::new(VecDeque::new()) };
}

/// All panics by the name of their point: how many, and the times until somebody went on, in microseconds.
static PANICS: Mutex<BTreeMap<String, (usize, Vec<f64>)>> = Mutex::new(BTreeMap::new());
/// Whether the next line about an unreadable webhook panics.
static HTTP_WORKER_PANICS: AtomicBool = AtomicBool::new(false);

fn panics() -> MutexGuard<'static, BTreeMap<String, (usize, Vec<f64>)>> {
    PANICS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All panics so far, by the name of their point.
pub(crate) fn all() -> BTreeMap<String, (usize, Vec<f64>)> {
    panics().clone()
}

/// From now on, injected panics are noted and not printed. The hook of the service would write a line of its log.
pub(crate) fn note_all() {
    let usual = take_hook();
    set_hook(Box::new(move |info| {
        let now = Instant::now();
        let Some(point) = info.payload_as_str().and_then(|words| words.strip_prefix(INJECTED)) else {
            return usual(info);
        };
        panics().entry(point.to_owned()).or_default().0 += 1;
        UNHEARD.with_borrow_mut(|unheard| unheard.push_back((point.to_owned(), now)));
    }));
}

/// The next panic of this thread at one of these points was heard of now: returns when it was.
pub(crate) fn heard_of(is: impl Fn(&str) -> bool) -> Option<Instant> {
    let (point, at) = UNHEARD.with_borrow_mut(|unheard| {
        let place = unheard.iter().position(|(point, _)| is(point))?;
        unheard.remove(place)
    })?;
    panics().entry(point).or_default().1.push(micros(at.elapsed()));
    Some(at)
}

/// The next unreadable webhook makes its HTTP worker panic.
pub(crate) fn arm_http_worker() {
    HTTP_WORKER_PANICS.store(true, Ordering::Release);
}

/// A log of the service that is read by this bench only.
pub(crate) fn log() -> Logger {
    Logger::root(Lines, o!())
}

struct Lines;

impl Drain for Lines {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), Never> {
        if record.level() != Level::Warning {
            return Ok(());
        }
        match record.msg().to_string().as_str() {
            RESTARTS => drop(heard_of(|point| point.starts_with("Call"))),
            // The panic of a clone job is heard of by the voice book, which writes no such line.
            HEARD => drop(heard_of(|point| !point.starts_with("Call") && !point.starts_with("Job"))),
            UNREADABLE if HTTP_WORKER_PANICS.swap(false, Ordering::AcqRel) => {
                panic!("{INJECTED}{HTTP_WORKER}");
            }
            _ => {}
        }
        Ok(())
    }
}
