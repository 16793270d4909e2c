//! The session of a process that waits to take over. The leader sees it while it lives.

use deadpool_postgres::{ClientWrapper, Object, Pool};

use super::engine_lock::{EngineLock, Holder, KEEPALIVES, SEAT};
use super::lease::{LastLeader, last_leader};
use crate::error::StoreError;

const TAKE_SEAT: &str = "select pg_advisory_lock_shared($1)";

const TERMINATE: &str = "select pg_terminate_backend($1, 1000)";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[TAKE_SEAT, TERMINATE];

/// What a process sees that is not the leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Who acts, or acted last.
    pub last: LastLeader,
    /// Who holds the leader lock.
    pub holder: Option<Holder>,
}

/// The session of a process that may take over.
pub struct StandbySeat {
    session: ClientWrapper,
}

impl StandbySeat {
    /// Opens the session. From then on the leader sees this process.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn take(pool: &Pool) -> Result<Self, StoreError> {
        let session = Object::take(pool.get().await?);
        session.batch_execute(KEEPALIVES).await?;
        session.query_one(TAKE_SEAT, &[&SEAT]).await?;
        Ok(Self { session })
    }

    /// Who acts, and who holds the lock.
    ///
    /// # Errors
    /// When a query fails.
    pub async fn look(&self) -> Result<Sight, StoreError> {
        let holder = EngineLock::holder(&*self.session).await?;
        Ok(Sight { last: last_leader(&*self.session).await?, holder })
    }

    /// Ends the session of a leader whose lease has run out. Its lock ends with it.
    ///
    /// # Errors
    /// When this role may not do that.
    pub async fn terminate(&self, process: i32) -> Result<(), StoreError> {
        self.session.query_one(TERMINATE, &[&process]).await?;
        Ok(())
    }

    /// Takes the leader lock, if it is free and the last leader is still `seen`. The seat becomes free.
    ///
    /// # Errors
    /// When a query fails.
    pub async fn lead(self, seen: LastLeader) -> Result<Option<EngineLock>, StoreError> {
        let Some(lock) = EngineLock::try_on(self.session).await? else { return Ok(None) };
        // It may have renewed its lease at the last moment. With the lock in our hands it can do so no more.
        if lock.last_leader().await? != seen {
            return Ok(None);
        }
        lock.leave_seat().await?;
        Ok(Some(lock))
    }
}
