//! The open stream of a caller's audio.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::net::connection::AudioConnection;
use crate::net::http1::Framing;

/// Time between two reads while no agent takes the audio.
const READ_EVERY: Duration = Duration::from_millis(60);

/// A GET whose body is the caller's audio.
pub(crate) struct CallerStream {
    connection: AudioConnection,
    body: Framing,
    next_read: Instant,
    /// The streams before this one brought nothing, and neither did this one yet.
    was_silent: bool,
    /// That it has ended, or ends a silence.
    pub(crate) news: Rc<Notify>,
}

impl CallerStream {
    /// The body of an answer on this connection. `was_silent`: the streams before brought nothing.
    pub(crate) fn new(connection: AudioConnection, body: Framing, was_silent: bool, now: Instant) -> Self {
        Self { connection, body, next_read: now, was_silent, news: Rc::default() }
    }

    /// Whether to read now: when a piece for the agent is due, or else every 60 ms.
    pub(crate) fn is_due(&mut self, of_agent: Option<Instant>, now: Instant) -> bool {
        let is_due = of_agent.unwrap_or(self.next_read) <= now;
        if is_due {
            self.next_read = now + READ_EVERY;
        }
        is_due
    }

    /// The next piece, if it has arrived; `None` at the end.
    pub(crate) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<&[u8]>>> {
        self.connection.poll_piece(&mut self.body, context)
    }

    /// A piece has come. Whether it is the first after streams that brought nothing.
    pub(crate) fn ends_silence(&mut self) -> bool {
        std::mem::take(&mut self.was_silent)
    }
}
