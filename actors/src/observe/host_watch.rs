//! Looks at the host from time to time: its clock, and the open files of this process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use precall_base::{clock, open_files};
use precall_call::At;
use slog::{Logger, info, warn};

use crate::observe::host_state::{HostState, News, Seen};

const EVERY: Duration = Duration::from_secs(2);

/// The last look. Health reads it.
pub(crate) struct HostWatch {
    state: Mutex<HostState>,
    log: Logger,
}

impl HostWatch {
    /// Nothing was looked at yet. `live_calls` is `MAX_LIVE_CALLS`.
    pub(crate) fn new(live_calls: usize, log: Logger) -> Self {
        Self { state: Mutex::new(HostState::new(live_calls)), log }
    }

    /// Takes another `MAX_LIVE_CALLS`.
    pub(crate) fn set_live_calls(&self, live_calls: usize) {
        self.lock().set_live_calls(live_calls);
    }

    /// Looks until its arbiter ends.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            self.look();
            tokio::time::sleep(EVERY).await;
        }
    }

    /// What needs a person, and since when.
    pub(crate) fn problems(&self) -> Vec<(At, String)> {
        self.lock().problems()
    }

    fn look(&self) {
        let seen = Seen {
            clock_ahead: clock::ahead_of_now() / 1_000_000,
            files_max: open_files::limits().ok().map(|limits| limits.soft),
            files: open_files::open(),
        };
        for news in self.lock().look(seen, clock::now()) {
            match news {
                News::ClockOff => warn!(self.log, "the host's clock was set, live calls are not affected";
                    "ahead_s" => seen.clock_ahead),
                News::ClockAgrees => info!(self.log, "the host's clock agrees with precall's again"),
                News::FilesShort => warn!(self.log, "file descriptors are nearly used up";
                    "limit" => seen.files_max, "files" => ?seen.files),
                News::FilesEnough => info!(self.log, "there are enough file descriptors again"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HostState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
