//! Deletes what has to go outside the database: samples, conversations at the provider, recordings. Each is tried until it is gone.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use precall_base::clock;
use precall_call::ConversationId;
use precall_providers::elevenlabs::ProviderErrorKind;
use precall_store::StoreError;
use precall_store::people::deletions;
use precall_store::people::deletions::{Due, Target};
use slog::{info, warn};

use crate::durability::leadership::Standing;
use crate::erasure::services::ErasureServices;

/// Between two looks, unless somebody says that there is something.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Deletions of one look.
const AT_ONCE: i64 = 50;
/// One deletion.
const WITHIN: Duration = Duration::from_secs(20);
/// So many failures in a row are worth a line.
const WORTH_A_LINE: i32 = 3;

/// Deletes for as long as this process acts.
pub(crate) async fn run_deletion_worker(services: Arc<ErasureServices>) {
    loop {
        let acts = matches!(services.persistence_state.stand().now(), Standing::Acting(_));
        let more = if acts { round(&services).await } else { Ok(0) };
        match more {
            // There may be more of them.
            Ok(done) if done > 0 => continue,
            Ok(_) => {}
            Err(error) => warn!(services.log, "what is to be deleted cannot be read"; "error" => %error),
        }
        let _ = tokio::time::timeout(LOOK_EVERY, services.wake.notified()).await;
    }
}

/// How many are done.
async fn round(services: &ErasureServices) -> Result<usize, StoreError> {
    let due = deletions::due(&**services.pool.get().await?, clock::now(), AT_ONCE).await?;
    let mut done = 0_usize;
    for due in due {
        let outcome = tokio::time::timeout(WITHIN, delete(services, &due.target)).await;
        let outcome = outcome.unwrap_or_else(|_| Err("it takes too long".to_owned()));
        let client = services.pool.get().await?;
        match outcome {
            Ok(()) => {
                deletions::done(&**client, due.id, clock::now()).await?;
                done = done.saturating_add(1);
            }
            Err(why) => {
                say(services, &due, &why);
                deletions::not_done(&**client, &due, &why, clock::now()).await?;
            }
        }
    }
    if done > 0 {
        info!(services.log, "deleted outside the database"; "things" => done);
    }
    Ok(done)
}

fn say(services: &ErasureServices, due: &Due, why: &str) {
    if due.tries >= WORTH_A_LINE {
        warn!(services.log, "something that is to be deleted is still there, it is tried again";
            "deletion" => %due.id, "tries" => due.tries, "error" => why);
    }
}

/// What is not there is deleted. The reasons name no target.
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
    match services.clients.here().bulk.delete_conversation(id, WITHIN).await {
        Ok(()) => Ok(()),
        Err(error) if error.kind == ProviderErrorKind::NotFound => Ok(()),
        Err(error) => {
            services.provider.note::<()>(&Err(error.clone()));
            Err(error.to_string())
        }
    }
}

/// Named as whoever stores it names it: letters, digits, `_` and `-` alone, so that nothing else can be meant.
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
