//! Takes over the database of the service before, in place: its seven tables become those of precall, with their rows.
//!
//! A look counts what would change and changes nothing. The adoption counts the same again, changes it, and makes
//! everything else by the migrations, in one transaction: after an error or a crash the database is as it was. What it
//! changes must be what it counted, or it gives up.

mod rules;
mod shape;

use std::collections::BTreeMap;

use jiff::Timestamp;
use precall_base::phone_number::{CallerNumber, Region};
use precall_call::At;
use serde_json::json;
use tokio_postgres::{Client, Transaction};

use super::migrate::{self, Limits, MigrateError, Runner};
use super::recognise::{Contents, recognise};
use crate::people::audit;
use crate::people::consent_import::{self, ImportedConsents, Told};
use rules::{Phase, TABLES, rules};

pub use shape::STATEMENTS as SHAPE;

/// Missing tables of an older version of the service.
const BEFORE: &str = include_str!("adopt/before.sql");
const PLAN: &str = include_str!("adopt/plan.sql");
const LOOSEN: &str = include_str!("adopt/loosen.sql");
/// In place of the migration that makes the seven tables.
const INHERITED: &str = include_str!("adopt/inherited.sql");
/// The name of that migration.
const REPLACED: &str = "inherited_tables";

/// How callers are written in the tables, and what precall makes of that.
const NUMBERS: &str = "
    create temp table precall_number (written text primary key, number text, is_withheld boolean not null)
    on commit drop";
const WRITTEN: &str = "
    select caller_id::text from caller_voice_mapping union select caller_id from voice_clone_cache
    union select caller_id from call_log union select caller_id from voice_clone_log
    union select caller_id from clone_ready_events union select caller_id from clone_failed_events";
const ADD_NUMBERS: &str =
    "insert into precall_number select * from unnest($1::text[], $2::text[], $3::boolean[])";
/// Numbers in one statement.
const AT_ONCE: usize = 10_000;

const MAPPED: &str = "
    select m.voice_sample_url::text from caller_voice_mapping m join precall_mapping p on p.id = m.id
    where p.fate = 'counts' order by m.updated_at desc, m.id";

// Without the account of monitoring programs there is no telling them from the service.
const OTHERS: &str = "
    select count(*) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'";

const ADOPTED_AT: &str = "select min(at) from audit_log where action = 'database_adopted'";

/// Rows that an adoption changes in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// How many; never 0.
    pub rows: i64,
    /// In which table, and how.
    pub text: String,
}

/// What a database of the service before holds, and what would change in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The schema of its tables.
    pub schema: String,
    /// Its tables, with their rows.
    pub tables: Vec<(&'static str, i64)>,
    /// What changes, apart from the times, which are read as UTC in every row.
    pub changes: Vec<Change>,
    /// `voice_sample_url` of each mapped caller that counts.
    pub samples: Vec<String>,
    /// Texts in the place of a caller's number that are no number, and not withheld either.
    pub unreadable: i64,
    /// Voices in the cache that may be at ElevenLabs.
    pub voices: i64,
    /// Other sessions on this database.
    pub others: i64,
    /// What must be changed by hand first, one sentence each.
    pub obstacles: Vec<String>,
}

/// What there is to adopt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// A database of the service before.
    Before(Box<Survey>),
    /// precall's own.
    Own {
        /// When it was adopted; none if it never was.
        adopted: Option<Timestamp>,
        /// Mapped callers without a speaker: the location of each sample.
        samples: Vec<String>,
        /// Migrations to apply.
        pending: usize,
    },
    /// There are no tables of precall or of the service.
    Empty {
        /// The schema.
        schema: String,
    },
}

/// Hashes of samples by `voice_sample_url`, lower-case hex.
pub type Hashes = BTreeMap<String, String>;

/// The consents that an adoption records.
#[derive(Clone, Copy, Debug)]
pub struct Consents<'a> {
    /// Why the speakers agree, in the words of the administrator.
    pub basis: &'a str,
    /// The samples that were read.
    pub hashes: &'a Hashes,
}

