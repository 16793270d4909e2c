//! The one place where audio leaves: the body of a request, and what the socket has taken of it.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use precall_base::clock;
use precall_call::At;
use tokio::sync::Notify;

/// Holds one piece at a time: it is full until the socket has taken that piece whole, so nothing can pile up here.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    state: RefCell<State>,
    given_up: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Not yet taken by the connection.
    waiting: Option<Bytes>,
    /// Taken by the connection, not yet whole by the socket.
    leaving: Option<Leaving>,
    flushed: Option<Flushed>,
    is_first: bool,
    waker: Option<Waker>,
    /// Nothing follows: the terminating chunk ends the body.
    is_over: bool,
    /// Not a byte more goes to the socket.
    is_shut: bool,
}

#[derive(Debug)]
struct Leaving {
    bytes: usize,
    /// Bytes that the socket took since then, the frame around the piece included.
    taken: usize,
    /// The request's head goes before it.
    with_head: bool,
}

/// The socket took a piece.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flushed {
    pub(crate) at: At,
    pub(crate) moment: Instant,
}

impl Outlet {
    pub(crate) fn new() -> Self {
        Self { state: RefCell::new(State { is_first: true, ..State::default() }), given_up: Notify::new() }
    }

    /// Hands a piece over; only when there is room.
    pub(crate) fn put(&self, piece: Bytes) {
        let mut state = self.state.borrow_mut();
        state.waiting = Some(piece);
        state.wake();
    }

    /// When the socket took the last piece whole, said once.
    pub(crate) fn take_flushed(&self) -> Option<Flushed> {
        self.state.borrow_mut().flushed.take()
    }

    /// Whether the piece was still here, untouched; it is not any more.
    pub(crate) fn take_back(&self) -> bool {
        self.state.borrow_mut().waiting.take().is_some()
    }

    /// How many bytes of the piece that is leaving the socket has taken.
    pub(crate) fn taken(&self) -> usize {
        let state = self.state.borrow();
        let Some(leaving) = &state.leaving else { return 0 };
        if leaving.with_head {
            // Where the head ends is hyper's knowledge. A request that broke in its first write was never a stream.
            return 0;
        }
        leaving.taken.saturating_sub(chunk_head(leaving.bytes)).min(leaving.bytes)
    }

    /// Lets the body end properly, unless audio is stuck half-way: that would still be written before the end.
    pub(crate) fn end(&self) {
        let mut state = self.state.borrow_mut();
        state.waiting = None;
        state.is_over = true;
        state.is_shut |= state.leaving.is_some();
        state.wake();
    }

    /// Writes nothing more, and tells whoever waits for the stream's end.
    pub(crate) fn give_up(&self) {
        self.state.borrow_mut().is_shut = true;
        self.given_up.notify_one();
    }

    /// Waits until it was given up.
    pub(crate) async fn given_up(&self) {
        self.given_up.notified().await;
    }

    /// Whether the socket must not be written to.
    pub(crate) fn is_shut(&self) -> bool {
        self.state.borrow().is_shut
    }

    /// The socket took bytes.
    pub(crate) fn on_taken(&self, bytes: usize) {
        if let Some(leaving) = &mut self.state.borrow_mut().leaving {
            leaving.taken = leaving.taken.saturating_add(bytes);
        }
    }

    /// The socket took all that the connection had for it.
    pub(crate) fn on_flushed(&self) {
        let mut state = self.state.borrow_mut();
        if state.leaving.take().is_some() {
            state.flushed = Some(Flushed { at: clock::now(), moment: Instant::now() });
        }
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Length of what stands before a chunk: its size in hexadecimal digits, and a line end.
fn chunk_head(bytes: usize) -> usize {
    let mut digits = 1;
    let mut left = bytes / 16;
    while left > 0 {
        digits += 1;
        left /= 16;
    }
    digits + 2
}

/// What hyper takes the audio from; nothing for a request without a body.
#[derive(Debug)]
pub(crate) struct OutletBody(Option<Rc<Outlet>>);

impl OutletBody {
    pub(crate) fn of(outlet: &Rc<Outlet>) -> Self {
        Self(Some(Rc::clone(outlet)))
    }

    pub(crate) fn none() -> Self {
        Self(None)
    }
}

impl Body for OutletBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(outlet) = &self.0 else { return Poll::Ready(None) };
        let mut state = outlet.state.borrow_mut();
        if let Some(piece) = state.waiting.take() {
            state.leaving = Some(Leaving { bytes: piece.len(), taken: 0, with_head: state.is_first });
            state.is_first = false;
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if state.is_over {
            return Poll::Ready(None);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.0.is_none() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

#[cfg(test)]
mod tests;
