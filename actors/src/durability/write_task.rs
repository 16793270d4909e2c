//! Writes to the database and the spool, outside the mailbox of the persistence actor.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use precall_base::clock;
use precall_store::error::StoreError;
use precall_store::events::refused::write_apart;
use precall_store::events::rows::Batch;
use precall_store::events::write::write;
use precall_store::spool::batch::{Together, to_frame};
use precall_store::spool::handle::SpoolHandle;
use slog::{Logger, error, info, warn};

use crate::durability::leadership::EngineRole;
use crate::durability::persistence_state::PersistenceState;
use crate::durability::write_path::WriteStep;

/// Time limit of a direct write; then the batch is spooled. A dial waits for it, and a webhook's answer has 2.5 s.
const DIRECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Time limit of a write that nothing waits for.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// Pause before a step is tried again that failed and has no other way.
const STEP_RETRY: Duration = Duration::from_millis(500);
/// Pause after an error of the disk while the spool is emptied.
const DISK_RETRY: Duration = Duration::from_secs(5);

/// Result of a [`WriteStep`].
pub(super) enum StepResult {
    Durable,
    /// The outcome in the database is unknown.
    Unknown,
    /// The spool failed; this many frames wait in it.
    NotSpooled(usize),
}

/// What a write needs: it runs outside the actor's mailbox.
pub(super) struct WriteTask {
    pub(super) pool: Pool,
    pub(super) spool: Option<SpoolHandle>,
    pub(super) state: Arc<PersistenceState>,
    pub(super) log: Logger,
}

impl WriteTask {
    /// Writes one step of the write path.
    pub(super) async fn attempt(&self, step: WriteStep) -> StepResult {
        match step {
            WriteStep::Write(batch) => {
                let within = if self.spool.is_some() { DIRECT_TIMEOUT } else { DRAIN_TIMEOUT };
                let generation = self.acting().await;
                let begun = clock::now();
                let is_written = self.write(&batch, generation, within).await;
                let took = clock::now().since(begun);
                self.state.pace().live_write(took);
                if is_written {
                    self.state.committed(took, batch.len());
                    return StepResult::Durable;
                }
                if self.spool.is_none() {
                    tokio::time::sleep(STEP_RETRY).await;
                }
                StepResult::Unknown
            }
            WriteStep::Spool(batch) => {
                let Some(spool) = &self.spool else { return StepResult::NotSpooled(0) };
                let generation = self.acting().await;
                let appended = match to_frame(&batch, generation) {
                    Ok(frame) => spool.append(frame).await,
                    Err(error) => Err(io::Error::other(error).into()),
                };
                let waiting = spool.waiting().await;
                self.state.spool().set_waiting(waiting);
                let Err(error) = appended else {
                    self.state.spool().set_failing(false);
                    return StepResult::Durable;
                };
                let error = spool.fault(error).await;
                if self.state.spool_failed(&error) {
                    error!(self.log, "the spool cannot be written, no event is acknowledged"; "error" => error);
                }
                tokio::time::sleep(STEP_RETRY).await;
                StepResult::NotSpooled(waiting.frames)
            }
        }
    }

    /// Writes the spool into the database until it is empty.
    pub(super) async fn drain(&self, spool: &SpoolHandle) {
        let (mut backoff, mut entries) = (BACKOFF_FIRST, 0_usize);
        loop {
            let error = match spool.peek(0).await {
                Ok(None) => break,
                Ok(Some(read)) => {
                    self.log_damage(&read);
                    if self.write(&read.batch, read.generation, DRAIN_TIMEOUT).await {
                        entries = entries.saturating_add(read.batch.len());
                        backoff = BACKOFF_FIRST;
                        let taken = spool.take_out(read.frames).await;
                        self.state.spool().set_waiting(spool.waiting().await);
                        taken.err()
                    } else {
                        tokio::time::sleep(backoff).await;
                        backoff = (backoff * 2).min(BACKOFF_MAX);
                        None
                    }
                }
                Err(error) => Some(error),
            };
            if let Some(error) = error {
                // A file that cannot be removed is retried: its entries are in the database, and writing them twice
                // is harmless.
                error!(self.log, "could not read or empty the spool"; "error" => %error);
                tokio::time::sleep(DISK_RETRY).await;
            }
        }
        self.state.spool().set_waiting(spool.waiting().await);
        if entries > 0 {
            info!(self.log, "the spool is empty again"; "entries" => entries);
        }
    }

    fn log_damage(&self, read: &Together) {
        for error in &read.passed_over {
            error!(self.log, "a batch in the spool is damaged, its file is kept"; "error" => %error);
        }
    }

    /// Tries one transaction. Returns false if its outcome is unknown.
    async fn write(&self, batch: &Batch, generation: u64, within: Duration) -> bool {
        let failure = match tokio::time::timeout(within, write(&self.pool, batch, generation)).await {
            Ok(Err(StoreError::Superseded)) => return self.stop_superseded().await,
            Ok(Ok(position)) => {
                if self.state.set_write_failing(false) {
                    info!(self.log, "the database is back");
                }
                self.advance(position);
                return true;
            }
            Ok(Err(error)) if !error.is_passing() => {
                warn!(self.log, "the database refused a batch, writing its entries one by one"; "error" => %error);
                // No short time limit: the next attempt would not be faster.
                let apart = write_apart(&self.pool, batch, generation);
                match tokio::time::timeout(DRAIN_TIMEOUT, apart).await {
                    Ok(Ok((position, refused))) => {
                        self.state.count_quarantined(refused);
                        error!(self.log, "entries were quarantined"; "entries" => refused);
                        self.advance(position);
                        return true;
                    }
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "no answer in time".to_owned(),
                }
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        // The next attempt uses a new connection: this one may never answer.
        self.pool.retain(|_, _| false);
        if self.state.set_write_failing(true) {
            self.state.set_database_error(&failure);
            warn!(self.log, "the database is away"; "error" => failure, "entries" => batch.len(),
                "events" => if self.spool.is_some() { "go to the spool" } else { "wait" });
        }
        false
    }

    fn advance(&self, position: Option<i64>) {
        position.into_iter().for_each(|position| self.state.positions().advance(position));
    }

    /// The generation of this leader. Waits until this process is the leader.
    async fn acting(&self) -> u64 {
        loop {
            match self.state.leadership().now() {
                EngineRole::Acting(generation) => return generation,
                EngineRole::Superseded | EngineRole::Left => return std::future::pending().await,
                EngineRole::Unknown | EngineRole::Standby => tokio::time::sleep(BACKOFF_FIRST).await,
            }
        }
    }

    /// Stops writing: another process is the leader. None of this was acknowledged, unless it is in the spool, where
    /// the next start of precall finds it.
    async fn stop_superseded<T>(&self) -> T {
        if self.state.leadership().set(EngineRole::Superseded) {
            error!(self.log, "another precall has taken over this database");
        }
        std::future::pending().await
    }
}