/// Counts what an adoption would change. Changes nothing.
///
/// # Errors
/// See [`MigrateError`].
pub async fn look(
    client: &mut Client,
    runner: &Runner,
    region: Region,
    limits: Limits,
) -> Result<Looked, MigrateError> {
    let transaction = client.transaction().await.map_err(MigrateError::Database)?;
    let looked = tokio::time::timeout(limits.total, async {
        migrate::lock(&transaction, limits).await?;
        let contents = recognise(&transaction, runner.get_migrations()).await;
        match contents.map_err(MigrateError::Database)? {
            Contents::Inherited { schema, .. } => {
                Ok(Looked::Before(Box::new(survey(&transaction, schema, region).await?)))
            }
            Contents::Unusable(text) => Err(MigrateError::Unusable(text)),
            Contents::Usable { applied: None, schema, .. } => Ok(Looked::Empty { schema }),
            Contents::Usable { pending, .. } if !pending.is_empty() => {
                Ok(Looked::Own { adopted: None, samples: Vec::new(), pending: pending.len() })
            }
            Contents::Usable { .. } => {
                let row = transaction.query_one(ADOPTED_AT, &[]).await.map_err(MigrateError::Database)?;
                let adopted = row.try_get(0).map_err(MigrateError::Database)?;
                let samples = consent_import::waiting(&transaction).await?;
                Ok(Looked::Own { adopted, samples, pending: 0 })
            }
        }
    })
    .await
    .map_err(|_late| MigrateError::TimedOut(limits.total))??;
    // Dropped tables and functions of the look were only ever in this transaction.
    transaction.rollback().await.map_err(MigrateError::Database)?;
    Ok(looked)
}

/// Takes the database over. Returns what it changed, and the consents that it recorded.
///
/// Use a dedicated connection and drop it after an error or a timeout: it may still run a statement.
///
/// # Errors
/// See [`MigrateError`]. The database is as it was, except that after a lost connection the commit may have arrived.
pub async fn adopt(
    client: &mut Client,
    runner: &Runner,
    region: Region,
    consents: Option<Consents<'_>>,
    now: At,
    limits: Limits,
) -> Result<(Survey, ImportedConsents), MigrateError> {
    let transaction = client.transaction().await.map_err(MigrateError::Database)?;
    tokio::time::timeout(limits.total, async {
        migrate::lock(&transaction, limits).await?;
        let contents = recognise(&transaction, runner.get_migrations()).await;
        let (schema, pending) = match contents.map_err(MigrateError::Database)? {
            Contents::Inherited { schema, pending, .. } => (schema, pending),
            Contents::Unusable(text) => return Err(MigrateError::Unusable(text)),
            Contents::Usable { .. } => {
                return Err(MigrateError::Unusable(
                    "another process has just adopted this database".to_owned(),
                ));
            }
        };
        shut(&transaction, limits).await?;
        let survey = survey(&transaction, schema, region).await?;
        if !survey.obstacles.is_empty() {
            return Err(MigrateError::Unusable(survey.obstacles.join("\n")));
        }
        let failed = |reason| MigrateError::Failed { migration: "adoption".to_owned(), reason };
        transaction.batch_execute(LOOSEN).await.map_err(failed)?;
        write(&transaction, &survey, Phase::Before).await?;
        migrate::write(&transaction, runner, &pending, Some((REPLACED, INHERITED))).await?;
        write(&transaction, &survey, Phase::After).await?;
        let imported = match consents {
            Some(consents) => consent_import::record(&transaction, &told(consents), now).await?,
            None => ImportedConsents::default(),
        };
        let changes: BTreeMap<&str, i64> =
            survey.changes.iter().map(|change| (change.text.as_str(), change.rows)).collect();
        let rows: BTreeMap<&str, i64> = survey.tables.iter().copied().collect();
        let detail = json!({ "rows": rows, "changes": changes, "consents": imported.consents });
        audit::record(&transaction, consent_import::BY, "database_adopted", None, Some(detail), now).await?;
        transaction.commit().await.map_err(MigrateError::Database)?;
        Ok((survey, imported))
    })
    .await
    .map_err(|_late| MigrateError::TimedOut(limits.total))?
}

/// Records the consents of mapped callers without a speaker, in a database that was adopted before.
///
/// # Errors
/// See [`MigrateError`]. Nothing was recorded.
pub async fn consent(
    client: &mut Client,
    consents: Consents<'_>,
    now: At,
    limits: Limits,
) -> Result<ImportedConsents, MigrateError> {
    let transaction = client.transaction().await.map_err(MigrateError::Database)?;
    tokio::time::timeout(limits.total, async {
        migrate::lock(&transaction, limits).await?;
        let imported = consent_import::record(&transaction, &told(consents), now).await?;
        transaction.commit().await.map_err(MigrateError::Database)?;
        Ok(imported)
    })
    .await
    .map_err(|_late| MigrateError::TimedOut(limits.total))?
}

fn told<'a>(Consents { basis, hashes }: Consents<'a>) -> Told<'a> {
    Told { basis, hashes }
}

