//! `precall migrate`: applies migrations, or takes over the database of the service before.

use clap::builder::NonEmptyStringValueParser;
use precall_store::schema::{embedded, migrate};

use super::{Exit, adopt, external_database};

const EMBEDDED: &str = "DATABASE_URL is not set: the service migrates the embedded database when it starts";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Take over the database of a VoiceClone Pre-Call Service, in place. Stop that service first, and make a backup
    #[arg(long)]
    adopt: bool,
    /// Change nothing: print what would change, and the commands that settle what is found
    #[arg(long, requires = "adopt")]
    dry_run: bool,
    /// Record a consent for every mapped caller whose sample can be read. TEXT says on what it rests
    #[arg(long, value_name = "TEXT", requires = "adopt", value_parser = NonEmptyStringValueParser::new())]
    consent_basis: Option<String>,
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    let Arguments { adopt, dry_run, consent_basis } = arguments;
    if adopt {
        let run = if dry_run { adopt::Run::Dry } else { adopt::Run::Real };
        return adopt::run(run, consent_basis.as_deref()).await.unwrap_or_else(|error| failed(&error));
    }
    let mut connected = match external_database("precall migrate", EMBEDDED).await {
        Ok(connected) => connected,
        Err(exit) => return exit,
    };
    let limits = migrate::Limits::default();
    match migrate::migrate(&mut connected.client, &embedded::runner(), limits).await {
        Ok(applied) if applied.is_empty() => {
            println!("the schema is up to date");
            Exit::Good
        }
        Ok(applied) => {
            println!("applied {applied:?}");
            Exit::Good
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &migrate::MigrateError) -> Exit {
    eprintln!("precall: {error}");
    if matches!(error, migrate::MigrateError::Unusable(_)) { Exit::Unusable } else { Exit::Failed }
}
