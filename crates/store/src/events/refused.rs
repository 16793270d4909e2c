//! Keeps what PostgreSQL refuses for its content: each entry and row on its own, the refused ones in quarantine.
//!
//! A sender was told, or will be told, that precall took it. So it must not be lost, and people must find it.

use std::sync::Arc;

use deadpool_postgres::{Pool, Transaction};
use precall_call::At;
use uuid::Uuid;

use super::event_log;
use super::raw::{RawBatch, RawEntry, RawRow};
use super::rows::{Batch, RawBody, RowWrite, Time, WebhookRow};
use super::write::{LATE, write_in};
use crate::error::StoreError;
use crate::leader::engine_lock;

/// Longest id of a refused webhook, in bytes. An index takes some thousands.
const ID_MAX: usize = 200;

const NOW: &str = "select (extract(epoch from now()) * 1000000)::int8";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[NOW];

/// Writes a refused batch entry by entry, and quarantines the refused entries.
///
/// # Errors
/// As [`write`](super::write::write).
pub async fn write_apart(
    pool: &Pool,
    batch: &Batch,
    generation: u64,
) -> Result<(Option<i64>, usize), StoreError> {
    let RawBatch { entries, rows } = RawBatch::of(batch)?;
    let (mut highest, mut refused) = (None, 0_usize);
    for entry in entries {
        let mut client = pool.get().await?;
        let transaction = client.transaction().await?;
        engine_lock::still_acts(&transaction, generation).await?;
        let alone = RawBatch { entries: vec![entry], rows: Vec::new() };
        let written = match write_in(&transaction, &alone).await {
            Ok(position) => transaction.commit().await.map(|()| position).map_err(StoreError::from),
            Err(error) => {
                transaction.rollback().await?;
                Err(error)
            }
        };
        match written {
            Ok(position) => highest = highest.max(position),
            Err(StoreError::Refused(reason)) => {
                event_log::quarantine_all(&**client, &alone.entries.iter().collect::<Vec<_>>(), &reason)
                    .await?;
                refused = refused.saturating_add(1);
            }
            Err(error) => return Err(error),
        }
    }
    Ok((highest, refused.saturating_add(write_rows_apart(pool, &rows, generation).await?)))
}

/// Writes rows that belong to no event, each on its own. Returns how many were refused.
///
/// # Errors
/// As [`write`](super::write::write).
pub(crate) async fn write_rows_apart(
    pool: &Pool,
    rows: &[RawRow],
    generation: u64,
) -> Result<usize, StoreError> {
    let mut refused = 0_usize;
    for row in rows {
        let mut client = pool.get().await?;
        let mut transaction = client.transaction().await?;
        engine_lock::still_acts(&transaction, generation).await?;
        if !keep_row(&mut transaction, row).await? {
            refused = refused.saturating_add(1);
        }
        transaction.commit().await?;
    }
    Ok(refused)
}

/// Writes a row that belongs to no event. If it is refused, it is kept in quarantine: its sender is told that it was
/// taken. Returns whether it was written as it is.
async fn keep_row(transaction: &mut Transaction<'_>, row: &RawRow) -> Result<bool, StoreError> {
    let reason = match try_row(transaction, row).await {
        Ok(()) => return Ok(true),
        Err(StoreError::Refused(reason)) => reason,
        Err(error) => return Err(error),
    };
    let now = At(transaction.query_one(NOW, &[]).await?.try_get(0)?);
    if let Some(webhook) = refused_webhook(&row.typed()?, &reason, Time(now)) {
        let webhook = RawRow::of(&RowWrite::WebhookKept(Arc::new(webhook)))?;
        match try_row(transaction, &webhook).await {
            Err(StoreError::Refused(_)) => {}
            outcome => return outcome.map(|()| false),
        }
    }
    event_log::quarantine_row(&**transaction, row, &reason).await?;
    Ok(false)
}

/// Writes one row. After a refusal the transaction is as before.
pub(crate) async fn try_row(transaction: &mut Transaction<'_>, row: &RawRow) -> Result<(), StoreError> {
    let savepoint = transaction.transaction().await?;
    write_in(&savepoint, &RawBatch { entries: Vec::new(), rows: vec![row.clone()] }).await?;
    Ok(savepoint.commit().await?)
}

/// A webhook or report as a quarantined webhook that every database can store: ASCII, a short id, the body in hex. The
/// API lists it and can replay it; erasure and retention find it.
fn refused_webhook(row: &RowWrite, reason: &str, now: Time) -> Option<WebhookRow> {
    let id_of = |id: &str| -> String { id.chars().filter(char::is_ascii_graphic).take(ID_MAX).collect() };
    let refused = |id: &str| (id_of(id), Some(format!("PostgreSQL refused it: {reason}")));
    match row {
        RowWrite::WebhookKept(row) => {
            let (provider_id, reason) = refused(&row.provider_id);
            let body = row.body.clone().map(RawBody::into_hex);
            Some(WebhookRow { provider_id, reason, body, state: "quarantined".into(), ..(**row).clone() })
        }
        RowWrite::ReportKept(report) => {
            let (provider_id, reason) = refused(&report.conversation_id);
            let body = report.body.to_string().into_bytes();
            Some(WebhookRow {
                id: Uuid::now_v7(),
                kind: report.kind.clone(),
                provider_id,
                event_timestamp: now,
                body_sha256: String::new(),
                received_at: now,
                state: "quarantined".into(),
                outcome: "kept".into(),
                reason,
                body: Some(RawBody::of(body).into_hex()),
            })
        }
        _ => None,
    }
}

/// Keeps a batch of a start that is no longer active, and that the database refuses: quarantines every entry, and
/// writes every row.
///
/// # Errors
/// When the query fails. Roll the transaction back.
pub(crate) async fn set_apart(
    transaction: &mut Transaction<'_>,
    batch: &RawBatch,
) -> Result<usize, StoreError> {
    let reason = format!("{LATE}, and could not be written");
    let entries: Vec<&RawEntry> = batch.entries.iter().collect();
    event_log::quarantine_all(&**transaction, &entries, &reason).await?;
    for row in &batch.rows {
        keep_row(transaction, row).await?;
    }
    Ok(batch.entries.len())
}
