//! A batch whose events and rows are the JSON text that PostgreSQL gets: nothing in between is decoded or built anew.

use std::borrow::Cow;
use std::error::Error;

use bytes::BytesMut;
use precall_call::At;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio_postgres::types::{IsNull, ToSql, Type, accepts, to_sql_checked};
use uuid::Uuid;

use super::rows::{Batch, Entry, RowWrite, Stream, microseconds};
use super::storable::storable;
use crate::error::StoreError;

/// An event with its derived rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RawEntry {
    pub(crate) stream: Stream,
    pub(crate) owner: Uuid,
    pub(crate) seq: i64,
    #[serde(with = "microseconds")]
    pub(crate) at: At,
    pub(crate) event: Box<RawValue>,
    pub(crate) pii: Option<Box<RawValue>>,
    pub(crate) derived: Vec<RawRow>,
}

/// What precall writes in one transaction.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawBatch {
    pub(crate) entries: Vec<RawEntry>,
    pub(crate) rows: Vec<RawRow>,
}

/// A row to write. Its JSON is that of the variant of [`RowWrite`].
#[derive(Clone, Debug)]
pub(crate) struct RawRow {
    pub(crate) kind: RowKind,
    pub(crate) json: Box<RawValue>,
}

/// The variants of [`RowWrite`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RowKind {
    CallLog,
    Conversation,
    CloneReady,
    CloneFailed,
    CloneTransfer,
    CloneLog,
    CacheFilled,
    CacheUsed,
    CacheDropped,
    ConversationNamed,
    EarlyEndAbsorbed,
    ReportMatched,
    TranscriptOfLines,
    EarlyEndKept,
    ReportKept,
    WebhookKept,
}

impl RawBatch {
    /// Number of entries and rows.
    pub(crate) fn len(&self) -> usize {
        self.entries.len().saturating_add(self.rows.len())
    }

    /// The same batch as text.
    ///
    /// # Errors
    /// When a value has no JSON form.
    pub(crate) fn of(batch: &Batch) -> Result<Self, StoreError> {
        Ok(Self {
            entries: batch.entries.iter().map(RawEntry::of).collect::<Result<_, _>>()?,
            rows: batch.rows.iter().map(RawRow::of).collect::<Result<_, _>>()?,
        })
    }
}

impl RawEntry {
    pub(crate) fn of(entry: &Entry) -> Result<Self, StoreError> {
        Ok(Self {
            stream: entry.stream,
            owner: entry.owner,
            seq: entry.seq,
            at: entry.at,
            event: raw(&entry.event)?,
            pii: entry.pii.as_ref().map(raw).transpose()?,
            derived: entry.derived.iter().map(RawRow::of).collect::<Result<_, _>>()?,
        })
    }
}

impl RawRow {
    pub(crate) fn of(row: &RowWrite) -> Result<Self, StoreError> {
        let (kind, json) = match row {
            RowWrite::CallLog(row) => (RowKind::CallLog, raw(row)),
            RowWrite::Conversation(row) => (RowKind::Conversation, raw(row)),
            RowWrite::CloneReady(row) => (RowKind::CloneReady, raw(row)),
            RowWrite::CloneFailed(row) => (RowKind::CloneFailed, raw(row)),
            RowWrite::CloneTransfer(row) => (RowKind::CloneTransfer, raw(row)),
            RowWrite::CloneLog(row) => (RowKind::CloneLog, raw(row)),
            RowWrite::CacheFilled(row) => (RowKind::CacheFilled, raw(row)),
            RowWrite::CacheUsed(row) => (RowKind::CacheUsed, raw(row)),
            RowWrite::CacheDropped(row) => (RowKind::CacheDropped, raw(row)),
            RowWrite::ConversationNamed(row) => (RowKind::ConversationNamed, raw(row)),
            RowWrite::EarlyEndAbsorbed(row) => (RowKind::EarlyEndAbsorbed, raw(row)),
            RowWrite::ReportMatched(row) => (RowKind::ReportMatched, raw(row)),
            RowWrite::TranscriptOfLines(row) => (RowKind::TranscriptOfLines, raw(row)),
            RowWrite::EarlyEndKept(row) => (RowKind::EarlyEndKept, raw(row)),
            RowWrite::ReportKept(row) => (RowKind::ReportKept, raw(row)),
            RowWrite::WebhookKept(row) => (RowKind::WebhookKept, raw(row)),
        };
        Ok(Self { kind, json: json? })
    }

    /// The row with its fields.
    ///
    /// # Errors
    /// When they are not those of its kind.
    pub(crate) fn typed(&self) -> Result<RowWrite, StoreError> {
        serde_json::to_string(self)
            .and_then(|text| serde_json::from_str(&text))
            .map_err(|error| StoreError::refused(&error))
    }
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>, StoreError> {
    serde_json::value::to_raw_value(value).map_err(|error| StoreError::refused(&error))
}

impl Serialize for RawRow {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.kind, &self.json)])
    }
}

impl<'de> Deserialize<'de> for RawRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = RawRow;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a row under the name of its kind")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawRow, A::Error> {
                let found = map.next_entry()?;
                let (kind, json) = found.ok_or_else(|| serde::de::Error::custom("a row without a kind"))?;
                Ok(RawRow { kind, json })
            }
        }
        deserializer.deserialize_map(One)
    }
}

/// The text of a JSON value as PostgreSQL stores it: with the replacement character for each NUL.
///
/// # Errors
/// When it is no JSON.
pub(crate) fn storable_text(json: &RawValue) -> Result<Cow<'_, str>, StoreError> {
    // It may also be a backslash before `u0000`; then nothing is replaced.
    if !json.get().contains("\\u0000") {
        return Ok(Cow::Borrowed(json.get()));
    }
    let value: Value = serde_json::from_str(json.get()).map_err(|error| StoreError::refused(&error))?;
    Ok(Cow::Owned(storable(&value).to_string()))
}

/// JSON text as a parameter.
#[derive(Clone, Debug)]
pub(crate) struct Json<'a>(pub(crate) Cow<'a, str>);

impl ToSql for Json<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        if *ty == Type::JSONB {
            // The version of its binary form.
            out.extend_from_slice(&[1]);
        }
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    accepts!(JSON, JSONB);
    to_sql_checked!();
}

#[cfg(test)]
mod tests;
