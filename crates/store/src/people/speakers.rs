//! Speakers: the people whose voices precall clones.

use deadpool_postgres::Pool;
use precall_call::At;
use serde_json::json;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::consents::{self, Consent, EndedWhy, Evidence, NewConsent, Personal};
use super::{audit, deletions};
use crate::error::StoreError;
use crate::events::event_log::timestamp;
use crate::reads::read_only;
use crate::reads::read_only::{LONGEST, in_time};

const ADD: &str = "insert into speakers (id, account_id, name, created_at) values ($1, $2, $3, $4)";
const FIND: &str = "select id, name, created_at, erased_at from speakers where account_id = $1 and id = $2";
const LIST: &str = "
    select id, name, created_at, erased_at from speakers where account_id = $1 and id > $2 order by id limit $3";

// The lock holds until the transaction ends. An erasure waits for it.
const STANDING: &str = "
    select name from speakers where account_id = $1 and id = $2 and erased_at is null for share";

const CALLERS: &str = "
    select caller_id from caller_voice_mapping where account_id = $1 and speaker = $2 and deleted_at is null";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[ADD, FIND, LIST, STANDING, CALLERS];

/// A speaker.
#[derive(Clone, Debug)]
pub struct Speaker {
    /// The id, a time-ordered UUID.
    pub id: Uuid,
    /// The name; none after an erasure.
    pub name: Option<String>,
    /// When the speaker was created.
    pub created_at: At,
    /// When the personal data were erased.
    pub erased_at: Option<At>,
}

/// Creates a speaker. Returns the id.
///
/// # Errors
/// When the query fails or the database refuses the data.
pub async fn add(
    client: &impl GenericClient,
    account: &str,
    name: &str,
    now: At,
) -> Result<Uuid, StoreError> {
    let id = Uuid::now_v7();
    client.execute(ADD, &[&id, &account, &name, &timestamp(now)]).await?;
    Ok(id)
}

/// The speaker with that id; `None` if there is none.
///
/// # Errors
/// When the query fails.
async fn find(client: &impl GenericClient, account: &str, id: Uuid) -> Result<Option<Speaker>, StoreError> {
    let row = client.query_opt(FIND, &[&account, &id]).await?;
    row.map(|row| read(&row)).transpose()
}

/// At most `limit` speakers after `behind`, the oldest first.
///
/// # Errors
/// When the query fails.
pub async fn list(
    client: &impl GenericClient,
    account: &str,
    behind: Uuid,
    limit: i64,
) -> Result<Vec<Speaker>, StoreError> {
    client.query(LIST, &[&account, &behind, &limit]).await?.iter().map(read).collect()
}

/// [`list`] for an API client, with a time limit.
///
/// # Errors
/// When the query fails.
pub async fn page(pool: &Pool, account: &str, behind: Uuid, limit: i64) -> Result<Vec<Speaker>, StoreError> {
    read_only::read(pool, LIST, &[&account, &behind, &limit]).await?.iter().map(read).collect()
}

/// A speaker with the newest `limit` consents.
///
/// # Errors
/// When the query fails.
pub async fn with_consents(
    pool: &Pool,
    account: &str,
    id: Uuid,
    limit: i64,
) -> Result<Option<(Speaker, Vec<Consent>)>, StoreError> {
    in_time(async {
        let mut client = pool.get().await?;
        let transaction = client.build_transaction().read_only(true).start().await?;
        transaction.batch_execute(LONGEST).await?;
        let Some(speaker) = find(&*transaction, account, id).await? else { return Ok(None) };
        Ok(Some((speaker, consents::of_speaker(&*transaction, account, id, limit).await?)))
    })
    .await
}

/// [`add`] for an administrator, with an audit row.
///
/// # Errors
/// When the query fails.
pub async fn create(pool: &Pool, account: &str, name: &str, by: &str, now: At) -> Result<Uuid, StoreError> {
    in_time(async {
        let mut client = pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(LONGEST).await?;
        let id = add(&*transaction, account, name, now).await?;
        audit::record(&*transaction, by, "speaker_created", Some(id), None, now).await?;
        transaction.commit().await?;
        Ok(id)
    })
    .await
}

