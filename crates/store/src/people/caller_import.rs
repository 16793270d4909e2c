//! Import and export of callers. An import writes all rows in one transaction; an export reads page by page.

use precall_call::{At, VoicePolicy};
use serde::Serialize;
use serde_json::json;
use tokio_postgres::{GenericClient, Transaction};
use uuid::Uuid;

use crate::error::StoreError;
use crate::events::event_log::timestamp;

const SPEAKERS: &str = "select id from speakers where account_id = $1 and id = any($2)";

// A column that the file does not have keeps its value. Unchanged rows are not written.
const UPSERT: &str = "
    insert into caller_voice_mapping as m
        (account_id, caller_id, voice_sample_url, voice_name, description, speaker, voice_policy)
    select $1, n.caller_id, n.voice_sample_url, n.voice_name, n.description, n.speaker, n.voice_policy
    from jsonb_to_recordset($2) as n (caller_id text, voice_sample_url text, voice_name text, description text,
        speaker uuid, voice_policy text)
    on conflict (account_id, caller_id) where deleted_at is null do update set
        voice_sample_url = excluded.voice_sample_url, voice_name = excluded.voice_name,
        description = case when $3 then excluded.description else m.description end,
        speaker = case when $4 then excluded.speaker else m.speaker end,
        voice_policy = case when $5 then excluded.voice_policy else m.voice_policy end,
        updated_at = now()
    where m.voice_sample_url <> excluded.voice_sample_url or m.voice_name <> excluded.voice_name
        or $3 and m.description is distinct from excluded.description
        or $4 and m.speaker is distinct from excluded.speaker
        or $5 and m.voice_policy is distinct from excluded.voice_policy
    returning m.xmax = 0";

const AUDIT: &str = "
    insert into audit_log (id, at, who, action, detail) values ($1, $2, 'command line', 'callers_imported', $3)";

const PAGE: &str = "
    select caller_id, voice_sample_url, voice_name, description, speaker, voice_policy from caller_voice_mapping
    where account_id = $1 and deleted_at is null and caller_id ~>~ $2 order by caller_id using ~<~ limit $3";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[SPEAKERS, UPSERT, AUDIT, PAGE];

/// Rows per statement.
const AT_ONCE: usize = 5_000;

/// A caller in an import or export file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportedCaller {
    /// E.164 or extension.
    pub caller_id: String,
    /// The location of the sample.
    pub voice_sample_url: String,
    /// The name of the voice.
    pub voice_name: String,
    /// For people.
    pub description: Option<String>,
    /// The speaker whose voice it is.
    pub speaker: Option<Uuid>,
    /// Who may hear the voice; none for the rule of the line.
    #[serde(serialize_with = "policy_name")]
    pub voice_policy: Option<VoicePolicy>,
}

fn policy_name<S: serde::Serializer>(policy: &Option<VoicePolicy>, to: S) -> Result<S::Ok, S::Error> {
    policy.map(VoicePolicy::name).serialize(to)
}

/// The optional columns that the file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// `description`.
    pub description: bool,
    /// `speaker`.
    pub speaker: bool,
    /// `voice_policy`.
    pub voice_policy: bool,
}

/// The result of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// New callers.
    pub added: usize,
    /// Changed callers.
    pub changed: usize,
    /// Unchanged callers.
    pub unchanged: usize,
}

/// The speakers among `wanted` that this account has.
///
/// # Errors
/// When the query fails.
pub async fn speakers(
    client: &impl GenericClient,
    account: &str,
    wanted: &[Uuid],
) -> Result<Vec<Uuid>, StoreError> {
    let rows = client.query(SPEAKERS, &[&account, &wanted]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Writes all callers. Nothing takes effect before the transaction commits. Reports the rows done so far to `progress`.
///
/// # Errors
/// When the query fails or the database refuses a row.
pub async fn write(
    transaction: &Transaction<'_>,
    account: &str,
    callers: &[ImportedCaller],
    columns: Columns,
    now: At,
    progress: impl Fn(usize),
) -> Result<Imported, StoreError> {
    let (mut done, mut imported) = (0_usize, Imported::default());
    let Columns { description, speaker, voice_policy } = columns;
    for piece in callers.chunks(AT_ONCE) {
        let rows = json!(piece);
        let written =
            transaction.query(UPSERT, &[&account, &rows, &description, &speaker, &voice_policy]).await?;
        for row in &written {
            if row.try_get(0)? {
                imported.added = imported.added.saturating_add(1);
            } else {
                imported.changed = imported.changed.saturating_add(1);
            }
        }
        imported.unchanged = imported.unchanged.saturating_add(piece.len().saturating_sub(written.len()));
        done = done.saturating_add(piece.len());
        progress(done);
    }
    let Imported { added, changed, unchanged } = imported;
    let detail = json!({ "added": added, "changed": changed, "unchanged": unchanged });
    transaction.execute(AUDIT, &[&Uuid::now_v7(), &timestamp(now), &detail]).await?;
    Ok(imported)
}

/// At most `limit` callers after `behind`, in byte order of their ids.
///
/// # Errors
/// When the query fails.
pub async fn page(
    client: &impl GenericClient,
    account: &str,
    behind: &str,
    limit: i64,
) -> Result<Vec<ImportedCaller>, StoreError> {
    let rows = client.query(PAGE, &[&account, &behind, &limit]).await?;
    rows.iter()
        .map(|row| {
            let policy: Option<String> = row.try_get(5)?;
            Ok(ImportedCaller {
                caller_id: row.try_get(0)?,
                voice_sample_url: row.try_get(1)?,
                voice_name: row.try_get(2)?,
                description: row.try_get(3)?,
                speaker: row.try_get(4)?,
                voice_policy: policy.as_deref().and_then(VoicePolicy::from_name),
            })
        })
        .collect()
}
