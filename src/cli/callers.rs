//! `precall callers`: imports and exports callers as CSV. It may run beside `serve`: each call reads its mapping again.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use csv::Writer;
use indicatif::{ProgressBar, ProgressStyle};
use precall_base::clock;
use precall_base::phone_number::Region;
use precall_store::people::caller_import;
use precall_store::{StoreError, connect};
use tempfile::NamedTempFile;
use uuid::Uuid;

use super::caller_rows::{self, RowErrors, Sheet};
use super::{Exit, environment, external_database, unusable};

/// The only account. Lines will have accounts of their own.
const ACCOUNT: &str = "default";
const FILE_BYTES_MAX: u64 = 100 << 20;
const PAGE: i64 = 1_000;
const EMBEDDED: &str = "DATABASE_URL is not set: only the service itself can reach the embedded database";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add and change callers from a CSV file. Writes all rows, or none
    Import {
        /// CSV file with a header. Columns: caller_id, voice_sample_url, voice_name; optional: description, speaker,
        /// voice_policy
        file: PathBuf,
    },
    /// Write all callers as CSV
    Export {
        /// File to write; without it, standard output
        file: Option<PathBuf>,
        /// Replace an existing file
        #[arg(long)]
        force: bool,
    },
}

pub(super) async fn run(command: Command) -> Exit {
    match command {
        Command::Import { file } => import(&file).await,
        Command::Export { file: None, .. } => export_to_output().await,
        Command::Export { file: Some(file), force } => export_to_file(&file, force).await,
    }
}

async fn import(file: &Path) -> Exit {
    let region = match region() {
        Ok(region) => region,
        Err(exit) => return exit,
    };
    let bytes = match read_bounded(file) {
        Ok(bytes) => bytes,
        Err(error) => return failed(&format!("{}: {error}", file.display())),
    };
    let sheet = match caller_rows::read(&bytes, region) {
        Ok(sheet) => sheet,
        Err(errors) => return refused(&errors),
    };
    let mut connected = match external_database("precall callers", EMBEDDED).await {
        Ok(connected) => connected,
        Err(exit) => return exit,
    };
    match unknown_speakers(&connected, &sheet).await {
        Ok(errors) if errors.count > 0 => return refused(&errors),
        Ok(_) => {}
        Err(error) => return not_done(&error),
    }
    match write(&mut connected, &sheet).await {
        Ok(done) => {
            println!("{} added, {} changed, {} unchanged", done.added, done.changed, done.unchanged);
            Exit::Good
        }
        Err(error) => not_done(&error),
    }
}

/// `DEFAULT_REGION`.
pub(super) fn region() -> Result<Region, Exit> {
    let set = environment().map_err(|error| unusable(&error))?;
    match set.get("DEFAULT_REGION").map(|text| text.trim()).filter(|text| !text.is_empty()) {
        None => Ok(Region::UNKNOWN),
        Some(text) => text.to_ascii_uppercase().parse().map_err(|_| {
            unusable(
                &"DEFAULT_REGION is not a country: use an ISO 3166 code of two letters, such as GB or US",
            )
        }),
    }
}

fn read_bounded(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(io::Error::other("larger than 100 MiB: split the file"));
    }
    Ok(bytes)
}

async fn unknown_speakers(connected: &connect::Dedicated, sheet: &Sheet) -> Result<RowErrors, StoreError> {
    let wanted: HashSet<Uuid> = sheet.callers.iter().filter_map(|caller| caller.speaker).collect();
    let wanted: Vec<Uuid> = wanted.into_iter().collect();
    let known = caller_import::speakers(&connected.client, ACCOUNT, &wanted).await?;
    let known: HashSet<Uuid> = known.into_iter().collect();
    let mut errors = RowErrors::default();
    for (caller, line) in sheet.callers.iter().zip(&sheet.lines) {
        if caller.speaker.is_some_and(|speaker| !known.contains(&speaker)) {
            errors.add(
                *line,
                "speaker",
                "no speaker has this id: add the speaker first, with POST /api/v1/speakers",
            );
        }
    }
    Ok(errors)
}

