//! Renews the lease and looks at the database, as long as this process acts; gives the lease back when it leaves.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use precall_base::clock;
use precall_store::error::StoreError;
use precall_store::leader::engine_lock::EngineLock;
use precall_store::leader::lease::{self, LastLeader};
use precall_store::leader::process_mark::ProcessMark;
use slog::{error, info, warn};
use tokio::sync::mpsc;

use super::database_watch::DatabaseWatch;
use super::recovery::Recovery;
use crate::durability::leadership::{CHECK_WITHIN, EngineRole, Leave};
use crate::durability::lease::Company;

/// Interval of the renewals, and while the database is away. Two renewals without an answer, and the pauses between
/// them, take less than a lease with a standby.
const CHECK_EVERY: Duration = Duration::from_secs(1);
const AWAY_CHECK_EVERY: Duration = Duration::from_millis(500);

/// What a look at the database said.
enum Look {
    /// The lease is renewed.
    Leads,
    /// Another process has taken over.
    Superseded,
    /// A pooler may be in between: nothing is certain.
    Unclear,
    /// No answer, and why.
    Away(String),
}

impl Recovery {
    /// The file of this process in the spool's folder. Without it a start on this host waits for the lease.
    pub(super) fn mark(&self) -> Option<ProcessMark> {
        let made = ProcessMark::make(self.spool_root.as_ref()?);
        let failed = |error: &io::Error| {
            warn!(self.services.log, "cannot mark this process in SPOOL_DIR, a start after a crash waits for the lease";
                "error" => %error);
        };
        made.inspect_err(failed).ok()
    }

    /// Looks until the process ends. A lease that was given back is renewed no more.
    pub(super) async fn watch_leadership(
        &self,
        mut lock: Option<EngineLock>,
        leaves: &mut mpsc::Receiver<Leave>,
    ) {
        let watch = self.database_watch();
        actix::spawn(watch.clone().run());
        loop {
            let pause = self.look(&mut lock, &watch).await;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                Some(leave) = leaves.recv() => {
                    let has_left = self.leave(&mut lock).await;
                    let _ = leave.send(has_left);
                    if has_left {
                        return;
                    }
                }
            }
        }
    }

    /// Learns whether a standby is there, and lets the row say so, before the first call: two looks.
    pub(super) async fn settle_lease(&self, lock: &mut Option<EngineLock>) {
        let watch = self.database_watch();
        for _ in 0..2 {
            self.look(lock, &watch).await;
        }
    }

    /// Renews the lease while the previous state is loaded.
    pub(super) async fn keep_lease(&self, lock: &mut Option<EngineLock>) -> Infallible {
        let watch = self.database_watch();
        loop {
            tokio::time::sleep(CHECK_EVERY).await;
            if matches!(self.services.persistence_state.leadership().now(), EngineRole::Acting(_)) {
                self.look(lock, &watch).await;
            }
        }
    }

    /// One look. Returns the pause until the next one.
    async fn look(&self, lock: &mut Option<EngineLock>, watch: &DatabaseWatch) -> Duration {
        let (log, state) = (&self.services.log, &self.services.persistence_state);
        let looked = tokio::time::timeout(CHECK_WITHIN, self.renew(lock, watch)).await;
        let look = match looked {
            Ok(Ok(look)) => look,
            Ok(Err(error)) => Look::Away(error.to_string()),
            Err(_) => {
                // Its session may never answer: the next look opens another one.
                *lock = None;
                Look::Away("the database does not answer in time".to_owned())
            }
        };
        match look {
            Look::Away(away) => {
                if state.not_answered() {
                    state.set_database_error(&away);
                    warn!(log, "the database does not answer"; "error" => &away);
                }
                // A session that has just ended says less than the next connection.
                state.reword_database_error(&away);
                return AWAY_CHECK_EVERY;
            }
            Look::Superseded => {
                if state.leadership().set(EngineRole::Superseded) {
                    // At once: this process ends now.
                    error!(log, "another precall has taken over this database");
                    info!(log, "the leader of the database"; "holder" => self.other_leader().await);
                }
            }
            Look::Leads | Look::Unclear => {}
        }
        if state.answered() {
            info!(log, "the database answers again");
        }
        if matches!(look, Look::Leads) && state.renewal_is_due() {
            return Duration::ZERO;
        }
        CHECK_EVERY
    }

    async fn renew(&self, lock: &mut Option<EngineLock>, watch: &DatabaseWatch) -> Result<Look, StoreError> {
        let state = &self.services.persistence_state;
        let EngineRole::Acting(generation) = state.leadership().now() else { return Ok(Look::Superseded) };
        if lock.as_ref().is_none_or(EngineLock::is_gone) {
            *lock = EngineLock::take(&self.services.pool).await?;
            // A new session may lead through a pooler that was not there before.
            watch.look_for_pooler();
        }
        let Some(held) = lock.as_ref() else { return self.without_lock(generation).await };
        // The lease counts from before the request: how long the answer takes does not matter.
        let (renewal, sent) = (state.renewal(), clock::moment());
        if let Some(has_standby) = held.renew(generation, renewal).await? {
            let company = if has_standby { Company::Standby } else { Company::Alone };
            state.leadership().renewed(renewal, sent, company);
            return Ok(Look::Leads);
        }
        let confirmed = held.confirm().await?;
        if confirmed.generation != Some(generation) {
            return Ok(Look::Superseded);
        }
        if !confirmed.is_locked {
            *lock = None;
            watch.look_for_pooler();
        }
        Ok(Look::Unclear)
    }

    /// Another session has the lock. It may be one that this process had before, which PostgreSQL has not ended yet.
    async fn without_lock(&self, generation: u64) -> Result<Look, StoreError> {
        let client = self.services.pool.get().await?;
        match lease::last_leader(&**client).await? {
            LastLeader::Leased(row) if row.generation == generation => Ok(Look::Unclear),
            LastLeader::Leased(_) | LastLeader::WithoutLease | LastLeader::Never => Ok(Look::Superseded),
        }
    }

    /// Gives the lease and the lock back. Whether that is durable.
    async fn leave(&self, lock: &mut Option<EngineLock>) -> bool {
        let leadership = self.services.persistence_state.leadership();
        let (EngineRole::Acting(generation), Some(held)) = (leadership.now(), lock.take()) else {
            return false;
        };
        let released = tokio::time::timeout(CHECK_WITHIN, held.release(generation)).await;
        let has_left = matches!(released, Ok(Ok(true)));
        // Without an answer it may have left: then it must act no more.
        if has_left || released.is_err() {
            leadership.set(EngineRole::Left);
        }
        has_left
    }

    pub(super) fn database_watch(&self) -> DatabaseWatch {
        let services = &self.services;
        DatabaseWatch::new(
            services.pool.clone(),
            Arc::clone(&services.persistence_state),
            services.log.clone(),
        )
    }

    /// Who leads instead, in words.
    pub(super) async fn other_leader(&self) -> String {
        let asked = async {
            let client = self.services.pool.get().await.ok()?;
            EngineLock::holder(&**client).await.ok()?
        };
        match tokio::time::timeout(CHECK_WITHIN, asked).await {
            Ok(Some(holder)) => holder.to_string(),
            Ok(None) | Err(_) => "not known".to_owned(),
        }
    }
}
