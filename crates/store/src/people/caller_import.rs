//! Callers by the file: all rows in one transaction, and page after page out again.

use precall_call::{At, VoicePolicy};
use serde::Serialize;
use serde_json::json;
use tokio_postgres::{GenericClient, Transaction};
use uuid::Uuid;

use crate::error::StoreError;
use crate::events::event_log::timestamp;

const SPEAKERS: &str = "select id from speakers where account_id = $1 and id = any($2)";

// A column that the file does not have is left as it is. Rows that say nothing new are not touched.
const UPSERT: &str = "
    insert into caller_voice_mapping as m (account_id, caller_id, voice_sample_url, voice_name, description, speaker, voice_policy)
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

/// The statements of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[SPEAKERS, UPSERT, AUDIT, PAGE];

/// Rows that are sent at once.
const AT_ONCE: usize = 5_000;

/// A caller as a file has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportedCaller {
    /// E.164 or extension.
    pub caller_id: String,
    /// Where the sample lies.
    pub voice_sample_url: String,
    /// What the voice is called.
    pub voice_name: String,
    /// For people.
    pub description: Option<String>,
    /// Whose voice.
    pub speaker: Option<Uuid>,
    /// Who may hear it; none takes the line's rule.
    #[serde(serialize_with = "policy_name")]
    pub voice_policy: Option<VoicePolicy>,
}

fn policy_name<S: serde::Serializer>(policy: &Option<VoicePolicy>, to: S) -> Result<S::Ok, S::Error> {
    policy.map(VoicePolicy::name).serialize(to)
}

/// Columns that a file may do without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// `description`.
    pub description: bool,
    /// `speaker`.
    pub speaker: bool,
    /// `voice_policy`.
    pub voice_policy: bool,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Callers that were not there.
    pub added: usize,
    /// Callers of whom something changed.
    pub changed: usize,
    /// Callers of whom nothing did.
    pub unchanged: usize,
}

/// Which of these speakers are there.
///
/// # Errors
/// When the database cannot be asked.
pub async fn speakers(
    client: &impl GenericClient,
    account: &str,
    wanted: &[Uuid],
) -> Result<Vec<Uuid>, StoreError> {
    let rows = client.query(SPEAKERS, &[&account, &wanted]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Writes all of them; nothing counts before the transaction is committed. `told` hears how many are done.
///
/// # Errors
/// When the database refuses one, or cannot be asked.
pub async fn write(
    transaction: &Transaction<'_>,
    account: &str,
    callers: &[ImportedCaller],
    columns: Columns,
    now: At,
    told: impl Fn(usize),
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
        told(done);
    }
    let Imported { added, changed, unchanged } = imported;
    let detail = json!({ "added": added, "changed": changed, "unchanged": unchanged });
    transaction.execute(AUDIT, &[&Uuid::now_v7(), &timestamp(now), &detail]).await?;
    Ok(imported)
}

/// At most `limit` callers behind that one, in the order of their ids' bytes.
///
/// # Errors
/// When the database cannot be asked.
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
