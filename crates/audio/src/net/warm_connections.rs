//! Connections that are open before a call needs them, so that no handshake lies between Connected and the first sound.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use slog::{Logger, info, warn};
use tokio::sync::Notify;

use crate::net::connection::{Line, Route};

/// Between two looks whether a waiting connection was closed: a PBX that closes each one at once is not asked more often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two tries while the PBX cannot be reached.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// A shard's connections in waiting.
pub(crate) struct WarmWires {
    route: Arc<Route>,
    waiting: RefCell<Vec<Line>>,
    wanted: usize,
    taken: Notify,
}

impl WarmWires {
    pub(crate) fn new(route: Arc<Route>, wanted: usize) -> Self {
        Self { route, waiting: RefCell::default(), wanted, taken: Notify::new() }
    }

    /// A connection: one in waiting, or else a new one.
    pub(crate) async fn take(&self) -> io::Result<Line> {
        let warm = loop {
            match self.waiting.borrow_mut().pop() {
                Some(line) if line.sender.is_closed() => {}
                other => break other,
            }
        };
        self.taken.notify_one();
        match warm {
            Some(line) => Ok(line),
            None => self.route.connect().await,
        }
    }

    /// Keeps the wanted number of connections waiting, for ever. One in use is replaced at once.
    pub(crate) async fn keep(&self, log: &Logger) {
        let mut retry = LOOK_EVERY;
        loop {
            let missing = self.missing();
            let mut wait = LOOK_EVERY;
            for _ in 0..missing {
                match self.route.connect().await {
                    Ok(line) => {
                        if retry > LOOK_EVERY {
                            info!(log, "pbx can be reached for audio again");
                        }
                        retry = LOOK_EVERY;
                        self.waiting.borrow_mut().push(line);
                    }
                    Err(error) => {
                        if retry == LOOK_EVERY {
                            warn!(log, "pbx cannot be reached for audio"; "error" => %error);
                        }
                        wait = retry;
                        retry = (retry * 2).min(RETRY_MAX);
                        break;
                    }
                }
            }
            // A call that takes one also says that it is time to try again.
            let _ = tokio::time::timeout(wait, self.taken.notified()).await;
        }
    }

    fn missing(&self) -> usize {
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|line| !line.sender.is_closed());
        self.wanted.saturating_sub(waiting.len())
    }
}
