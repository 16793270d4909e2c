//! Hourly maintenance while this process is the leader: creates partitions ahead, deletes expired data, measures the
//! database.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use precall_base::clock;
use precall_call::At;
use precall_store::connect::within;
use precall_store::error::StoreError;
use precall_store::growth::partitions::days;
use precall_store::growth::{partitions, retention};
use precall_store::idempotency;
use slog::{info, warn};

use crate::call::services::CallServices;
use crate::durability::leadership::EngineRole;
use crate::limits::provider_capacity::Capacity;

/// Interval between two rounds. Partitions exist weeks ahead, and expired data may stay an hour longer.
const EVERY: Duration = Duration::from_secs(3600);
/// Pause after a failed round.
const RETRY_AFTER: Duration = Duration::from_secs(60);
/// Time limit of a round, for a database that never answers: each statement has its own limit at the server.
const ROUND_WITHIN: Duration = Duration::from_secs(900);
/// Time limit for reading the agent's settings.
const AGENT_WITHIN: Duration = Duration::from_secs(10);
/// Days that webhooks are kept, by default.
const WEBHOOKS_KEPT_DAYS: u64 = 7;
/// Days that the answers of requests with an `Idempotency-Key` are kept.
const IDEMPOTENCY_KEPT_DAYS: u64 = 1;
/// Days that quarantined webhooks are kept at least.
const QUARANTINED_KEPT_DAYS: u64 = 30;

/// How long data is kept, and how large the database may grow.
#[derive(Clone, Debug, Default)]
pub struct Retention {
    /// Days for calls and their events; `None` keeps them for ever.
    pub events_days: Option<u64>,
    /// Days for utterances; `None` keeps them as long as their call.
    pub words_days: Option<u64>,
    /// Days for recordings; `None` keeps them as long as calls.
    pub recordings_days: Option<u64>,
    /// Days for webhooks that precall could read; `None` keeps them for a week.
    pub webhooks_days: Option<u64>,
    /// The folder of the recordings.
    pub recordings: PathBuf,
    /// `DATABASE_MAX_GB`, in bytes, for the metric that forecasts when it is reached.
    pub database_max_bytes: Option<u64>,
}

/// Runs maintenance for ever; only the leader changes data.
pub(crate) async fn run_maintenance(
    services: Arc<CallServices>,
    capacity: Arc<Capacity>,
    retention: Retention,
    agent_id: impl Fn() -> String,
) {
    loop {
        read_agent_limit(&services, &capacity, &agent_id()).await;
        let acts = matches!(services.persistence_state.leadership().now(), EngineRole::Acting(_));
        let outcome = if acts { within(ROUND_WITHIN, round(&services, &retention)).await } else { Ok(()) };
        if let Err(error) = &outcome {
            warn!(services.log, "maintenance failed, retrying"; "error" => %error);
        }
        tokio::time::sleep(if outcome.is_ok() { EVERY } else { RETRY_AFTER }).await;
    }
}

/// Reads the agent's concurrency limit, for display. On a failure the last value stays.
async fn read_agent_limit(services: &CallServices, capacity: &Capacity, agent_id: &str) {
    if let Ok(agent) = services.clients.here().bulk.agent(agent_id, AGENT_WITHIN).await {
        capacity.agent_limit(agent.concurrency);
    }
}

async fn round(services: &CallServices, retention: &Retention) -> Result<(), StoreError> {
    let now = clock::now();
    let not_made = partitions::make_ahead(&services.pool, now).await?;
    if not_made > 0 {
        warn!(services.log, "could not create partitions, their rows go to the default partition";
            "pieces" => not_made);
    }
    let webhooks = retention.webhooks_days.unwrap_or(WEBHOOKS_KEPT_DAYS);
    let (read, all) = (ago(now, webhooks), ago(now, webhooks.max(QUARANTINED_KEPT_DAYS)));
    let mut gone = retention::drop_webhooks(&services.pool, read, all).await?;
    if let Some(kept) = retention.words_days {
        let words = retention::drop_words(&services.pool, ago(now, kept)).await?;
        if words > 0 {
            info!(services.log, "expired utterances deleted"; "rows" => words);
        }
    }
    if let Some(kept) = retention.events_days {
        gone.extend(retention::drop_events(&services.pool, ago(now, kept)).await?);
    }
    if let Some(kept) = retention.recordings_days.or(retention.events_days) {
        let folder = retention.recordings.clone();
        let deleted = tokio::task::spawn_blocking(move || delete_files(&folder, days(kept))).await;
        match deleted.map_err(io::Error::other).and_then(|deleted| deleted) {
            Ok(0) => {}
            Ok(files) => {
                info!(services.log, "expired recordings deleted"; "files" => files)
            }
            Err(error) => warn!(services.log, "could not delete expired recordings"; "error" => %error),
        }
    }
    idempotency::drop_expired(&services.pool, ago(now, IDEMPOTENCY_KEPT_DAYS)).await?;
    if !gone.is_empty() {
        info!(services.log, "expired partitions deleted"; "pieces" => gone.join(" "));
    }
    let bytes = retention::database_bytes(&services.pool).await?;
    services.metrics.database_size(bytes, retention.database_max_bytes, now);
    Ok(())
}

/// Deletes files of a folder older than `kept`; returns how many. A missing folder has no files.
fn delete_files(folder: &Path, kept: Duration) -> io::Result<usize> {
    let mut deleted = 0_usize;
    let found = match fs::read_dir(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    for file in found {
        let file = file?;
        let about = file.metadata()?;
        if about.is_file() && about.modified()?.elapsed().is_ok_and(|age| age > kept) {
            fs::remove_file(file.path())?;
            deleted = deleted.saturating_add(1);
        }
    }
    Ok(deleted)
}

fn ago(now: At, kept: u64) -> At {
    At(now.0.saturating_sub(i64::try_from(days(kept).as_micros()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests;
