//! Erases a caller: first a line in the ledger, then all tables in one transaction, then data outside the database.

use std::fs;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use precall_base::clock;
use precall_call::NoVoice;
use precall_store::StoreError;
use precall_store::connect::within;
use precall_store::people::deletions::Progress;
use precall_store::people::erasure::{Erased, Scope};
use precall_store::people::{deletions, erasure};
use precall_store::reads::voices;
use slog::{info, warn};
use uuid::Uuid;

use crate::caller_key::CallerKey;
use crate::erasure::ledger::LedgerEntry;
use crate::erasure::services::ErasureServices;
use crate::voices::voice_book::RevokeVoices;

/// Time limit of the transaction, which also searches the stored webhooks.
const TRANSACTION_WITHIN: Duration = Duration::from_secs(120);
/// How long the answer waits for deletions outside the database. The deletion worker continues with the rest.
const ELSEWHERE_WITHIN: Duration = Duration::from_secs(5);
const CHECK_EVERY: Duration = Duration::from_millis(100);
/// Shorter numbers are not searched in files.
const DIGITS_MIN: usize = 7;
const READ_AT_ONCE: usize = 1 << 20;

/// What was erased, and what is still to be deleted outside the database.
#[derive(Clone, Debug)]
pub struct ErasureReport {
    /// Its id, in the audit log and the ledger.
    pub erasure: Uuid,
    /// Number of calls.
    pub calls: usize,
    /// Number of clone jobs.
    pub jobs: usize,
    /// Number of mappings, including deleted ones.
    pub mappings: usize,
    /// Number of speakers of this caller only.
    pub speakers: usize,
    /// Rows in the tables.
    pub erased: Erased,
    /// Voices of these jobs that are still at the provider.
    pub voices_pending: i64,
    /// Voices of these jobs that are deleted.
    pub voices_done: i64,
    /// Samples, conversations and recordings.
    pub elsewhere: Vec<Progress>,
    /// Damaged spool files with the number, deleted.
    pub spool_files: usize,
}

