//! The caller's audio: the ticks read it and pass it to the agent.
//!
//! The PBX sends a chunk every 20 ms, and the agent gets a piece every 60 ms. So the stream is read when a piece is
//! due, just before that piece is made. Reading each chunk when it arrives would bring nothing earlier to the agent,
//! and wake the thread three times as often.

use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use super::Leg;
use crate::caller_stream::CallerStream;
use crate::clip::{SAMPLE, bytes_within, duration_of};
use crate::leg_events::LegAudioEvent;
use crate::net::connection::AudioConnection;
use crate::net::http1::Framing;
use crate::tap::TapChannel;

/// One read takes so much audio, and the rest of a chunk: a PBX that sends faster must not hold up the other legs.
/// Counted in audio and not in chunks, whose size is the PBX's choice.
const READ_MAX: Duration = Duration::from_secs(2);
/// The level of speech is taken over this time.
const FRAME: Duration = Duration::from_millis(20);

/// The caller's stream while the leg reads it. Dropping this closes the connection.
pub(crate) struct Receiving<'leg> {
    leg: &'leg Leg,
    news: Rc<Notify>,
}

impl Receiving<'_> {
    /// Waits until the stream has ended, or has brought something after streams that brought nothing.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// Whether the stream has not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.leg.caller_stream.borrow().is_some()
    }

    /// Reads what has arrived.
    pub(crate) fn read(&self) {
        self.leg.read_caller();
    }
}

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        self.leg.caller_stream.take();
    }
}

impl Leg {
    /// Reads the caller's audio from this connection from now on. `was_silent`: the streams before brought nothing.
    pub(crate) fn receive_from(
        &self,
        connection: AudioConnection,
        body: Framing,
        was_silent: bool,
    ) -> Receiving<'_> {
        let stream = CallerStream::new(connection, body, was_silent, Instant::now());
        let news = Rc::clone(&stream.news);
        self.caller_stream.replace(Some(stream));
        Receiving { leg: self, news }
    }

    /// Reads the caller's audio if a piece for the agent is due.
    pub(super) fn read_caller_when_due(&self, now: Instant) {
        let of_agent = self.session.borrow().as_ref().and_then(|session| session.piece_due());
        let is_due = |stream: &mut CallerStream| stream.is_due(of_agent, now);
        if self.caller_stream.borrow_mut().as_mut().is_some_and(is_due) {
            self.read_caller();
        }
    }

    /// Reads what has arrived of the caller's audio, and notes the end of the stream.
    fn read_caller(&self) {
        let mut place = self.caller_stream.borrow_mut();
        let Some(stream) = place.as_mut() else { return };
        // Nobody is to be woken: the next tick looks again.
        let mut context = Context::from_waker(Waker::noop());
        let mut left = bytes_within(READ_MAX);
        while left > 0 {
            match stream.poll_piece(&mut context) {
                Poll::Ready(Ok(Some(piece))) => {
                    left = left.saturating_sub(piece.len());
                    self.push_caller_audio(piece);
                    if stream.ends_silence() {
                        self.report(LegAudioEvent::CallerHeardAgain);
                        stream.news.notify_one();
                    }
                }
                Poll::Ready(Ok(None) | Err(_)) => {
                    stream.news.notify_one();
                    *place = None;
                    return;
                }
                Poll::Pending => return,
            }
        }
    }

    /// Passes the caller's audio to the agent. Chunks may end within a sample.
    pub(crate) fn push_caller_audio(&self, chunk: &[u8]) {
        let bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.caller_bytes.set(self.caller_bytes.get().saturating_add(bytes));
        let now = Instant::now();
        self.caller_heard.set(Some(now));
        let (joined, whole) = self.caller_framing.borrow_mut().push(chunk);
        if self.taps.is_on() {
            self.tap_caller(joined, whole, now);
        }
        if let Some(session) = self.session.borrow_mut().as_mut() {
            if let Some(sample) = joined {
                session.push_caller_audio(&sample, now);
            }
            let mut left = whole.len();
            for frame in whole.chunks(bytes_within(FRAME)) {
                left = left.saturating_sub(frame.len());
                let ended = now.checked_sub(duration_of(left)).unwrap_or(now);
                session.push_caller_audio(frame, ended);
            }
        }
    }

    /// Copies the caller's audio, which ends now, for who listens.
    fn tap_caller(&self, joined: Option<[u8; SAMPLE]>, whole: &[u8], now: Instant) {
        let began = now.checked_sub(duration_of(whole.len())).unwrap_or(now);
        if let Some(sample) = joined {
            self.taps.write(TapChannel::Caller, began, &Bytes::copy_from_slice(&sample));
        }
        self.taps.write(TapChannel::Caller, began, &Bytes::copy_from_slice(whole));
    }
}
