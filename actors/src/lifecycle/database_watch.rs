//! Looks at the database while precall acts: what was right at the start may be changed later.
//!
//! Every few minutes it looks at everything that precall needs, and health shows what is not as needed. A pooler is
//! looked for at once when a session had to be opened again, or lost its lock: it may lead to a pooler now. Behind one
//! that breaks sessions precall takes no new calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::Pool;
use precall_base::clock;
use precall_store::error::StoreError;
use precall_store::leader::pooler;
use precall_store::readiness::{self, Finding, Needs, State};
use precall_store::schema::embedded;
use slog::{Logger, error, info, warn};

use crate::durability::persistence_state::PersistenceState;

/// Interval of the whole look.
const EVERY: Duration = Duration::from_secs(300);
/// Time limit of one look for a pooler.
const POOLER_WITHIN: Duration = Duration::from_secs(10);
/// Pause between two looks for a pooler, until one finds whole sessions.
const POOLER_EVERY: Duration = Duration::from_secs(5);
/// Connections beside those of `pool`: the other pool, the lock, and a migration or a look.
const MORE_CONNECTIONS: usize = 3;

/// Everything that precall needs of the database behind `pool`.
pub(crate) async fn examine(pool: &Pool) -> Vec<Finding> {
    let runner = embedded::runner();
    let connections = pool.status().max_size.saturating_add(MORE_CONNECTIONS);
    let needs = Needs { migrations: runner.get_migrations(), connections, now: clock::wall() };
    readiness::examine(pool, needs).await
}

/// Starts looks, and keeps what they found.
#[derive(Clone)]
pub(crate) struct DatabaseWatch {
    pool: Pool,
    state: Arc<PersistenceState>,
    is_looking: Arc<AtomicBool>,
    log: Logger,
}

impl DatabaseWatch {
    pub(crate) fn new(pool: Pool, state: Arc<PersistenceState>, log: Logger) -> Self {
        Self { pool, state, is_looking: Arc::default(), log }
    }

    /// Looks at everything, again and again.
    pub(crate) async fn run(self) {
        loop {
            let findings = examine(&self.pool).await;
            if findings
                .iter()
                .any(|finding| finding.name == readiness::POOLING && finding.state == State::Wrong)
            {
                self.look_for_pooler();
            }
            // The checks of every second say that the database is away.
            let lasting = |finding: &&Finding| matches!(finding.state, State::Warning | State::Wrong);
            let problems: Vec<String> = findings
                .iter()
                .filter(lasting)
                .map(|finding| format!("{}: {}", finding.name, finding.words))
                .collect();
            if self.state.set_problems(&problems) {
                for problem in &problems {
                    warn!(self.log, "the database is not as precall needs it"; "problem" => problem);
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Starts to look for a pooler, unless a look is running. It ends when sessions are whole.
    pub(crate) fn look_for_pooler(&self) {
        if !self.is_looking.swap(true, Ordering::Relaxed) {
            let this = self.clone();
            actix::spawn(async move {
                this.until_whole().await;
                this.is_looking.store(false, Ordering::Relaxed);
            });
        }
    }

    async fn until_whole(&self) {
        loop {
            match tokio::time::timeout(POOLER_WITHIN, pooler::find(&self.pool)).await {
                Ok(Ok(None)) => {
                    if self.state.set_obstacle(None) {
                        info!(self.log, "each session keeps its server process again");
                    }
                    return;
                }
                Ok(Ok(Some(pooling))) => {
                    if self.state.set_obstacle(Some(pooling.words())) {
                        error!(self.log, "the database cannot be used, no calls are taken";
                            "problem" => pooling.words());
                    }
                }
                // The database is away: other checks say so.
                Ok(Err(_)) | Err(_) => {}
            }
            tokio::time::sleep(POOLER_EVERY).await;
        }
    }
}

/// A failure after the database was found fit.
pub(super) fn waiting(error: StoreError) -> Finding {
    let state = if error.is_passing() { State::Waiting } else { State::Wrong };
    Finding { name: "database", state, words: error.to_string() }
}
