//! When the machine itself stood still: a thread that does nothing else notes when it was woken too late. A limit of
//! time that is checked on a shared machine can make allowance for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

const TICK: Duration = Duration::from_millis(20);
/// A delay that is shorter is usual.
const LATE: Duration = Duration::from_millis(100);
/// Most times that are kept.
const MOST_KEPT: usize = 100_000;

/// A time in which the machine gave no processor.
pub type Starved = (Timestamp, Timestamp);

/// Watches until it is dropped.
pub struct Starvation {
    end: Arc<AtomicBool>,
    times: Arc<Mutex<Vec<Starved>>>,
    thread: Option<JoinHandle<()>>,
}

impl Starvation {
    pub fn watch() -> Self {
        let (end, times) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (until, noted) = (Arc::clone(&end), Arc::clone(&times));
        let watch = move || {
            while !until.load(Ordering::Relaxed) {
                let asleep = Instant::now();
                std::thread::sleep(TICK);
                let late = asleep.elapsed().saturating_sub(TICK);
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                if late >= LATE && noted.len() < MOST_KEPT {
                    let now = Timestamp::now();
                    noted.push((now - SignedDuration::try_from(late).unwrap(), now));
                }
            }
        };
        let thread = std::thread::Builder::new().name("starvation".to_owned()).spawn(watch).unwrap();
        Self { end, times, thread: Some(thread) }
    }

    /// The times so far, oldest first.
    pub fn times(&self) -> Vec<Starved> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Starvation {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic on that thread was printed.
            let _panicked = thread.join();
        }
    }
}
