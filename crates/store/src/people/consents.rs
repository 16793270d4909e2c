//! Consents to clone a voice: the log of consents, a hash chain, and the table of the valid ones.
//!
//! The log is the evidence. Personal data stand beside each record; the record holds their salted hash. So precall can
//! erase them without breaking the chain, and nobody can guess them from the hash.

use precall_call::At;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_postgres::{GenericClient, Transaction};
use uuid::Uuid;

use crate::error::StoreError;
use crate::events::event_log::timestamp;

/// The "hash before" of the first record.
pub(crate) const BEFORE_THE_FIRST: [u8; 32] = [0; 32];

// One writer at a time: each record needs the hash of the record before.
const LOCK: &str = "select pg_advisory_xact_lock(hashtext('consent_log'))";
const LAST: &str = "select number, hash from consent_log order by number desc limit 1";
const APPEND: &str = "insert into consent_log (number, record, hash, pii) values ($1, $2, $3, $4)";

const GIVEN: &str = "
    insert into consents (id, account_id, speaker, evidence, sample_sha256, given_at, expires_at, given)
    values ($1, $2, $3, $4, $5, $6, $7, $8)";

const ENDED: &str = "
    update consents set ended_at = $3, ended = $4 where account_id = $1 and speaker = $2 and ended_at is null";

const HAS_VALID: &str = "
    select exists (select from consents where account_id = $1 and speaker = $2 and ended_at is null)";

const OF_SPEAKER: &str = "
    select c.id, c.evidence, c.sample_sha256, c.given_at, c.expires_at, c.ended_at, c.given, c.ended, l.pii
    from consents c join consent_log l on l.number = c.given
    where c.account_id = $1 and c.speaker = $2 order by c.given desc limit $3";

const ERASE_PII: &str = "
    update consent_log set pii = null where pii is not null and number in (
        select given from consents where account_id = $1 and speaker = $2
        union select ended from consents where account_id = $1 and speaker = $2)";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[LOCK, LAST, APPEND, GIVEN, ENDED, HAS_VALID, OF_SPEAKER, ERASE_PII];

/// The kind of proof of a consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The speaker gives the consent in the sample itself.
    Recorded,
    /// A document that the speaker signed.
    Signed,
    /// A record of another system.
    Imported,
}

impl Evidence {
    /// The name that is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Signed => "signed",
            Self::Imported => "imported",
        }
    }

    /// Whether a document must come with the sample.
    #[must_use]
    pub fn needs_document(self) -> bool {
        match self {
            Self::Recorded => false,
            Self::Signed | Self::Imported => true,
        }
    }
}

/// A new consent.
#[derive(Clone, Debug)]
pub struct NewConsent {
    /// The account of the speaker.
    pub account: String,
    /// The speaker who agrees.
    pub speaker: Uuid,
    /// The kind of proof.
    pub evidence: Evidence,
    /// SHA-256 of the sample that it covers, lower-case hex.
    pub sample_sha256: String,
    /// SHA-256 of the document that proves it, lower-case hex.
    pub document_sha256: Option<String>,
    /// Version of the text that the speaker agreed to.
    pub text_version: String,
    /// When it was given.
    pub given_at: At,
    /// When it expires.
    pub expires_at: Option<At>,
    /// Who recorded it: the name of an API key.
    pub by: String,
    /// Its personal data.
    pub personal: Personal,
}

/// The personal data of a consent, which an erasure removes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personal {
    /// The speaker's name.
    pub name: String,
    /// The location of the document.
    pub reference: Option<String>,
    /// The text that the speaker agreed to.
    pub text: String,
}

/// A record of the log, as it is hashed. It holds no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Record {
    /// A consent was given.
    Given {
        /// Version of this record format.
        v: u8,
        /// Id of the consent.
        consent: Uuid,
        /// The account of the speaker.
        account_id: String,
        /// The speaker who agrees.
        speaker: Uuid,
        /// The kind of proof.
        evidence: Evidence,
        /// SHA-256 of the sample, lower-case hex.
        sample_sha256: String,
        /// SHA-256 of the document, lower-case hex.
        document_sha256: Option<String>,
        /// Version of the text that the speaker agreed to.
        text_version: String,
        /// Microseconds since 1970.
        given_at: i64,
        /// Microseconds since 1970.
        expires_at: Option<i64>,
        /// When it was recorded, in microseconds since 1970.
        recorded_at: i64,
        /// The name of an API key.
        by: String,
        /// SHA-256 of the column `pii`, lower-case hex.
        pii_sha256: String,
    },
    /// All consents of a speaker ended.
    Ended {
        /// Version of this record format.
        v: u8,
        /// The account of the speaker.
        account_id: String,
        /// The speaker.
        speaker: Uuid,
        /// The reason.
        why: EndedWhy,
        /// Microseconds since 1970.
        at: i64,
        /// The name of an API key.
        by: String,
    },
}

