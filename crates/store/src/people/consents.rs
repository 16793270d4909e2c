//! On whose word a voice is cloned: the log of consents, each row vouched for by the one after it, and the table of those that count.
//!
//! The log is the evidence. What is personal stands beside each record and is vouched for by its hash, salted, so that it can be erased
//! without breaking the chain and cannot be guessed afterwards.

use precall_call::At;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_postgres::{GenericClient, Transaction};
use uuid::Uuid;

use crate::error::StoreError;
use crate::events::event_log::timestamp;

/// What the first record is hashed with.
pub const BEFORE_THE_FIRST: [u8; 32] = [0; 32];

// One at a time: each record needs the hash of the one before.
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

/// The statements of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[LOCK, LAST, APPEND, GIVEN, ENDED, HAS_VALID, OF_SPEAKER, ERASE_PII];

/// What kind of proof there is of a consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The speaker says so in the sample itself.
    Recorded,
    /// A document that the speaker signed.
    Signed,
    /// A record of another system.
    Imported,
}

impl Evidence {
    /// As it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Signed => "signed",
            Self::Imported => "imported",
        }
    }

    /// Whether it needs a document beside the sample.
    #[must_use]
    pub fn needs_document(self) -> bool {
        match self {
            Self::Recorded => false,
            Self::Signed | Self::Imported => true,
        }
    }
}

/// A consent as it is given.
#[derive(Clone, Debug)]
pub struct NewConsent {
    /// Whose speaker.
    pub account: String,
    /// Who agrees.
    pub speaker: Uuid,
    /// What proves it.
    pub evidence: Evidence,
    /// SHA-256 of the sample that it covers, lower-case hex.
    pub sample_sha256: String,
    /// SHA-256 of the document that proves it, lower-case hex.
    pub document_sha256: Option<String>,
    /// Version of the words that were agreed to.
    pub text_version: String,
    /// When it was given.
    pub given_at: At,
    /// When it stops counting.
    pub expires_at: Option<At>,
    /// Who wrote it down: the name of a key.
    pub by: String,
    /// What is personal about it.
    pub personal: Personal,
}

/// What erasure takes away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personal {
    /// The speaker's name.
    pub name: String,
    /// Where the document is.
    pub reference: Option<String>,
    /// The words that were agreed to.
    pub text: String,
}

/// A record of the log, as it is hashed: what happened, without personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// A consent was given.
    Given {
        /// The version of this form.
        v: u8,
        /// The consent.
        consent: Uuid,
        /// Whose speaker.
        account_id: String,
        /// Who agrees.
        speaker: Uuid,
        /// What proves it.
        evidence: Evidence,
        /// Of the sample, lower-case hex.
        sample_sha256: String,
        /// Of the document, lower-case hex.
        document_sha256: Option<String>,
        /// Of the words that were agreed to.
        text_version: String,
        /// Microseconds since 1970.
        given_at: i64,
        /// Microseconds since 1970.
        expires_at: Option<i64>,
        /// When it was written down, in microseconds since 1970.
        recorded_at: i64,
        /// The name of a key.
        by: String,
        /// Of what stands in `pii`, lower-case hex.
        pii_sha256: String,
    },
    /// All consents of a speaker ended.
    Ended {
        /// The version of this form.
        v: u8,
        /// Whose speaker.
        account_id: String,
        /// Whose consents.
        speaker: Uuid,
        /// Why.
        why: EndedWhy,
        /// Microseconds since 1970.
        at: i64,
        /// The name of a key.
        by: String,
    },
}

/// Why consents ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedWhy {
    /// The speaker takes it back.
    Withdrawn,
    /// The speaker's data were erased.
    Erased,
}

/// The hash of a record that follows this one.
#[must_use]
pub fn chained(before: &[u8], record: &str) -> [u8; 32] {
    Sha256::new().chain_update(before).chain_update(record.as_bytes()).finalize().into()
}

/// Waits until nobody else writes the log; held until the transaction ends. For whoever locks other rows as well: the log comes first, so
/// that nobody waits for each other.
///
/// # Errors
/// When the database cannot be asked.
pub async fn take_turn(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    transaction.execute(LOCK, &[]).await?;
    Ok(())
}

/// Writes a consent down: its id.
///
/// # Errors
/// When the database refuses it, or cannot be asked.
pub async fn give(transaction: &Transaction<'_>, consent: &NewConsent, now: At) -> Result<Uuid, StoreError> {
    let id = Uuid::now_v7();
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
    let number = append(transaction, &record, Some(&pii)).await?;
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
    Ok(id)
}

/// Ends all consents of a speaker: how many. Where none counts, nothing is written.
///
/// # Errors
/// When the database cannot be asked.
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

/// Takes the personal data of a speaker's consents out of the log, which still holds.
///
/// # Errors
/// When the database cannot be asked.
pub async fn erase_personal(
    transaction: &Transaction<'_>,
    account: &str,
    speaker: Uuid,
) -> Result<u64, StoreError> {
    Ok(transaction.execute(ERASE_PII, &[&account, &speaker]).await?)
}

/// A consent, as it stands.
#[derive(Clone, Debug)]
pub struct Consent {
    /// Its id.
    pub id: Uuid,
    /// `recorded`, `signed` or `imported`.
    pub evidence: String,
    /// Of the sample that it covers.
    pub sample_sha256: String,
    /// When it was given.
    pub given_at: At,
    /// When it stops counting.
    pub expires_at: Option<At>,
    /// When it was ended.
    pub ended_at: Option<At>,
    /// Its place in the log.
    pub given: i64,
    /// Where the log says that it ended.
    pub ended: Option<i64>,
    /// What is personal; none once erased.
    pub personal: Option<Personal>,
}

/// The consents of a speaker, the newest `limit`.
///
/// # Errors
/// When the database cannot be asked, or holds something else.
pub async fn of_speaker(
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
                personal: personal.map_err(|error| StoreError::Unreadable(error.to_string()))?,
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
    let last = transaction.query_opt(LAST, &[]).await?;
    let (number, before) = match last {
        Some(row) => (row.try_get::<_, i64>(0)?, row.try_get::<_, Vec<u8>>(1)?),
        None => (0, BEFORE_THE_FIRST.to_vec()),
    };
    let text = serde_json::to_string(record).map_err(|error| StoreError::Refused(error.to_string()))?;
    let (number, hash) = (number.saturating_add(1), chained(&before, &text));
    transaction.execute(APPEND, &[&number, &text, &hash.as_slice(), &pii]).await?;
    Ok(number)
}

/// With a salt: names are few enough to be tried out.
fn salted(personal: &Personal) -> Result<String, StoreError> {
    #[derive(Serialize)]
    struct Salted<'a> {
        salt: Uuid,
        #[serde(flatten)]
        personal: &'a Personal,
    }
    serde_json::to_string(&Salted { salt: Uuid::new_v4(), personal })
        .map_err(|error| StoreError::Refused(error.to_string()))
}
