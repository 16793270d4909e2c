//! How this process becomes the leader of its database.
//!
//! Before its first write it looks whether the database can be used, and says what it waits for. A wrong database is
//! looked at again and again: an administrator may correct it while precall runs.

use std::time::Duration;

use precall_store::leader::engine_lock::EngineLock;
use precall_store::leader::process_mark::ProcessMark;
use precall_store::readiness::{self, Finding, State};
use precall_store::schema::{embedded, migrate};
use slog::{error, info, warn};
use tokio::time::Instant;
use uuid::Uuid;

use super::database_watch::{examine, waiting};
use super::live_calls::LIVE_CALLS;
use super::lock_wait::{LockWait, LockWatch};
use super::recovery::{LateFeed, Recovery};
use crate::durability::leadership::EngineRole;

const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Interval of the look at the leader on a standby. A leader that leaves by plan is followed within this time.
const STANDBY_CHECK_EVERY: Duration = Duration::from_millis(100);
/// A leader that still renews its lease after this time is not the dead engine that this process follows.
const GIVE_WAY_AFTER: Duration = Duration::from_secs(5);
/// A standby brings in the spools of ended processes at every so many looks.
const IMPORT_AT_LOOKS: u32 = 5;

impl Recovery {
    /// Waits until the database can be used and this process is the leader, and loads the previous state. Returns the
    /// last log position. Says each reason to wait once.
    pub(super) async fn until_leader(
        &self,
        lock: &mut Option<EngineLock>,
        mark: Option<&ProcessMark>,
        feed: &mut LateFeed,
    ) -> i64 {
        let (mut pause, mut is_fit, mut watch) = (RETRY_FIRST, false, LockWatch::default());
        let (mut looks, mut waits_since) = (0_u32, None);
        loop {
            let obstacle = if is_fit { None } else { self.obstacle().await };
            let step = match obstacle {
                Some(finding) => Err(finding),
                None => {
                    is_fit = true;
                    self.take_over(lock, &mut watch, mark, feed).await
                }
            };
            match step {
                Ok(TakeOver::Leads(position)) => {
                    self.services.persistence_state.set_obstacle(None);
                    feed.has_calls.send_replace(true);
                    return position;
                }
                Ok(TakeOver::Waits(wait)) => {
                    self.stand_by(&wait);
                    let waited = waits_since.get_or_insert_with(Instant::now).elapsed();
                    if feed.is_successor && wait.stands_by() && waited >= GIVE_WAY_AFTER {
                        self.give_way();
                    }
                    pause = RETRY_FIRST;
                    if looks.is_multiple_of(IMPORT_AT_LOOKS) && self.import_spools().await.is_err() {
                        // The next look says why the database does not answer.
                        watch.forget();
                    }
                    looks = looks.wrapping_add(1);
                    tokio::time::sleep(STANDBY_CHECK_EVERY).await;
                }
                Err(finding) => {
                    is_fit = false;
                    waits_since = None;
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
        // The reason first: health shows no standby without one.
        let is_news = state.set_obstacle(Some(&words));
        if wait.stands_by() && state.leadership().set(EngineRole::Standby) {
            info!(log, "another precall is the leader, this one is a standby"; "reason" => &words);
        } else if is_news {
            info!(log, "waiting for the leader lock"; "reason" => &words);
        }
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

    /// Loads the previous state once this process is the leader.
    async fn take_over(
        &self,
        lock: &mut Option<EngineLock>,
        watch: &mut LockWatch,
        mark: Option<&ProcessMark>,
        feed: &mut LateFeed,
    ) -> Result<TakeOver, Finding> {
        if lock.as_ref().is_none_or(EngineLock::is_gone) {
            *lock = None;
            match watch.look(&self.services.pool, mark).await.map_err(waiting)? {
                Ok(taken) => {
                    *lock = Some(taken);
                    // The engine before has ended. A token is got while the state is loaded.
                    self.services.persistence_state.leadership().go_on_at_pbx(true);
                    // Before the feed shows the legs.
                    self.wait_for_pauses(feed).await;
                }
                Err(wait) => {
                    // The lock was ours and is lost: another process may lead, and the token is its own.
                    self.services.persistence_state.leadership().go_on_at_pbx(feed.is_successor);
                    return Ok(TakeOver::Waits(wait));
                }
            }
        }
        self.start_feed(feed);
        self.migrate().await?;
        let resumption = self.resumption().await?;
        let process = mark.map_or_else(Uuid::now_v7, ProcessMark::id);
        let loaded = tokio::select! {
            loaded = self.load(&feed.supervisor, process, resumption) => loaded.map_err(waiting)?,
            // Loading may take longer than a lease.
            never = self.keep_lease(lock) => match never {},
        };
        self.settle_lease(lock).await;
        if let Some(mark) = mark {
            mark.remove_ended();
        }
        Ok(TakeOver::Leads(loaded))
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
}

/// The outcome of an attempt to become the leader.
enum TakeOver {
    /// This process leads. The last log position.
    Leads(i64),
    /// It waits.
    Waits(LockWait),
}