/// Why consents ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedWhy {
    /// The speaker withdrew the consent.
    Withdrawn,
    /// An erasure removed the speaker's data.
    Erased,
}

/// The hash of a record that follows the hash `before`.
#[must_use]
pub(crate) fn chained(before: &[u8], record: &str) -> [u8; 32] {
    Sha256::new().chain_update(before).chain_update(record.as_bytes()).finalize().into()
}

/// Locks the log against other writers until the transaction ends. A transaction that also locks other rows must call
/// this first, so that no two transactions wait for each other.
///
/// # Errors
/// When the query fails.
pub(crate) async fn take_turn(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    transaction.execute(LOCK, &[]).await?;
    Ok(())
}

/// Records a consent. Returns its id.
///
/// # Errors
/// When the query fails or the database refuses the data.
pub async fn give(transaction: &Transaction<'_>, consent: &NewConsent, now: At) -> Result<Uuid, StoreError> {
    let id = Uuid::now_v7();
    let (record, pii) = given(id, consent, now)?;
    let number = append(transaction, &record, Some(&pii)).await?;
    insert(transaction, id, consent, number).await?;
    Ok(id)
}

/// Records many consents, with one look at the end of the log.
///
/// # Errors
/// When a query fails or the database refuses the data.
pub(crate) async fn give_all(
    transaction: &Transaction<'_>,
    consents: &[NewConsent],
    now: At,
) -> Result<(), StoreError> {
    transaction.execute(LOCK, &[]).await?;
    let mut end = end_of_log(transaction).await?;
    for consent in consents {
        let id = Uuid::now_v7();
        let (record, pii) = given(id, consent, now)?;
        end = append_behind(transaction, &end, &record, Some(&pii)).await?;
        insert(transaction, id, consent, end.0).await?;
    }
    Ok(())
}

/// The record of a consent, and its personal data.
fn given(id: Uuid, consent: &NewConsent, now: At) -> Result<(Record, String), StoreError> {
    let pii = salted(&consent.personal)?;
    let record = Record::Given {
        v: 1,
        consent: id,
        account_id: consent.account.clone(),
        speaker: consent.speaker,
        evidence: consent.evidence,
        sample_sha256: consent.sample_sha256.clone(),
        document_sha256: consent.document_sha256.clone(),
        text_version: consent.text_version.clone(),
        given_at: consent.given_at.0,
        expires_at: consent.expires_at.map(|at| at.0),
        recorded_at: now.0,
        by: consent.by.clone(),
        pii_sha256: hex::encode(Sha256::digest(pii.as_bytes())),
    };
    Ok((record, pii))
}

async fn insert(
    transaction: &Transaction<'_>,
    id: Uuid,
    consent: &NewConsent,
    number: i64,
) -> Result<(), StoreError> {
    let (given_at, expires_at) = (timestamp(consent.given_at), consent.expires_at.map(timestamp));
    transaction
        .execute(
            GIVEN,
            &[
                &id,
                &consent.account,
                &consent.speaker,
                &consent.evidence.name(),
                &consent.sample_sha256,
                &given_at,
                &expires_at,
                &number,
            ],
        )
        .await?;
    Ok(())
}

/// Ends all consents of a speaker. Returns how many. Writes nothing if the speaker has no valid consent.
///
/// # Errors
/// When the query fails.
pub async fn end(
    transaction: &Transaction<'_>,
    account: &str,
    speaker: Uuid,
    why: EndedWhy,
    by: &str,
    now: At,
) -> Result<u64, StoreError> {
    transaction.execute(LOCK, &[]).await?;
    let has_valid: bool = transaction.query_one(HAS_VALID, &[&account, &speaker]).await?.try_get(0)?;
    if !has_valid {
        return Ok(0);
    }
    let record =
        Record::Ended { v: 1, account_id: account.to_owned(), speaker, why, at: now.0, by: by.to_owned() };
    let number = append(transaction, &record, None).await?;
    Ok(transaction.execute(ENDED, &[&account, &speaker, &timestamp(now), &number]).await?)
}