/// Why nothing was erased.
#[derive(Debug, thiserror::Error)]
pub enum NotErased {
    /// There is no data of this caller.
    #[error("there is no data of this caller")]
    Nothing,
    /// A call of this caller is live; its events would follow the erasure.
    #[error("a call of this caller is live: end it first, or wait for its end")]
    Live,
    /// Events wait in the spool.
    #[error("events wait in the spool: try again when they are in the database")]
    Spooled,
    /// Without a line in the ledger, a restore would bring the data back.
    #[error("cannot write the erasure ledger: {0}")]
    Ledger(io::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ErasureServices {
    /// Erases a caller (E.164 or extension) permanently, in all accounts. `by` is the requester, for the audit log.
    ///
    /// # Errors
    /// Why nothing was erased.
    pub async fn erase_caller(&self, caller: &str, by: &str) -> Result<ErasureReport, NotErased> {
        let state = &self.persistence_state;
        if state.spool().is_in_use() || state.spool().is_importing() || state.failing() {
            return Err(NotErased::Spooled);
        }
        // First of all: stops clone jobs that have not uploaded, and deletes existing voices.
        let accounts = within(ELSEWHERE_WITHIN, self.accounts()).await?;
        let key_in = |account: &String| CallerKey { account: account.clone(), caller: caller.to_owned() };
        let keys = accounts.iter().map(key_in).collect();
        self.voice_book.do_send(RevokeVoices { keys, why: NoVoice::Erased });
        let erasure = Uuid::now_v7();
        let done = tokio::time::timeout(TRANSACTION_WITHIN, self.erase(&accounts, caller, by, erasure));
        let (scopes, erased) = done.await.unwrap_or(Err(StoreError::TooSlow.into()))?;
        let count = |of: fn(&Scope) -> usize| scopes.iter().map(of).sum();
        let calls = count(|scope| scope.calls.len());
        info!(self.log, "caller erased"; "erasure" => %erasure, "calls" => calls);
        let spool_files = self.clean_spool(caller).await;
        self.wake.notify_one();
        let jobs: Vec<Uuid> = scopes.iter().flat_map(|scope| &scope.jobs).copied().collect();
        let (elsewhere, voices) = self.wait_for_elsewhere(erasure, &jobs).await?;
        Ok(ErasureReport {
            erasure,
            calls,
            jobs: jobs.len(),
            mappings: count(|scope| scope.mappings.len()),
            speakers: count(|scope| scope.speakers.len()),
            erased,
            voices_done: voices.0,
            voices_pending: voices.1,
            elsewhere,
            spool_files,
        })
    }

    async fn accounts(&self) -> Result<Vec<String>, StoreError> {
        erasure::accounts(&**self.pool.get().await?).await
    }

    async fn erase(
        &self,
        accounts: &[String],
        caller: &str,
        by: &str,
        erasure: Uuid,
    ) -> Result<(Vec<Scope>, Erased), NotErased> {
        let now = clock::wall();
        let mut client = self.pool.get().await.map_err(StoreError::from)?;
        let transaction = client.transaction().await.map_err(StoreError::from)?;
        let mut scopes = Vec::new();
        for account in accounts {
            if erasure::is_live(&transaction, account, caller).await? {
                return Err(NotErased::Live);
            }
            scopes.push(erasure::scope(&transaction, account, caller, now).await?);
        }
        scopes.retain(|scope| !scope.is_empty());
        if scopes.is_empty() {
            return Err(NotErased::Nothing);
        }
        let mut erased = Erased::default();
        for scope in &scopes {
            // Ledger before commit: an extra line erases requested data after a restore, a missing line would bring
            // data back.
            let (ledger, line) = (self.ledger.clone(), LedgerEntry { v: 1, erasure, scope: scope.clone() });
            let written = tokio::task::spawn_blocking(move || ledger.add(&line)).await;
            written.map_err(io::Error::other).and_then(|written| written).map_err(NotErased::Ledger)?;
            erased = erased.and(erasure::erase(&transaction, scope, Some(caller), erasure, by, now).await?);
        }
        transaction.commit().await.map_err(StoreError::from)?;
        Ok((scopes, erased))
    }

    /// Deletes damaged spool files that hold the number. Damaged files are kept for operators.
    async fn clean_spool(&self, caller: &str) -> usize {
        let Some(folder) = self.spool_folder.clone() else { return 0 };
        let digits = caller.trim_start_matches('+').to_owned();
        if digits.len() < DIGITS_MIN {
            return 0;
        }
        let cleaned =
            tokio::task::spawn_blocking(move || delete_files_with(&folder, digits.as_bytes())).await;
        match cleaned.map_err(io::Error::other).and_then(|cleaned| cleaned) {
            Ok(files) => files,
            Err(error) => {
                warn!(self.log, "could not search the damaged spool files"; "error" => %error);
                0
            }
        }
    }

    async fn wait_for_elsewhere(
        &self,
        erasure: Uuid,
        jobs: &[Uuid],
    ) -> Result<(Vec<Progress>, (i64, i64)), StoreError> {
        let deadline = tokio::time::Instant::now() + ELSEWHERE_WITHIN;
        loop {
            let (elsewhere, voices) = elsewhere(self, erasure, jobs).await?;
            let is_done = voices.1 == 0 && elsewhere.iter().all(|progress| progress.pending == 0);
            if is_done || tokio::time::Instant::now() >= deadline {
                return Ok((elsewhere, voices));
            }
            tokio::time::sleep(CHECK_EVERY).await;
        }
    }
}

async fn elsewhere(
    services: &ErasureServices,
    erasure: Uuid,
    jobs: &[Uuid],
) -> Result<(Vec<Progress>, (i64, i64)), StoreError> {
    let looked = within(ELSEWHERE_WITHIN, async {
        let client = services.pool.get().await?;
        let progress = deletions::of_erasure(&**client, erasure).await?;
        let voices = voices::of_jobs(&**client, jobs).await?;
        Ok((progress, voices))
    });
    looked.await
}

/// Deletes damaged files with these bytes in the folders of all starts; returns how many. Blocks.
fn delete_files_with(folder: &Path, bytes: &[u8]) -> io::Result<usize> {
    let mut deleted = 0_usize;
    for start in subfolders(folder)? {
        for file in fs::read_dir(start)? {
            let path = file?.path();
            if path.extension().is_some_and(|ending| ending == "damaged") && holds(&path, bytes)? {
                fs::remove_file(&path)?;
                deleted = deleted.saturating_add(1);
            }
        }
    }
    Ok(deleted)
}

fn subfolders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(found) => {
            let paths = found.filter_map(|entry| Some(entry.ok()?.path()));
            Ok(paths.filter(|path| path.is_dir()).collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Whether a file holds these bytes, also across two reads.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let mut reader = BufReader::new(fs::File::open(path)?);
    let (mut window, mut piece) = (Vec::new(), vec![0; READ_AT_ONCE]);
    loop {
        let read = reader.read(&mut piece)?;
        if read == 0 {
            return Ok(false);
        }
        window.extend_from_slice(piece.get(..read).unwrap_or_default());
        if window.windows(bytes.len().max(1)).any(|found| found == bytes) {
            return Ok(true);
        }
        let kept = window.len().saturating_sub(bytes.len());
        window.drain(..kept);
    }
}

#[cfg(test)]
mod tests;
