//! Checks that the log of consents is complete, and that the table of valid consents matches it.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::{Cursor, StoreError, Verified};
use crate::people::consents::{BEFORE_THE_FIRST, Record, chained};

pub(crate) const LOG: &str = "select number, record, hash, pii from consent_log order by number";

pub(crate) const STANDING: &str = "
    select id, account_id, speaker, evidence, sample_sha256, (extract(epoch from given_at) * 1000000)::bigint,
        (extract(epoch from expires_at) * 1000000)::bigint, (extract(epoch from ended_at) * 1000000)::bigint,
        given, ended
    from consents order by id";

/// A row of `consents`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Standing {
    account: String,
    speaker: Uuid,
    evidence: String,
    sample_sha256: String,
    given_at: i64,
    expires_at: Option<i64>,
    ended_at: Option<i64>,
    given: i64,
    ended: Option<i64>,
}

/// Checks the log first, then the table.
pub(crate) async fn verify_consents(
    transaction: &Transaction<'_>,
    verified: &mut Verified,
) -> Result<(), StoreError> {
    let expected = read_log(transaction, verified).await?;
    let mut rows = Cursor::open(transaction, STANDING).await?;
    let mut seen = 0_usize;
    while let Some(row) = rows.next(transaction).await? {
        let id: Uuid = row.try_get(0)?;
        let stored = Standing {
            account: row.try_get(1)?,
            speaker: row.try_get(2)?,
            evidence: row.try_get(3)?,
            sample_sha256: row.try_get(4)?,
            given_at: row.try_get(5)?,
            expires_at: row.try_get(6)?,
            ended_at: row.try_get(7)?,
            given: row.try_get(8)?,
            ended: row.try_get(9)?,
        };
        seen = seen.saturating_add(1);
        if expected.get(&id) != Some(&stored) {
            let detail = "its row does not match the log of consents".to_owned();
            verified.breach("every consent row matches the log", &id.to_string(), detail);
        }
    }
    if seen < expected.len() {
        let detail = format!("{seen} rows, the log has {}", expected.len());
        verified.breach("every consent row matches the log", "", detail);
    }
    Ok(())
}

/// Follows the chain to its end. Returns the consents that it leads to.
async fn read_log(
    transaction: &Transaction<'_>,
    verified: &mut Verified,
) -> Result<BTreeMap<Uuid, Standing>, StoreError> {
    let mut rows = Cursor::open(transaction, LOG).await?;
    let (mut before, mut expected) = (BEFORE_THE_FIRST.to_vec(), BTreeMap::new());
    let mut last = 0_i64;
    while let Some(row) = rows.next(transaction).await? {
        let (number, record): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        let (hash, pii): (Vec<u8>, Option<String>) = (row.try_get(2)?, row.try_get(3)?);
        let owner = number.to_string();
        if number != last.saturating_add(1) {
            verified.breach(
                "no consent record is missing",
                &owner,
                format!("the record before it is {last}"),
            );
        }
        if chained(&before, &record).as_slice() != hash {
            let detail = "its hash does not match the hash before it and its content".to_owned();
            verified.breach("no consent record was changed", &owner, detail);
        }
        match serde_json::from_str::<Record>(&record) {
            Ok(record) => {
                if !matches_hash(&record, pii.as_deref()) {
                    let detail = "the personal data beside it do not match their hash".to_owned();
                    verified.breach("no consent record was changed", &owner, detail);
                }
                follow(&mut expected, record, number);
            }
            Err(error) => verified.breach("every consent record can be decoded", &owner, error.to_string()),
        }
        (before, last) = (hash, number);
    }
    verified.consents = last;
    verified.consents_head = (last > 0).then(|| hex::encode(&before));
    Ok(expected)
}

/// Whether the personal data match their hash. After an erasure there is nothing to compare.
fn matches_hash(record: &Record, pii: Option<&str>) -> bool {
    match (record, pii) {
        (Record::Given { pii_sha256, .. }, Some(pii)) => {
            *pii_sha256 == hex::encode(Sha256::digest(pii.as_bytes()))
        }
        (Record::Given { .. } | Record::Ended { .. }, None) => true,
        (Record::Ended { .. }, Some(_)) => false,
    }
}

fn follow(expected: &mut BTreeMap<Uuid, Standing>, record: Record, number: i64) {
    match record {
        Record::Given {
            consent, account_id, speaker, evidence, sample_sha256, given_at, expires_at, ..
        } => {
            let standing = Standing {
                account: account_id,
                speaker,
                evidence: evidence.name().to_owned(),
                sample_sha256,
                given_at,
                expires_at,
                ended_at: None,
                given: number,
                ended: None,
            };
            expected.insert(consent, standing);
        }
        Record::Ended { account_id, speaker, at, .. } => {
            let standing = expected
                .values_mut()
                .filter(|s| s.account == account_id && s.speaker == speaker && s.ended.is_none());
            for ended in standing {
                (ended.ended, ended.ended_at) = (Some(number), Some(at));
            }
        }
    }
}
