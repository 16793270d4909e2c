//! Whether this process may take the leader lock now, and if not, what it waits for.

use std::fmt;
use std::time::Duration;

use precall_store::error::StoreError;
use precall_store::leader::engine_lock::{EngineLock, Holder};
use tokio::time::Instant;
use tokio_postgres::Client;

use crate::durability::leadership::{EngineRole, LEFT_FREE};

/// What a process without the leader lock waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LockWait {
    /// Another session holds the lock.
    Held(Holder),
    /// PostgreSQL has just started and has released all locks. The engine with the live calls takes its lock again.
    ServerStarted,
    /// The leader has lost the lock. If it was its connection only, it takes the lock again.
    LeftFree,
    /// Another process took the free lock at the same moment.
    JustTaken,
}

impl LockWait {
    /// Whether this process stands by: another one leads, or led a moment ago.
    pub(crate) fn stands_by(&self) -> bool {
        !matches!(self, Self::ServerStarted)
    }
}

impl fmt::Display for LockWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = LEFT_FREE.as_secs();
        match self {
            Self::Held(holder) => {
                write!(f, "another process holds the leader lock of this database: {holder}")?;
                let Some(process) = holder.process else { return Ok(()) };
                write!(
                    f,
                    ". If it is gone, PostgreSQL releases the lock within seconds; `select \
                     pg_terminate_backend({process})` releases it at once"
                )
            }
            Self::ServerStarted => write!(
                f,
                "PostgreSQL was started less than {seconds} s ago: precall leaves the leader lock free until then, for \
                 a process that held it before"
            ),
            Self::LeftFree => write!(
                f,
                "the leader has lost its lock: this standby leaves it free for {seconds} s, for a leader that only \
                 lost its connection"
            ),
            Self::JustTaken => f.write_str("another process took the leader lock at the same moment"),
        }
    }
}

/// Watches the lock until this process may take it.
#[derive(Debug, Default)]
pub(crate) struct LockWatch {
    free_since: Option<Instant>,
}

impl LockWatch {
    /// What to wait for; `None` when the lock may be taken. A standby, and a process that finds a database that has
    /// just started, leave a free lock alone for [`LEFT_FREE`].
    pub(crate) async fn waits_for(
        &mut self,
        client: &Client,
        role: EngineRole,
    ) -> Result<Option<LockWait>, StoreError> {
        if let Some(holder) = EngineLock::holder(client).await? {
            self.free_since = None;
            return Ok(Some(LockWait::Held(holder)));
        }
        if role != EngineRole::Standby {
            let up_for = EngineLock::server_is_up_for(client).await?.unwrap_or(Duration::MAX);
            return Ok((up_for < LEFT_FREE).then_some(LockWait::ServerStarted));
        }
        let is_free_for = self.free_since.get_or_insert_with(Instant::now).elapsed();
        Ok((is_free_for < LEFT_FREE).then_some(LockWait::LeftFree))
    }

    /// The database did not answer: what was seen before counts no longer.
    pub(crate) fn forget(&mut self) {
        self.free_since = None;
    }
}