/// Keeps every other program out of the tables until the transaction ends.
async fn shut(transaction: &Transaction<'_>, limits: Limits) -> Result<(), MigrateError> {
    transaction.batch_execute(BEFORE).await.map_err(MigrateError::Database)?;
    let tables: Vec<&str> = TABLES.iter().map(|(table, _)| *table).collect();
    let wait = limits.tables.as_millis().clamp(1, 86_400_000);
    let statement = format!(
        "set local lock_timeout = {wait}; lock table {} in access exclusive mode; set local lock_timeout = 0",
        tables.join(", ")
    );
    transaction.batch_execute(&statement).await.map_err(|error| MigrateError::of_lock(error, limits.tables))
}

/// Makes the plan of the adoption in temporary tables, and counts it.
async fn survey(
    transaction: &Transaction<'_>,
    schema: String,
    region: Region,
) -> Result<Survey, MigrateError> {
    let read = async {
        // A time without a zone is UTC, here and wherever it becomes one with a zone.
        transaction.batch_execute("set local time zone 'UTC'").await?;
        transaction.batch_execute(BEFORE).await?;
        let mut survey = Survey { schema, ..Survey::default() };
        survey.obstacles = shape::obstacles(transaction).await?;
        survey.others = transaction.query_one(OTHERS, &[]).await?.try_get(0)?;
        for (table, _) in TABLES {
            let rows =
                transaction.query_one(&format!("select count(*) from {table}"), &[]).await?.try_get(0)?;
            survey.tables.push((table, rows));
        }
        // The rules are about the columns of the service.
        if !survey.obstacles.is_empty() {
            return Ok(survey);
        }
        survey.unreadable = numbers(transaction, region).await?;
        transaction.batch_execute(PLAN).await?;
        for rule in rules() {
            let rows: i64 = transaction.query_one(&rule.count(), &[]).await?.try_get(0)?;
            if rows > 0 {
                survey.changes.push(Change { rows, text: rule.text });
            }
        }
        for row in transaction.query(MAPPED, &[]).await? {
            survey.samples.push(row.try_get(0)?);
        }
        let voices =
            "select count(distinct cloned_voice_id) from voice_clone_cache where cloned_voice_id <> ''";
        survey.voices = transaction.query_one(voices, &[]).await?.try_get(0)?;
        Ok(survey)
    };
    read.await.map_err(MigrateError::Database)
}

/// Parses every caller once. Returns how many are no number.
async fn numbers(transaction: &Transaction<'_>, region: Region) -> Result<i64, tokio_postgres::Error> {
    transaction.batch_execute(NUMBERS).await?;
    let (mut unreadable, mut parsed) = (0_i64, Vec::new());
    for row in transaction.query(WRITTEN, &[]).await? {
        let Some(written) = row.try_get::<_, Option<String>>(0)? else { continue };
        let (number, is_withheld) = match CallerNumber::parse_written(&written, region) {
            CallerNumber::Public(number) => (Some(number.as_e164().to_owned()), false),
            CallerNumber::Internal(extension) => (Some(extension.as_str().to_owned()), false),
            CallerNumber::Withheld => (None, true),
            CallerNumber::Unreadable => {
                unreadable = unreadable.saturating_add(1);
                (None, false)
            }
        };
        parsed.push((written, number, is_withheld));
    }
    for piece in parsed.chunks(AT_ONCE) {
        let written: Vec<&str> = piece.iter().map(|(written, ..)| written.as_str()).collect();
        let number: Vec<Option<&str>> = piece.iter().map(|(_, number, _)| number.as_deref()).collect();
        let withheld: Vec<bool> = piece.iter().map(|(.., is_withheld)| *is_withheld).collect();
        transaction.execute(ADD_NUMBERS, &[&written, &number, &withheld]).await?;
    }
    transaction.batch_execute("analyze precall_number").await?;
    Ok(unreadable)
}

/// Applies the rules of one phase. Each must change the rows that it counted.
async fn write(transaction: &Transaction<'_>, survey: &Survey, phase: Phase) -> Result<(), MigrateError> {
    for rule in rules().into_iter().filter(|rule| rule.phase == phase) {
        let counted = survey.changes.iter().find(|change| change.text == rule.text);
        let counted = counted.map_or(0, |change| change.rows);
        if counted == 0 {
            continue;
        }
        let failed = |reason| MigrateError::Failed { migration: rule.text.clone(), reason };
        let changed = transaction.execute(&rule.write(), &[]).await.map_err(failed)?;
        if i64::try_from(changed).ok() != Some(counted) {
            return Err(MigrateError::Unequal { what: rule.text, counted, changed });
        }
    }
    Ok(())
}
