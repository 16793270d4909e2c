//! Looks at the read replica from time to time, and says whether history is to be read from it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use precall_base::clock;
use precall_call::At;
use precall_store::reads::replica::{Replica, Source};
use slog::{Logger, info, warn};

use crate::observe::replica_state::{News, ReplicaState};

const EVERY: Duration = Duration::from_secs(2);

/// The last look. Health reads it.
pub(crate) struct ReplicaWatch {
    state: Mutex<ReplicaState>,
    replica: Replica,
    log: Logger,
}

impl ReplicaWatch {
    /// Nothing was looked at yet.
    pub(crate) fn new(replica: Replica, log: Logger) -> Self {
        Self { state: Mutex::default(), replica, log }
    }

    /// Looks until its arbiter ends.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            self.look().await;
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Why it is not read from, and since when.
    pub(crate) fn problem(&self) -> Option<(At, String)> {
        self.lock().problem()
    }

    async fn look(&self) {
        // First what is written: what the replica has after that may be more.
        let written = self.replica.written().await.ok();
        let replayed = self.replica.replayed().await.map_err(|error| error.to_string());
        let (news, is_used) = {
            let mut state = self.lock();
            (state.look(written, replayed, clock::now()), state.is_used())
        };
        self.replica.read_from(if is_used { Source::Replica } else { Source::Primary });
        match news {
            Some(News::Used) => info!(self.log, "history and statistics are read from the replica"),
            Some(News::NotUsed(reason)) => {
                warn!(self.log, "history and statistics are not read from the replica"; "reason" => reason);
            }
            None => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, ReplicaState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
