//! Few tests of a browser run at once. A browser works far more than the other tests, which mostly wait: with eight of
//! them on two cores, calls are over before their page is looked at.

use std::cell::RefCell;
use std::sync::{Condvar, Mutex, PoisonError};

const AT_ONCE: usize = 3;

static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// A test that runs. Each test has a thread of its own, so this ends with it.
struct Turn;

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ENDED.notify_one();
    }
}

thread_local! {
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

/// Waits until this test may run; once it may, returns at once. Nothing of the test runs meanwhile.
pub fn wait() {
    TURN.with_borrow_mut(|turn| {
        turn.get_or_insert_with(|| {
            let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
            let mut running = ENDED
                .wait_while(running, |running| *running >= AT_ONCE)
                .unwrap_or_else(PoisonError::into_inner);
            *running += 1;
            Turn
        });
    });
}
