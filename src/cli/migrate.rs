//! `precall migrate`: applies migrations.

use precall_store::schema::{embedded, migrate};

use super::{Exit, external_database};

pub(super) async fn run() -> Exit {
    let hint = "DATABASE_URL is not set: the service migrates the embedded database when it starts";
    let mut connected = match external_database("precall migrate", hint).await {
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
        Err(error) => {
            eprintln!("precall: {error}");
            if matches!(error, migrate::MigrateError::Unusable(_)) { Exit::Unusable } else { Exit::Failed }
        }
    }
}
