//! Counts the bytes that a thread holds, and measures its processor time.
#![allow(unsafe_code, reason = "the trait of an allocator is unsafe")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::process::abort;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::Used;

/// The process ends here: it would take the memory of the host.
const RUNAWAY: isize = 2 * 1024 * 1024 * 1024;

thread_local! {
    /// Bytes that this thread allocated, less those that it freed. Below zero if it frees for others.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// Runs `work` and says what it used.
pub(crate) fn measured<T>(work: impl FnOnce() -> T) -> (T, Used) {
    let (before, began) = (HELD.get(), processor_time());
    MOST.set(before);
    let result = work();
    let time = processor_time().saturating_sub(began);
    let bytes = usize::try_from(MOST.get().saturating_sub(before)).unwrap_or(0);
    (result, Used { time, bytes })
}

/// The time that this thread has run. A busy machine does not make it longer.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The allocator of the system, with a count.
struct Counting;

fn count(more: usize, less: usize) {
    let change = more.cast_signed().saturating_sub(less.cast_signed());
    // Not there while a thread ends.
    let held = HELD.try_with(|held| {
        held.set(held.get().saturating_add(change));
        held.get()
    });
    let Ok(held) = held else { return };
    let _ = MOST.try_with(|most| most.set(most.get().max(held)));
    if held > RUNAWAY {
        // The message allocates as well.
        HELD.set(isize::MIN / 2);
        eprintln!("an execution holds {held} bytes: the process ends");
        abort();
    }
}

// SAFETY: every call goes to the allocator of the system, unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.realloc(place, layout, size) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(place, layout) }
    }
}
