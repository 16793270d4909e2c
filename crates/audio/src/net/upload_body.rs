//! The body of an upload request: the one place where audio leaves precall, and how much of it the socket has taken.

use std::cell::RefCell;
use std::task::{Context, Waker};
use std::time::Instant;

use bytes::Bytes;
use precall_base::clock;
use precall_call::At;
use tokio::sync::Notify;

/// Holds one piece at a time, until the socket has taken that piece whole. So no audio piles up here.
#[derive(Debug, Default)]
pub(crate) struct UploadBody {
    state: RefCell<State>,
    aborted: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The connection has not taken it yet.
    waiting: Option<Bytes>,
    /// The connection has taken it, the socket not yet all of it.
    leaving: Option<Leaving>,
    flushed: Option<Flushed>,
    is_first: bool,
    waker: Option<Waker>,
    /// Nothing follows: the terminating chunk ends the body.
    is_over: bool,
    /// The connection has taken the end.
    has_ended: bool,
    /// The socket refuses further bytes.
    is_shut: bool,
}

#[derive(Debug)]
struct Leaving {
    bytes: usize,
    /// Bytes that the socket took since then, the chunk's head and end included.
    taken: usize,
    /// The request's head is written before the piece.
    with_head: bool,
}

/// The socket took a piece whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flushed {
    pub(crate) at: At,
    pub(crate) moment: Instant,
}

impl UploadBody {
    pub(crate) fn new() -> Self {
        Self { state: RefCell::new(State { is_first: true, ..State::default() }), aborted: Notify::new() }
    }

    /// Hands over a piece. The piece before must be gone.
    pub(crate) fn put(&self, piece: Bytes) {
        let mut state = self.state.borrow_mut();
        state.waiting = Some(piece);
        state.wake();
    }

    /// When the socket took the last piece whole. Returned once.
    pub(crate) fn take_flushed(&self) -> Option<Flushed> {
        self.state.borrow_mut().flushed.take()
    }

    /// Removes a piece that the connection has not taken yet. Returns whether there was one.
    pub(crate) fn take_back(&self) -> bool {
        self.state.borrow_mut().waiting.take().is_some()
    }

    /// How many bytes the socket has taken of the piece that is leaving.
    pub(crate) fn taken(&self) -> usize {
        let state = self.state.borrow();
        let Some(leaving) = &state.leaving else { return 0 };
        if leaving.with_head {
            // A request that broke in its first write was never a stream.
            return 0;
        }
        leaving.taken.saturating_sub(chunk_head(leaving.bytes)).min(leaving.bytes)
    }

    /// Ends the body properly. Shuts the socket instead when a piece is stuck in it: that piece would be written first.
    pub(crate) fn end(&self) {
        let mut state = self.state.borrow_mut();
        state.waiting = None;
        state.is_over = true;
        state.is_shut |= state.leaving.is_some();
        state.wake();
    }

    /// Writes nothing more and ends [`Self::aborted`].
    pub(crate) fn abort(&self) {
        let mut state = self.state.borrow_mut();
        state.is_shut = true;
        state.wake();
        self.aborted.notify_one();
    }

    /// Waits for [`Self::abort`].
    pub(crate) async fn aborted(&self) {
        self.aborted.notified().await;
    }

    /// Whether nothing more may be written. The task is woken when that changes.
    pub(crate) fn is_shut(&self, context: &mut Context<'_>) -> bool {
        let mut state = self.state.borrow_mut();
        state.wakes(context);
        state.is_shut
    }

    /// What the connection is to send next: the piece that waits, or the end. The task is woken when there is
    /// something.
    pub(crate) fn next_part(&self, context: Option<&mut Context<'_>>) -> Option<Part> {
        let mut state = self.state.borrow_mut();
        if let Some(piece) = state.waiting.take() {
            state.leaving = Some(Leaving { bytes: piece.len(), taken: 0, with_head: state.is_first });
            state.is_first = false;
            return Some(Part::Piece(piece));
        }
        if state.is_over && !std::mem::replace(&mut state.has_ended, true) {
            return Some(Part::End);
        }
        if let Some(context) = context {
            state.wakes(context);
        }
        None
    }

    /// The socket took bytes.
    pub(crate) fn on_taken(&self, bytes: usize) {
        if let Some(leaving) = &mut self.state.borrow_mut().leaving {
            leaving.taken = leaving.taken.saturating_add(bytes);
        }
    }

    /// The socket took everything that the connection had written.
    pub(crate) fn on_flushed(&self) {
        let mut state = self.state.borrow_mut();
        if state.leaving.take().is_some() {
            state.flushed = Some(Flushed { at: clock::now(), moment: Instant::now() });
        }
    }
}

/// A part of the body.
#[derive(Debug)]
pub(crate) enum Part {
    /// A chunk of it.
    Piece(Bytes),
    /// Nothing follows.
    End,
}

impl State {
    /// The task to wake from now on.
    fn wakes(&mut self, context: &mut Context<'_>) {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.waker = Some(context.waker().clone());
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Length of a chunk's head: its size in hexadecimal digits and a line end.
fn chunk_head(bytes: usize) -> usize {
    let mut digits = 1;
    let mut left = bytes / 16;
    while left > 0 {
        digits += 1;
        left /= 16;
    }
    digits + 2
}

#[cfg(test)]
mod tests;
