//! What has to be done now and then so that the tables do not grow for ever: pieces made ahead, old ones dropped, sizes looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use precall_base::clock;
use precall_call::At;
use precall_store::error::StoreError;
use precall_store::growth::partitions::days;
use precall_store::growth::{partitions, retention};
use slog::{info, warn};

use crate::call::services::CallServices;
use crate::durability::leadership::Standing;
use crate::limits::provider_capacity::Capacity;

/// Between two rounds. Pieces are there weeks ahead, and one that is a little too old does no harm.
const EVERY: Duration = Duration::from_secs(3600);
/// After one that did not succeed.
const AGAIN: Duration = Duration::from_secs(60);
/// Asking the agent.
const AGENT_WITHIN: Duration = Duration::from_secs(10);
/// Bodies of webhooks.
const WEBHOOKS_KEPT_DAYS: u64 = 7;
/// Of those that nobody could read.
const QUARANTINED_KEPT_DAYS: u64 = 30;

/// What is kept, and how much there is room for.
#[derive(Clone, Debug, Default)]
pub struct Retention {
    /// Of `RETENTION_DAYS`: calls and their events; none keeps all of them.
    pub events_days: Option<u64>,
    /// What was said; none keeps it as long as its call.
    pub words_days: Option<u64>,
    /// Recordings; none keeps them as long as calls.
    pub recordings_days: Option<u64>,
    /// Webhooks that could be read; none keeps them for a week.
    pub webhooks_days: Option<u64>,
    /// Where recordings are.
    pub recordings: PathBuf,
    /// `DATABASE_MAX_GB`, in bytes: for the metric that says how long it will do.
    pub database_max_bytes: Option<u64>,
}

/// Keeps house for as long as this process acts.
pub(crate) async fn run_maintenance(
    services: Arc<CallServices>,
    capacity: Arc<Capacity>,
    retention: Retention,
    agent_id: String,
) {
    loop {
        look_at_agent(&services, &capacity, &agent_id).await;
        let acts = matches!(services.persistence_state.stand().now(), Standing::Acting(_));
        let outcome = if acts { round(&services, &retention).await } else { Ok(()) };
        if let Err(error) = &outcome {
            warn!(services.log, "maintenance failed, retrying"; "error" => %error);
        }
        tokio::time::sleep(if outcome.is_ok() { EVERY } else { AGAIN }).await;
    }
}

/// How many conversations the agent may have, for people who compare. Where nobody answers, what was heard last stays.
async fn look_at_agent(services: &CallServices, capacity: &Capacity, agent_id: &str) {
    if let Ok(agent) = services.clients.here().bulk.agent(agent_id, AGENT_WITHIN).await {
        capacity.agent_limit(agent.concurrency);
    }
}

async fn round(services: &CallServices, retention: &Retention) -> Result<(), StoreError> {
    let now = clock::now();
    let not_made = partitions::make_ahead(&services.pool, now).await?;
    if not_made > 0 {
        warn!(services.log, "pieces of tables could not be made, their rows go to the piece for all others"; "pieces" => not_made);
    }
    let webhooks = retention.webhooks_days.unwrap_or(WEBHOOKS_KEPT_DAYS);
    let (read, all) = (ago(now, webhooks), ago(now, webhooks.max(QUARANTINED_KEPT_DAYS)));
    let mut gone = retention::drop_webhooks(&services.pool, read, all).await?;
    if let Some(kept) = retention.words_days {
        let words = retention::drop_words(&services.pool, ago(now, kept)).await?;
        if words > 0 {
            info!(services.log, "what was said long enough ago is deleted"; "rows" => words);
        }
    }
    if let Some(kept) = retention.events_days {
        gone.extend(retention::drop_events(&services.pool, ago(now, kept)).await?);
    }
    if let Some(kept) = retention.recordings_days.or(retention.events_days) {
        let folder = retention.recordings.clone();
        let deleted = tokio::task::spawn_blocking(move || delete_files(&folder, days(kept))).await;
        match deleted {
            Ok(Ok(0)) => {}
            Ok(Ok(files)) => {
                info!(services.log, "recordings that were old enough are deleted"; "files" => files)
            }
            Ok(Err(error)) => warn!(services.log, "old recordings could not be deleted"; "error" => %error),
            Err(_) => {}
        }
    }
    if !gone.is_empty() {
        info!(services.log, "what was old enough is deleted"; "pieces" => gone.join(" "));
    }
    let bytes = retention::database_bytes(&services.pool).await?;
    services.metrics.database_size(bytes, retention.database_max_bytes, now);
    Ok(())
}

/// Deletes the files of a folder that were written longer ago than that; how many. What is not there has none.
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
