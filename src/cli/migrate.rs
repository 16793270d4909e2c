//! `precall migrate`: the schema, and nothing else.

use precall_actors::store::{connect, migrate, schema};

use super::{Exit, environment, unusable};
use crate::config::{Config, DatabaseSource};

pub(super) async fn run() -> Exit {
    let database = match environment().and_then(|set| Config::database_from_map(&set)) {
        Ok(database) => database,
        Err(error) => return unusable(&error),
    };
    let DatabaseSource::External(url) = database.source else {
        eprintln!(
            "precall: the embedded database is migrated when it starts; set DATABASE_URL to migrate another"
        );
        return Exit::Unusable;
    };
    let mut connected = match connect::connect(&url, "precall migrate", connect::Limits::default()).await {
        Ok(connected) => connected,
        Err(error) => {
            eprintln!("precall: {error}");
            return Exit::Failed;
        }
    };
    let limits = migrate::Limits::default();
    match migrate::migrate(&mut connected.client, &schema::runner(), limits).await {
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
            Exit::Failed
        }
    }
}
