//! `precall restore --ledger FILE`: repeats erasures after the database was restored from a backup.

use std::path::PathBuf;

use precall_actors::erasure::ledger;
use precall_base::clock;
use precall_store::StoreError;
use precall_store::connect;
use precall_store::people::erasure;
use precall_store::schema::{embedded, migrate};

use super::{Exit, external_database};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The ledger of erasures (ERASURE_LEDGER), kept outside the backup
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    let lines = match ledger::read(&arguments.ledger) {
        Ok(lines) => lines,
        Err(error) => return failed(&format!("{}: {error}", arguments.ledger.display())),
    };
    let hint = "DATABASE_URL is not set: only the service itself can reach the embedded database";
    let mut connected = match external_database("precall restore", hint).await {
        Ok(connected) => connected,
        Err(exit) => return exit,
    };
    // The backup may be from an older version without erasures.
    if let Err(error) =
        migrate::migrate(&mut connected.client, &embedded::runner(), migrate::Limits::default()).await
    {
        return failed(&format!("the schema cannot be migrated: {error}"));
    }
    let (mut calls, mut events) = (0_usize, 0_u64);
    for line in &lines {
        match erase_again(&mut connected, line).await {
            Ok(erased) => {
                calls = calls.saturating_add(line.scope.calls.len());
                events = events.saturating_add(erased);
            }
            Err(error) => return failed(&format!("erasure {} cannot be repeated: {error}", line.erasure)),
        }
    }
    println!("{} erasures repeated: {calls} calls; personal data removed from {events} events", lines.len());
    println!("precall deletes samples, conversations and voices again when it serves this database");
    Exit::Good
}

/// Repeats one line of the ledger, whole or not at all.
async fn erase_again(
    connected: &mut connect::Dedicated,
    line: &ledger::LedgerEntry,
) -> Result<u64, StoreError> {
    let transaction = connected.client.transaction().await?;
    let by = "command line";
    let erased = erasure::erase(&transaction, &line.scope, None, line.erasure, by, clock::wall()).await?;
    transaction.commit().await?;
    Ok(erased.events)
}

fn failed(why: &str) -> Exit {
    eprintln!("precall: {why}");
    Exit::Failed
}
