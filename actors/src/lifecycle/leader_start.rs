//! How this process becomes the leader of its database, and how it knows that it still is.
//!
//! Before its first write it looks whether the database can be used, and says what it waits for. A wrong database is
//! looked at again and again: an administrator may correct it while precall runs.

use std::sync::Arc;
use std::time::Duration;

use precall_store::error::StoreError;
use precall_store::leader::engine_lock::EngineLock;
use precall_store::leader::pooler;
use precall_store::readiness::{self, Finding, State};
use precall_store::schema::{embedded, migrate};
use slog::{error, info, warn};
use tokio::time::Instant;

use super::database_watch::{DatabaseWatch, examine, waiting};
use super::live_calls::LIVE_CALLS;
use super::lock_wait::{LockWait, LockWatch};
use super::recovery::{LateFeed, Recovery};
use crate::durability::leadership::{CHECK_WITHIN, EngineRole};

const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Interval of the leadership check on a standby.
const STANDBY_CHECK_EVERY: Duration = Duration::from_millis(500);
/// A lock that is held for so long is not a dead engine's.
const HELD_FOR: Duration = Duration::from_secs(5);

impl Recovery {
    /// Waits until the database can be used and this process is the leader, and loads the previous state. Returns the
    /// last log position. Says each reason to wait once.
    pub(super) async fn until_leader(&self, lock: &mut Option<EngineLock>, feed: &mut LateFeed) -> i64 {
        let (mut pause, mut is_fit, mut watch) = (RETRY_FIRST, false, LockWatch::default());
        let mut held_for = None;
        loop {
            let obstacle = if is_fit { None } else { self.obstacle().await };
            let step = match obstacle {
                Some(finding) => Err(finding),
                None => {
                    is_fit = true;
                    self.take_over(lock, &mut watch, feed).await
                }
            };
            match step {
                Ok(TakeOver::Leads(position)) => {
                    self.services.persistence_state.set_obstacle(None);
                    return position;
                }
                Ok(TakeOver::Waits(wait)) => {
                    self.stand_by(&wait);
                    if feed.is_successor && held_for.get_or_insert_with(Instant::now).elapsed() >= HELD_FOR {
                        self.give_way();
                    }
                    pause = RETRY_FIRST;
                    tokio::time::sleep(STANDBY_CHECK_EVERY).await;
                }
                Err(finding) => {
                    is_fit = false;
                    held_for = None;
                    watch.forget();
                    if finding.name == LIVE_CALLS {
                        self.refusal.refuse(finding.words.clone());
                    }
                    self.cannot_use(&finding);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(RETRY_MAX);
                }
            }
        }
    }

    /// What prevents precall from using the database.
    async fn obstacle(&self) -> Option<Finding> {
        readiness::obstacle(&examine(&self.services.pool).await).cloned()
    }

    fn stand_by(&self, wait: &LockWait) {
        let state = &self.services.persistence_state;
        let (words, log) = (wait.to_string(), &self.services.log);
        if wait.stands_by() && state.leadership().set(EngineRole::Standby) {
            info!(log, "another precall is the leader, this one is a standby"; "reason" => &words);
        } else if state.obstacle().as_ref() != Some(&words) {
            info!(log, "waiting for the leader lock"; "reason" => &words);
        }
        state.set_obstacle(Some(&words));
    }

    /// Another engine leads although this process went on at the PBX: the other one took over before.
    fn give_way(&self) {
        if self.services.persistence_state.leadership().set(EngineRole::Superseded) {
            error!(self.services.log, "another precall has taken over this database");
        }
    }

    fn cannot_use(&self, finding: &Finding) {
        let (state, log) = (&self.services.persistence_state, &self.services.log);
        state.not_answered();
        if !state.set_obstacle(Some(&finding.words)) {
            return;
        }
        state.set_database_error(&finding.words);
        if finding.state == State::Wrong {
            error!(log, "the database cannot be used, no calls are taken"; "problem" => &finding.words);
        } else {
            warn!(log, "database not ready, no calls are taken yet"; "error" => &finding.words);
        }
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

    /// Loads the previous state once this process is the leader.
    async fn take_over(
        &self,
        lock: &mut Option<EngineLock>,
        watch: &mut LockWatch,
        feed: &mut LateFeed,
    ) -> Result<TakeOver, Finding> {
        let taken = async {
            if lock.as_ref().is_none_or(EngineLock::is_gone) {
                *lock = None;
                let role = self.services.persistence_state.leadership().now();
                let client = self.services.pool.get().await?;
                let wait = watch.waits_for(&client, role).await?;
                drop(client);
                // The engine that a free lock is left for is this one.
                let wait = wait.filter(|wait| !feed.is_successor || matches!(wait, LockWait::Held(_)));
                if let Some(wait) = wait {
                    return Ok::<_, StoreError>(Some(wait));
                }
                *lock = EngineLock::take(&self.services.pool).await?;
            }
            Ok(lock.is_none().then_some(LockWait::JustTaken))
        };
        if let Some(wait) = taken.await.map_err(waiting)? {
            self.import_spool().await.map_err(waiting)?;
            return Ok(TakeOver::Waits(wait));
        }
        self.start_feed(feed);
        self.migrate().await?;
        let resumption = self.resumption().await?;
        self.load(&feed.supervisor, resumption).await.map(TakeOver::Leads).map_err(waiting)
    }

    async fn migrate(&self) -> Result<(), Finding> {
        // Taken out of the pool: after an error it may still run a statement, so it is dropped in any case.
        let client = self.services.pool.get().await.map_err(|error| waiting(error.into()))?;
        let mut client = deadpool_postgres::Object::take(client);
        migrate::migrate(&mut client, &embedded::runner(), migrate::Limits::default())
            .await
            .map(drop)
            .map_err(|error| Finding {
                name: "database schema",
                state: if error.is_passing() { State::Waiting } else { State::Wrong },
                words: error.to_string(),
            })
    }

    /// Whether this process still leads; `None` if the database does not answer, or a pooler is in between.
    pub(super) async fn still_leads(
        &self,
        lock: &mut Option<EngineLock>,
        watch: &DatabaseWatch,
    ) -> Option<bool> {
        let EngineRole::Acting(generation) = self.services.persistence_state.leadership().now() else {
            return Some(true);
        };
        let check = async {
            if lock.as_ref().is_none_or(EngineLock::is_gone) {
                *lock = EngineLock::take(&self.services.pool).await?;
                // A new session may lead through a pooler that was not there before.
                watch.look_for_pooler();
            }
            let Some(held) = lock.as_ref() else { return Ok::<_, StoreError>(self.without_lock().await) };
            let confirmed = held.confirm().await?;
            if confirmed.generation != Some(generation) {
                return Ok(Some(false));
            }
            if !confirmed.is_locked {
                *lock = None;
                watch.look_for_pooler();
                return Ok(None);
            }
            Ok(Some(true))
        };
        match tokio::time::timeout(CHECK_WITHIN, check).await {
            Ok(Ok(still)) => still,
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// Another session has the lock. Behind a pooler it may be one that this process had before; else another process
    /// leads.
    async fn without_lock(&self) -> Option<bool> {
        let found = tokio::time::timeout(CHECK_WITHIN / 2, pooler::find(&self.services.pool)).await;
        if matches!(found, Ok(Ok(Some(_)))) { None } else { Some(false) }
    }
}

/// The outcome of an attempt to become the leader.
enum TakeOver {
    /// This process leads. The last log position.
    Leads(i64),
    /// It waits.
    Waits(LockWait),
}
