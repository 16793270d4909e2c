//! How a process that is not the leader waits, and takes over when the lease has run out or was given back.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::Pool;
use precall_base::clock;
use precall_store::error::StoreError;
use precall_store::leader::engine_lock::{EngineLock, Holder};
use precall_store::leader::lease::LastLeader;
use precall_store::leader::process_mark::ProcessMark;
use precall_store::leader::standby_seat::{Sight, StandbySeat};

use crate::durability::lease::{LastProcess, Patience, Turn, Why};

/// What a process without the leader lock waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LockWait {
    why: Why,
    last: LastLeader,
    holder: Option<Holder>,
}

impl LockWait {
    /// Whether this process stands by: another one leads, and knows of it.
    pub(crate) fn stands_by(&self) -> bool {
        matches!(self.why, Why::Renewed | Why::Held)
    }
}

impl fmt::Display for LockWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holder = self.holder.as_ref().map(|holder| format!(" ({holder})")).unwrap_or_default();
        match self.why {
            Why::Renewed => write!(f, "another precall is the leader{holder}"),
            Why::NotSeen => write!(
                f,
                "another precall is the leader{holder}. It has not seen this one yet, or still writes what it did \
                 while the database was away"
            ),
            // The text stays the same while the time runs: each new text is logged.
            Why::RunningOut(_) => {
                let lease = match self.last {
                    LastLeader::Leased(row) => row.lease,
                    LastLeader::Never | LastLeader::WithoutLease => Duration::ZERO,
                };
                write!(
                    f,
                    "the last leader{holder} was not stopped by plan and may still run, cut off from the database. \
                     It may take calls for {} s after its last sign, and this precall takes over then. If it has \
                     surely ended: `update engine_lease set released = true` lets this one take over at once",
                    lease.as_secs()
                )
            }
            Why::Held => {
                write!(f, "another session holds the leader lock{holder}")?;
                let Some(process) = self.holder.as_ref().and_then(|holder| holder.process) else {
                    return Ok(());
                };
                write!(
                    f,
                    ". If it is no precall, or a precall that has ended, `select pg_terminate_backend({process})` \
                     releases the lock"
                )
            }
        }
    }
}

/// Watches the leader until this process may take the lock.
#[derive(Default)]
pub(crate) struct LockWatch {
    seat: Option<StandbySeat>,
    patience: Patience,
    /// The process of a lease that has surely ended. Its file may be gone meanwhile.
    ended: Option<uuid::Uuid>,
}

impl LockWatch {
    /// Takes the lock, or says what to wait for. `mark` knows which processes of this host have ended.
    pub(crate) async fn look(
        &mut self,
        pool: &Pool,
        mark: Option<&ProcessMark>,
    ) -> Result<Result<EngineLock, LockWait>, StoreError> {
        let seat = match self.seat.take() {
            Some(seat) => seat,
            None => StandbySeat::take(pool).await?,
        };
        let sight = seat.look().await?;
        let process = self.last_process(&sight, mark);
        match self.patience.turn(&sight, process, clock::moment()) {
            Turn::Lead => match seat.lead(sight.last).await? {
                Some(lock) => Ok(Ok(lock)),
                None => Ok(Err(LockWait { why: Why::Held, last: sight.last, holder: None })),
            },
            Turn::End(process) => {
                seat.terminate(process).await?;
                self.seat = Some(seat);
                Ok(Err(LockWait { why: Why::Held, last: sight.last, holder: sight.holder }))
            }
            Turn::Wait(why) => {
                self.seat = Some(seat);
                Ok(Err(LockWait { why, last: sight.last, holder: sight.holder }))
            }
        }
    }

    fn last_process(&mut self, sight: &Sight, mark: Option<&ProcessMark>) -> LastProcess {
        let LastLeader::Leased(row) = sight.last else { return LastProcess::MayRun };
        if self.ended != Some(row.process) && mark.is_some_and(|mark| mark.has_ended(row.process)) {
            self.ended = Some(row.process);
        }
        if self.ended == Some(row.process) { LastProcess::Ended } else { LastProcess::MayRun }
    }

    /// The database did not answer: what was seen before counts no longer.
    pub(crate) fn forget(&mut self) {
        self.seat = None;
        self.patience.forget();
    }
}