/// Erases the personal data of a speaker's consents. The hash chain stays valid.
///
/// # Errors
/// When the query fails.
pub(crate) async fn erase_personal(
    transaction: &Transaction<'_>,
    account: &str,
    speaker: Uuid,
) -> Result<u64, StoreError> {
    Ok(transaction.execute(ERASE_PII, &[&account, &speaker]).await?)
}

/// A stored consent.
#[derive(Clone, Debug)]
pub struct Consent {
    /// Its id.
    pub id: Uuid,
    /// `recorded`, `signed` or `imported`.
    pub evidence: String,
    /// SHA-256 of the sample that it covers.
    pub sample_sha256: String,
    /// When it was given.
    pub given_at: At,
    /// When it expires.
    pub expires_at: Option<At>,
    /// When it was ended.
    pub ended_at: Option<At>,
    /// Its place in the log.
    pub given: i64,
    /// The record of the log that ended it.
    pub ended: Option<i64>,
    /// Its personal data; none after an erasure.
    pub personal: Option<Personal>,
}

/// The consents of a speaker, the newest `limit`.
///
/// # Errors
/// When the query fails, or the stored data cannot be read.
pub(crate) async fn of_speaker(
    client: &impl GenericClient,
    account: &str,
    speaker: Uuid,
    limit: i64,
) -> Result<Vec<Consent>, StoreError> {
    let at = |time: jiff::Timestamp| At(time.as_microsecond());
    let rows = client.query(OF_SPEAKER, &[&account, &speaker, &limit]).await?;
    rows.iter()
        .map(|row| {
            let pii: Option<String> = row.try_get(8)?;
            let personal = pii.as_deref().map(serde_json::from_str).transpose();
            Ok(Consent {
                id: row.try_get(0)?,
                evidence: row.try_get(1)?,
                sample_sha256: row.try_get(2)?,
                given_at: at(row.try_get(3)?),
                expires_at: row.try_get::<_, Option<jiff::Timestamp>>(4)?.map(at),
                ended_at: row.try_get::<_, Option<jiff::Timestamp>>(5)?.map(at),
                given: row.try_get(6)?,
                ended: row.try_get(7)?,
                personal: personal.map_err(|error| StoreError::unreadable(&error))?,
            })
        })
        .collect()
}

async fn append(
    transaction: &Transaction<'_>,
    record: &Record,
    pii: Option<&str>,
) -> Result<i64, StoreError> {
    transaction.execute(LOCK, &[]).await?;
    let end = end_of_log(transaction).await?;
    Ok(append_behind(transaction, &end, record, pii).await?.0)
}

/// Number and hash of the last record.
async fn end_of_log(transaction: &Transaction<'_>) -> Result<(i64, Vec<u8>), StoreError> {
    let last = transaction.query_opt(LAST, &[]).await?;
    Ok(match last {
        Some(row) => (row.try_get(0)?, row.try_get(1)?),
        None => (0, BEFORE_THE_FIRST.to_vec()),
    })
}

/// Appends behind the record with this number and hash. Returns its own.
async fn append_behind(
    transaction: &Transaction<'_>,
    (number, before): &(i64, Vec<u8>),
    record: &Record,
    pii: Option<&str>,
) -> Result<(i64, Vec<u8>), StoreError> {
    let text = serde_json::to_string(record).map_err(|error| StoreError::refused(&error))?;
    let (number, hash) = (number.saturating_add(1), chained(before, &text));
    transaction.execute(APPEND, &[&number, &text, &hash.as_slice(), &pii]).await?;
    Ok((number, hash.to_vec()))
}

/// Adds a salt: without one, somebody could try out names until the hash fits.
fn salted(personal: &Personal) -> Result<String, StoreError> {
    #[derive(Serialize)]
    struct Salted<'a> {
        salt: Uuid,
        #[serde(flatten)]
        personal: &'a Personal,
    }
    serde_json::to_string(&Salted { salt: Uuid::new_v4(), personal })
        .map_err(|error| StoreError::refused(&error))
}
