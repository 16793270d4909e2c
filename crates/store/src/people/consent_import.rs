//! Consents that another system had: for the mapped callers of an adopted database, all at once.
//!
//! Callers with the same sample have the same speaker. The log gets one record a speaker.

use std::collections::BTreeMap;

use precall_call::At;
use serde_json::json;
use tokio_postgres::{GenericClient, Transaction};
use uuid::Uuid;

use super::audit;
use super::consents::{self, Evidence, NewConsent, Personal};
use crate::error::StoreError;
use crate::events::event_log::timestamp;

/// Who records them.
pub(crate) const BY: &str = "command line";
/// The only account. Lines will have accounts of their own.
const ACCOUNT: &str = "default";
/// The version of the text: it is the administrator's.
const TEXT_VERSION: &str = "adoption";
/// A speaker whose callers have no name.
const NAMELESS: &str = "(no name)";
/// Longest name, in characters.
const NAME_MAX: usize = 200;
/// Rows in one statement.
const AT_ONCE: usize = 1_000;

const WAITING: &str = "
    select voice_sample_url, voice_name from caller_voice_mapping
    where account_id = $1 and deleted_at is null and speaker is null order by updated_at desc, id";

const SPEAKERS: &str = "
    insert into speakers (id, account_id, name, created_at)
    select n.id, $1, n.name, $2 from unnest($3::uuid[], $4::text[]) as n (id, name)";

const MAP: &str = "
    update caller_voice_mapping m set speaker = n.speaker
    from unnest($2::text[], $3::uuid[]) as n (sample, speaker)
    where m.account_id = $1 and m.deleted_at is null and m.speaker is null and m.voice_sample_url = n.sample";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[WAITING, SPEAKERS, MAP];

/// What the administrator says, and the samples that were read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    /// Why the speakers agree.
    pub(crate) basis: &'a str,
    /// SHA-256 by `voice_sample_url`, lower-case hex.
    pub(crate) hashes: &'a BTreeMap<String, String>,
}

/// What was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportedConsents {
    /// Consents, each with a new speaker.
    pub consents: u64,
    /// Callers who are mapped to these speakers now.
    pub callers: u64,
}

/// `voice_sample_url` of each mapped caller without a speaker.
///
/// # Errors
/// When the query fails.
pub(crate) async fn waiting(client: &impl GenericClient) -> Result<Vec<String>, StoreError> {
    let rows = client.query(WAITING, &[&ACCOUNT]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Gives every mapped caller without a speaker one, who agrees, if the sample was read.
///
/// # Errors
/// When a query fails or the database refuses the data.
pub(crate) async fn record(
    transaction: &Transaction<'_>,
    told: &Told<'_>,
    now: At,
) -> Result<ImportedConsents, StoreError> {
    consents::take_turn(transaction).await?;
    // The newest name of a sample counts.
    let (mut names, mut samples) = (BTreeMap::new(), BTreeMap::new());
    for row in transaction.query(WAITING, &[&ACCOUNT]).await? {
        let (sample, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let Some(hash) = told.hashes.get(&sample) else { continue };
        let name = Some(shown(&name)).filter(|name| !name.is_empty());
        let (_, kept) = names.entry(hash.as_str()).or_insert_with(|| (Uuid::now_v7(), None));
        if kept.is_none() {
            *kept = name;
        }
        samples.insert(sample, hash.as_str());
    }
    let speakers: Vec<(Uuid, String, &str)> = names
        .iter()
        .map(|(hash, (id, name))| (*id, name.clone().unwrap_or_else(|| NAMELESS.to_owned()), *hash))
        .collect();
    for piece in speakers.chunks(AT_ONCE) {
        let ids: Vec<Uuid> = piece.iter().map(|(id, ..)| *id).collect();
        let named: Vec<&str> = piece.iter().map(|(_, name, _)| name.as_str()).collect();
        transaction.execute(SPEAKERS, &[&ACCOUNT, &timestamp(now), &ids, &named]).await?;
    }
    let given = speakers.into_iter().map(|(speaker, name, hash)| consent(speaker, name, hash, told, now));
    let given: Vec<NewConsent> = given.collect();
    consents::give_all(transaction, &given, now).await?;
    let mut imported =
        ImportedConsents { consents: u64::try_from(given.len()).unwrap_or(u64::MAX), callers: 0 };
    let samples: Vec<(&str, Uuid)> =
        samples.iter().filter_map(|(sample, hash)| Some((sample.as_str(), names.get(hash)?.0))).collect();
    for piece in samples.chunks(AT_ONCE) {
        let (urls, speakers): (Vec<&str>, Vec<Uuid>) = piece.iter().copied().unzip();
        let mapped = transaction.execute(MAP, &[&ACCOUNT, &urls, &speakers]).await?;
        imported.callers = imported.callers.saturating_add(mapped);
    }
    if imported.consents > 0 {
        let detail = json!({ "consents": imported.consents, "callers": imported.callers });
        audit::record(transaction, BY, "consents_imported", None, Some(detail), now).await?;
    }
    Ok(imported)
}

/// A name in one line, as the API takes one.
fn shown(name: &str) -> String {
    let line: String = name.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    line.trim().chars().take(NAME_MAX).collect()
}

fn consent(speaker: Uuid, name: String, hash: &str, told: &Told<'_>, now: At) -> NewConsent {
    NewConsent {
        account: ACCOUNT.to_owned(),
        speaker,
        evidence: Evidence::Imported,
        sample_sha256: hash.to_owned(),
        document_sha256: None,
        text_version: TEXT_VERSION.to_owned(),
        given_at: now,
        expires_at: None,
        by: BY.to_owned(),
        personal: Personal { name, reference: None, text: told.basis.to_owned() },
    }
}