/// A consent that an administrator records. The speaker's data come from the table.
#[derive(Clone)]
pub struct Given {
    /// The kind of proof.
    pub evidence: Evidence,
    /// SHA-256 of the sample that it covers, lower-case hex.
    pub sample_sha256: String,
    /// SHA-256 of the document that proves it, lower-case hex.
    pub document_sha256: Option<String>,
    /// The location of the document.
    pub reference: Option<String>,
    /// The text that the speaker agreed to.
    pub text: String,
    /// Version of that text.
    pub text_version: String,
    /// When it was given.
    pub given_at: At,
    /// When it expires.
    pub expires_at: Option<At>,
}

/// Records a consent. Returns its id; `None` if there is no such speaker.
///
/// # Errors
/// When the query fails.
pub async fn agree(
    pool: &Pool,
    account: &str,
    speaker: Uuid,
    given: Given,
    by: &str,
    now: At,
) -> Result<Option<Uuid>, StoreError> {
    in_time(async {
        let mut client = pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(LONGEST).await?;
        consents::take_turn(&transaction).await?;
        let Some(standing) = transaction.query_opt(STANDING, &[&account, &speaker]).await? else {
            return Ok(None);
        };
        let name: Option<String> = standing.try_get(0)?;
        let consent = NewConsent {
            account: account.to_owned(),
            speaker,
            evidence: given.evidence,
            sample_sha256: given.sample_sha256,
            document_sha256: given.document_sha256,
            text_version: given.text_version,
            given_at: given.given_at,
            expires_at: given.expires_at,
            by: by.to_owned(),
            personal: Personal {
                name: name.unwrap_or_default(),
                reference: given.reference,
                text: given.text,
            },
        };
        let id = consents::give(&transaction, &consent, now).await?;
        let detail = json!({ "consent": id, "evidence": given.evidence.name() });
        audit::record(&*transaction, by, "consent_given", Some(speaker), Some(detail), now).await?;
        transaction.commit().await?;
        Ok(Some(id))
    })
    .await
}

/// The effects of a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// Consents that were valid until now.
    pub consents_ended: u64,
    /// Callers who are mapped to the speaker's voice.
    pub callers: Vec<String>,
    /// Samples whose deletion is scheduled.
    pub samples: u64,
}

/// Withdraws all consents of a speaker. `None` if there is no such speaker.
///
/// # Errors
/// When the query fails.
pub async fn withdraw(
    pool: &Pool,
    account: &str,
    speaker: Uuid,
    by: &str,
    now: At,
) -> Result<Option<Withdrawn>, StoreError> {
    in_time(async {
        let mut client = pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(LONGEST).await?;
        consents::take_turn(&transaction).await?;
        if transaction.query_opt(STANDING, &[&account, &speaker]).await?.is_none() {
            return Ok(None);
        }
        let why = EndedWhy::Withdrawn;
        let consents_ended = consents::end(&transaction, account, speaker, why, by, now).await?;
        let samples = deletions::samples_of_speaker(&*transaction, account, speaker).await?;
        let rows = transaction.query(CALLERS, &[&account, &speaker]).await?;
        let callers = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
        let detail = json!({ "consents": consents_ended, "callers": callers.len(), "samples": samples });
        audit::record(&*transaction, by, "consent_withdrawn", Some(speaker), Some(detail), now).await?;
        transaction.commit().await?;
        Ok(Some(Withdrawn { consents_ended, callers, samples }))
    })
    .await
}

fn read(row: &tokio_postgres::Row) -> Result<Speaker, StoreError> {
    let at = |time: jiff::Timestamp| At(time.as_microsecond());
    Ok(Speaker {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        created_at: at(row.try_get(2)?),
        erased_at: row.try_get::<_, Option<jiff::Timestamp>>(3)?.map(at),
    })
}
