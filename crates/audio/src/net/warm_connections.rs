//! Connections that are opened before a call needs them, so that no handshake delays the first sound.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use slog::{Logger, info, warn};
use tokio::sync::Notify;

use crate::net::connection::{AudioConnection, PbxEndpoint};

/// Time between two checks for closed connections. It also limits the load on a PBX that closes each connection at
/// once.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// Longest time between two attempts while the PBX cannot be reached.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// A spare connection is replaced after this time: a firewall in between may have forgotten an idle one, and a caller
/// would find out.
const SPARE_FOR: Duration = Duration::from_secs(60);

/// A shard's spare connections.
pub(crate) struct WarmConnections {
    endpoint: Arc<PbxEndpoint>,
    /// With the time of their opening.
    spare: RefCell<Vec<(AudioConnection, Instant)>>,
    wanted: usize,
    taken: Notify,
}

impl WarmConnections {
    pub(crate) fn new(endpoint: Arc<PbxEndpoint>, wanted: usize) -> Self {
        Self { endpoint, spare: RefCell::default(), wanted, taken: Notify::new() }
    }

    /// Takes a spare connection, or opens one.
    pub(crate) async fn take(&self) -> io::Result<AudioConnection> {
        let spare = loop {
            match self.spare.borrow_mut().pop() {
                Some((mut connection, _)) => {
                    if !connection.is_closed() {
                        break Some(connection);
                    }
                }
                None => break None,
            }
        };
        self.taken.notify_one();
        match spare {
            Some(connection) => Ok(connection),
            None => self.endpoint.connect().await,
        }
    }

    /// Keeps the wanted number of spare connections until the task is aborted. A connection that is taken is replaced
    /// at once.
    pub(crate) async fn keep(&self, log: &Logger) {
        let mut retry = CHECK_EVERY;
        loop {
            let missing = self.missing();
            let mut wait = CHECK_EVERY;
            for _ in 0..missing {
                match self.endpoint.connect().await {
                    Ok(connection) => {
                        if retry > CHECK_EVERY {
                            info!(log, "audio connection to the PBX works again");
                        }
                        retry = CHECK_EVERY;
                        self.spare.borrow_mut().push((connection, Instant::now()));
                    }
                    Err(error) => {
                        if retry == CHECK_EVERY {
                            warn!(log, "cannot open an audio connection to the PBX, retrying"; "error" => %error);
                        }
                        wait = retry;
                        retry = (retry * 2).min(RETRY_MAX);
                        break;
                    }
                }
            }
            // A call that takes a connection ends the wait early.
            let _ = tokio::time::timeout(wait, self.taken.notified()).await;
        }
    }

    /// Drops all spare connections: one of the same age was dead.
    pub(crate) fn forget(&self) {
        self.spare.take();
        self.taken.notify_one();
    }

    /// Removes closed and old connections and returns how many are missing.
    fn missing(&self) -> usize {
        let mut spare = self.spare.borrow_mut();
        spare.retain_mut(|(connection, opened)| !connection.is_closed() && opened.elapsed() < SPARE_FOR);
        self.wanted.saturating_sub(spare.len())
    }
}
