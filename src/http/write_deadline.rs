//! A client that takes no bytes of its answer is cut. The server asks a response for more only when the client has
//! taken the last bytes, so nothing else would notice such a client.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// A client for which bytes wait takes [`TAKEN_MIN`] in this time, or all of them.
const TAKEN_WITHIN: Duration = Duration::from_secs(20);
/// Bytes.
const TAKEN_MIN: usize = 16 * 1024;

/// Watches the writes of one connection.
#[derive(Debug)]
pub(super) struct WriteDeadline {
    within: Duration,
    /// Since the client took less than was there.
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    timer: Pin<Box<Sleep>>,
    taken: usize,
}

impl Default for WriteDeadline {
    fn default() -> Self {
        Self { within: TAKEN_WITHIN, waiting: None }
    }
}

impl WriteDeadline {
    /// Looks at the result of a write.
    pub(super) fn watch(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                if let Some(waiting) = &mut self.waiting {
                    waiting.taken = waiting.taken.saturating_add(bytes);
                    if waiting.taken >= TAKEN_MIN {
                        self.waiting = None;
                    }
                }
                written
            }
            Poll::Ready(Err(_)) => written,
            Poll::Pending => {
                let within = self.within;
                let begin = || Waiting { timer: Box::pin(sleep(within)), taken: 0 };
                let waiting = self.waiting.get_or_insert_with(begin);
                let words = "the client takes no more of its answer";
                waiting
                    .timer
                    .as_mut()
                    .poll(context)
                    .map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, words)))
            }
        }
    }

    /// The client's side has taken all bytes.
    pub(super) fn flushed(&mut self) {
        self.waiting = None;
    }
}

#[cfg(test)]
mod tests {
    //! Tests with a short deadline.
    #![allow(clippy::unwrap_used, reason = "a failing test may panic")]

    use std::future::poll_fn;
    use std::time::Instant;

    use super::*;

    const WITHIN: Duration = Duration::from_millis(400);

    fn short() -> WriteDeadline {
        WriteDeadline { within: WITHIN, waiting: None }
    }

    /// Takes this much, ten times within the deadline, for two deadlines. The buffer is full in between. Returns the
    /// error.
    async fn taking(bytes: usize) -> Option<io::Error> {
        let mut deadline = short();
        for _ in 0..20 {
            let full = poll_fn(|context| Poll::Ready(deadline.watch(context, Poll::Pending))).await;
            if let Poll::Ready(Err(error)) = full {
                return Some(error);
            }
            sleep(WITHIN / 10).await;
            let _ = poll_fn(|context| deadline.watch(context, Poll::Ready(Ok(bytes)))).await;
        }
        None
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_cut_and_the_task_wakes_for_it() {
        let (mut deadline, begun) = (short(), Instant::now());
        let error = poll_fn(|context| deadline.watch(context, Poll::Pending)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= WITHIN);
    }

    #[tokio::test]
    async fn a_slow_client_is_not_cut_and_a_trickle_is() {
        assert!(taking(TAKEN_MIN / 2).await.is_none());
        assert_eq!(taking(1).await.unwrap().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_has_taken_all_has_no_deadline() {
        let mut deadline = short();
        for _ in 0..3 {
            assert!(
                poll_fn(|context| Poll::Ready(deadline.watch(context, Poll::Pending))).await.is_pending()
            );
            sleep(WITHIN * 3 / 4).await;
            deadline.flushed();
        }
    }
}
