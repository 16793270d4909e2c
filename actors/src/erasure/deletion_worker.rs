//! Deletes data outside the database: samples, conversations at the provider, recordings. Retries each until it is
//! deleted.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use precall_base::clock;
use precall_call::ConversationId;
use precall_providers::elevenlabs::ProviderErrorKind;
use precall_store::StoreError;
use precall_store::connect::within;
use precall_store::people::deletions;
use precall_store::people::deletions::{Due, Target};
use slog::{info, warn};

use crate::durability::leadership::EngineRole;
use crate::erasure::services::ErasureServices;

/// Interval of the check for due deletions. A wake-up makes it earlier.
const CHECK_EVERY: Duration = Duration::from_secs(10);
/// Maximum of deletions per round.
const ROUND_MAX: i64 = 50;
/// Time limit of one deletion.
const DELETE_WITHIN: Duration = Duration::from_secs(20);
/// Time limit of one exchange with the database.
const DATABASE_WITHIN: Duration = Duration::from_secs(10);
/// Attempts before a failure is logged.
const LOGGED_AFTER_TRIES: i32 = 3;

/// Runs the deletion worker for ever; only the leader deletes.
pub(crate) async fn run_deletion_worker(services: Arc<ErasureServices>) {
    loop {
        let acts = matches!(services.persistence_state.leadership().now(), EngineRole::Acting(_));
        let more = if acts { round(&services).await } else { Ok(0) };
        match more {
            // More deletions may be due.
            Ok(done) if done > 0 => continue,
            Ok(_) => {}
            Err(error) => warn!(services.log, "could not read the due deletions"; "error" => %error),
        }
        let _ = tokio::time::timeout(CHECK_EVERY, services.wake.notified()).await;
    }
}

/// Runs the due deletions; returns how many succeeded.
async fn round(services: &ErasureServices) -> Result<usize, StoreError> {
    let due = within(DATABASE_WITHIN, async {
        deletions::due(&**services.pool.get().await?, clock::wall(), ROUND_MAX).await
    });
    let due = due.await?;
    let mut done = 0_usize;
    for due in due {
        let outcome = tokio::time::timeout(DELETE_WITHIN, delete(services, &due.target)).await;
        let outcome = outcome.unwrap_or_else(|_| Err("timed out".to_owned()));
        let recorded = within(DATABASE_WITHIN, async {
            let client = services.pool.get().await?;
            match &outcome {
                Ok(()) => deletions::done(&**client, due.id, clock::wall()).await,
                Err(why) => deletions::not_done(&**client, &due, why, clock::wall()).await,
            }
        });
        recorded.await?;
        match outcome {
            Ok(()) => done = done.saturating_add(1),
            Err(why) => log_failure(services, &due, &why),
        }
    }
    if done > 0 {
        info!(services.log, "deleted outside the database"; "things" => done);
    }
    Ok(done)
}

fn log_failure(services: &ErasureServices, due: &Due, why: &str) {
    if due.tries >= LOGGED_AFTER_TRIES {
        warn!(services.log, "deletion failed repeatedly, retrying";
            "deletion" => %due.id, "tries" => due.tries, "error" => why);
    }
}

/// Deletes one target. A missing target counts as deleted. Errors do not name the target.
async fn delete(services: &ErasureServices, target: &Target) -> Result<(), String> {
    match target {
        Target::Sample(reference) => {
            services.samples.delete(reference).await.map(drop).map_err(|error| error.to_string())
        }
        Target::Conversation(id) => conversation(services, &ConversationId::new(id)).await,
        Target::Recording(id) => recording(&services.recordings, id).await,
    }
}

async fn conversation(services: &ErasureServices, id: &ConversationId) -> Result<(), String> {
    match services.clients.here().bulk.delete_conversation(id, DELETE_WITHIN).await {
        Ok(()) => Ok(()),
        Err(error) if error.kind == ProviderErrorKind::NotFound => Ok(()),
        Err(error) => {
            services.provider.note::<()>(&Err(error.clone()));
            Err(error.to_string())
        }
    }
}

/// Deletes a recording. Its id may hold letters, digits, `_` and `-` only, so that it cannot name another file.
async fn recording(folder: &Path, id: &str) -> Result<(), String> {
    let is_name = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if !is_name {
        return Ok(());
    }
    match tokio::fs::remove_file(folder.join(format!("{id}.mp3"))).await {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.kind().to_string()),
    }
}