/// The progress bar goes to standard error, and only to a terminal.
async fn write(
    connected: &mut connect::Dedicated,
    sheet: &Sheet,
) -> Result<caller_import::Imported, StoreError> {
    let bar = ProgressBar::new(u64::try_from(sheet.callers.len()).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} callers") {
        bar.set_style(style);
    }
    let transaction = connected.client.transaction().await?;
    let described = |done: usize| bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    let done =
        caller_import::write(&transaction, ACCOUNT, &sheet.callers, sheet.columns, clock::wall(), described)
            .await?;
    transaction.commit().await?;
    bar.finish_and_clear();
    Ok(done)
}

async fn export_to_output() -> Exit {
    match external_database("precall callers", EMBEDDED).await {
        Ok(connected) => match write_all(&connected, io::stdout().lock()).await {
            Ok(_) => Exit::Good,
            Err(why) => failed(&why),
        },
        Err(exit) => exit,
    }
}

async fn export_to_file(path: &Path, force: bool) -> Exit {
    // Links are followed: their target is replaced.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if !force && (target.exists() || path.is_symlink()) {
        return failed(&is_there(path));
    }
    let connected = match external_database("precall callers", EMBEDDED).await {
        Ok(connected) => connected,
        Err(exit) => return exit,
    };
    // A pipe or a device is written directly. It may be standard output, so the count is not printed.
    if target.exists() && !target.is_file() {
        return match OpenOptions::new().write(true).open(&target) {
            Ok(file) => write_all(&connected, file).await.map_or_else(|why| failed(&why), |_| Exit::Good),
            Err(error) => failed(&format!("{}: {error}", path.display())),
        };
    }
    match write_whole(&connected, path, &target, force).await {
        Ok(callers) => {
            println!("{callers} callers in {}", path.display());
            Exit::Good
        }
        Err(why) => failed(&why),
    }
}

/// Writes a temporary file beside the target and renames it at the end. The old file stays until then.
async fn write_whole(
    connected: &connect::Dedicated,
    path: &Path,
    target: &Path,
    force: bool,
) -> Result<usize, String> {
    let described = |error: &io::Error| format!("{}: {error}", path.display());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder).map_err(|error| described(&error))?;
    let callers = write_all(connected, file.as_file_mut()).await?;
    file.as_file().sync_all().map_err(|error| described(&error))?;
    let kept = if force { file.persist(target) } else { file.persist_noclobber(target) };
    match kept {
        Ok(_) => Ok(callers),
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Err(is_there(path)),
        Err(failed) => Err(described(&failed.error)),
    }
}

fn is_there(path: &Path) -> String {
    format!("{} exists already: use --force to replace it", path.display())
}

/// Writes page after page. Returns the number of callers.
async fn write_all(connected: &connect::Dedicated, to: impl Write) -> Result<usize, String> {
    let mut writer = Writer::from_writer(to);
    caller_rows::write_header(&mut writer).map_err(|error| error.to_string())?;
    let (mut behind, mut count) = (String::new(), 0_usize);
    loop {
        let page = caller_import::page(&connected.client, ACCOUNT, &behind, PAGE).await;
        let page = page.map_err(|error| described(&error))?;
        let Some(last) = page.last() else { break };
        behind.clone_from(&last.caller_id);
        for caller in &page {
            caller_rows::write(&mut writer, caller).map_err(|error| error.to_string())?;
        }
        count = count.saturating_add(page.len());
    }
    writer.flush().map_err(|error| error.to_string())?;
    Ok(count)
}

fn refused(errors: &RowErrors) -> Exit {
    for error in &errors.kept {
        eprintln!("{error}");
    }
    if errors.count > errors.kept.len() {
        eprintln!("and {} more", errors.count.saturating_sub(errors.kept.len()));
    }
    failed(&format!("errors: {}; nothing was written", errors.count))
}

fn not_done(error: &StoreError) -> Exit {
    failed(&format!("nothing was written: {}", described(error)))
}

/// The error, with a hint if the tables are of an older version.
fn described(error: &StoreError) -> String {
    match error {
        StoreError::Unusable(text) => {
            format!("the database is not up to date ({text}): run `precall migrate`")
        }
        error => error.to_string(),
    }
}

fn failed(why: &str) -> Exit {
    eprintln!("precall: {why}");
    Exit::Failed
}
