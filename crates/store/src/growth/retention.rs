//! Deletes old data: whole partitions, and the rows that derive from their events.

use deadpool_postgres::{Object, Pool};
use precall_call::At;
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::partitions::{Piece, Table, drop_piece, first_id, pieces};
use crate::error::StoreError;
use crate::events::event_log::timestamp;

// Quarantined webhooks are kept for longer.
const READ_WEBHOOKS: &str = "delete from webhooks where event_timestamp < $1 and state <> 'quarantined'";

// From the default partition.
const STRAY_WEBHOOKS: &str = "
    delete from webhooks_other where event_timestamp < $2 or (event_timestamp < $1 and state <> 'quarantined')";

const LIVE_BEFORE: &str = "
    select exists (select from call_log where id < $1 and last_seq > 0 and state <> 'released')";

const STRAY_CALL_EVENTS: &str = "delete from call_events_other where call < $1";
const STRAY_VOICE_EVENTS: &str = "delete from voice_events_other where job < $1";

const CONVERSATIONS: &str = "delete from conversations where call < $1";
const READY: &str = "delete from clone_ready_events where call < $1";
const FAILED: &str = "delete from clone_failed_events where call < $1";
const TRANSFERRED: &str = "delete from clone_transfer_events where call < $1";
const CALLS: &str = "delete from call_log where id < $1 and last_seq > 0";
const CLONES: &str = "delete from voice_clone_log where job < $1";
const CACHED: &str =
    "delete from voice_clone_cache where job < $1 and (deleted_at is not null or ttl_expires_at < now())";
const EARLY_ENDS: &str = "delete from early_ends where ended_at < $1";
const UNMATCHED: &str = "delete from unmatched_reports where received_at < $1";

// Of ended calls. The events stay, without the words.
const WORDS_OF_CALLS: &str = "
    update call_log set transcript = null
    where transcript is not null and state = 'released' and coalesce(call_ended_at, call_started_at) < $1";
const WORDS_OF_EVENTS: &str = "
    update call_events set pii = null
    where pii is not null and at < $1 and event ->> 'kind' in ('line_spoken', 'reported', 'agent_told')";
const WORDS_OF_REPORTS: &str = "
    update conversations
    set report = report - array['transcript', 'transcript_summary', 'analysis', 'machine_detection']
    where report is not null and coalesce(reported_at, started_at) < $1
        and report ?| array['transcript', 'transcript_summary', 'analysis', 'machine_detection']";

const DATABASE_BYTES: &str = "select pg_database_size(current_database())";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    READ_WEBHOOKS,
    STRAY_WEBHOOKS,
    LIVE_BEFORE,
    STRAY_CALL_EVENTS,
    STRAY_VOICE_EVENTS,
    CONVERSATIONS,
    READY,
    FAILED,
    TRANSFERRED,
    CALLS,
    CLONES,
    CACHED,
    EARLY_ENDS,
    UNMATCHED,
    WORDS_OF_CALLS,
    WORDS_OF_EVENTS,
    WORDS_OF_REPORTS,
    DATABASE_BYTES,
];

/// Drops daily partitions of webhooks older than `read`. A day with quarantined webhooks loses its other rows, and is
/// dropped when it is older than `all`. Returns the dropped partitions.
///
/// # Errors
/// When a partition could not be dropped now.
pub async fn drop_webhooks(pool: &Pool, read: At, all: At) -> Result<Vec<String>, StoreError> {
    let mut client = pool.get().await?;
    let (mut gone, mut has_quarantined) = (Vec::new(), false);
    for piece in old(pieces(&client).await?, Table::Webhooks, read) {
        if piece.until.is_some_and(|until| until > all) && is_quarantine(&client, &piece).await? {
            has_quarantined = true;
        } else {
            let transaction = client.transaction().await?;
            drop_piece(&transaction, &piece).await?;
            transaction.commit().await?;
            gone.push(piece.name);
        }
    }
    if has_quarantined {
        client.execute(READ_WEBHOOKS, &[&timestamp(read)]).await?;
    }
    client.execute(STRAY_WEBHOOKS, &[&timestamp(read), &timestamp(all)]).await?;
    Ok(gone)
}

async fn is_quarantine(client: &Object, piece: &Piece) -> Result<bool, StoreError> {
    let name = piece.name.replace('"', "");
    let asked = format!("select exists (select from \"{name}\" where state = 'quarantined')");
    Ok(client.query_one(&asked, &[]).await?.try_get(0)?)
}

/// Drops weekly partitions of events older than `before`, with all rows that derive from them. Returns the dropped
/// partitions.
///
/// # Errors
/// When a partition could not be dropped now. A partition and its derived rows go in one transaction.
pub async fn drop_events(pool: &Pool, before: At) -> Result<Vec<String>, StoreError> {
    let mut client = pool.get().await?;
    let mut gone = Vec::new();
    for piece in old(pieces(&client).await?, Table::CallEvents, before) {
        let Some(until) = piece.until else { continue };
        // A live call is never old, however long it lasts.
        let live: bool = client.query_one(LIVE_BEFORE, &[&first_id(until)]).await?.try_get(0)?;
        if live {
            return Ok(gone);
        }
        let transaction = client.transaction().await?;
        forget_calls(&transaction, until).await?;
        drop_piece(&transaction, &piece).await?;
        transaction.commit().await?;
        gone.push(piece.name);
    }
    for piece in old(pieces(&client).await?, Table::VoiceEvents, before) {
        let Some(until) = piece.until else { continue };
        let transaction = client.transaction().await?;
        by_id(&transaction, &[CLONES, CACHED, STRAY_VOICE_EVENTS], first_id(until)).await?;
        drop_piece(&transaction, &piece).await?;
        transaction.commit().await?;
        gone.push(piece.name);
    }
    Ok(gone)
}

/// Deletes the words of calls older than `before`, and keeps the calls. Returns the number of rows.
///
/// # Errors
/// When the query fails.
pub async fn drop_words(pool: &Pool, before: At) -> Result<u64, StoreError> {
    let client = pool.get().await?;
    let mut rows = 0_u64;
    for statement in [WORDS_OF_CALLS, WORDS_OF_EVENTS, WORDS_OF_REPORTS] {
        rows = rows.saturating_add(client.execute(statement, &[&timestamp(before)]).await?);
    }
    Ok(rows)
}

async fn forget_calls(transaction: &Transaction<'_>, until: At) -> Result<(), StoreError> {
    by_id(
        transaction,
        &[CONVERSATIONS, READY, FAILED, TRANSFERRED, CALLS, STRAY_CALL_EVENTS],
        first_id(until),
    )
    .await?;
    for statement in [EARLY_ENDS, UNMATCHED] {
        transaction.execute(statement, &[&timestamp(until)]).await?;
    }
    Ok(())
}

async fn by_id(transaction: &Transaction<'_>, statements: &[&str], first: Uuid) -> Result<(), StoreError> {
    for statement in statements {
        transaction.execute(*statement, &[&first]).await?;
    }
    Ok(())
}

/// Size of the database on disk, in bytes.
///
/// # Errors
/// When the query fails.
pub async fn database_bytes(pool: &Pool) -> Result<i64, StoreError> {
    Ok(pool.get().await?.query_one(DATABASE_BYTES, &[]).await?.try_get(0)?)
}

fn old(pieces: Vec<Piece>, table: Table, before: At) -> impl Iterator<Item = Piece> {
    pieces
        .into_iter()
        .filter(move |piece| piece.table == table && piece.until.is_some_and(|until| until <= before))
}
