//! Which PostgreSQL: an external one by its address, or the embedded one where that is allowed.

use std::path::PathBuf;

use precall_store::connect::DatabaseUrl;
use serde::Deserialize;

use super::problem::Problems;
use super::secret::Secret;
use super::value::Read;
use super::values::Values;
use super::variables::Section;
use crate::embedded_database;

/// Where the database is.
#[derive(Clone, Debug)]
pub enum DatabaseSource {
    /// `DATABASE_URL`.
    External(Box<DatabaseUrl>),
    /// A cluster of our own in this directory.
    Embedded {
        /// Where its data lives; created when missing.
        directory: PathBuf,
    },
}

/// The database and its pool.
#[derive(Clone, Debug)]
pub struct Database {
    /// Where it is.
    pub source: DatabaseSource,
    /// Connections at most.
    pub pool_size: usize,
    /// Where `initdb` and `postgres` are, before the usual places are searched.
    pub pg_bin_dir: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    database_url: Option<Read<Secret>>,
    database_pool_size: Read<u64>,
    embedded_database: Read<bool>,
    embedded_database_dir: Read<PathBuf>,
    pg_bin_dir: Option<Read<PathBuf>>,
}

impl Database {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        const RIGHT: &str = if embedded_database::IN_THIS_BUILD {
            "postgresql://USER:PASSWORD@HOST/DATABASE, or EMBEDDED_DATABASE=true"
        } else {
            "postgresql://USER:PASSWORD@HOST/DATABASE; this build has no embedded database"
        };
        let raw: Raw = values.section(Section::Database, problems)?;
        let embedded = problems.value("EMBEDDED_DATABASE", raw.embedded_database);
        let directory = problems.value("EMBEDDED_DATABASE_DIR", raw.embedded_database_dir);
        let pool_size = problems.number("DATABASE_POOL_SIZE", raw.database_pool_size, 2..=500, "connections");
        let pg_bin_dir = problems.optional("PG_BIN_DIR", raw.pg_bin_dir);
        // Without an address the embedded database is used where it is on; development turns it on by default.
        let needs_address = embedded == Some(false) || !embedded_database::IN_THIS_BUILD;
        let address = if raw.database_url.is_some() || needs_address {
            problems.required("DATABASE_URL", raw.database_url, RIGHT).map(Some)
        } else {
            Some(None)
        };
        let source = match address? {
            Some(secret) => match secret.expose().parse::<DatabaseUrl>() {
                Ok(url) => Some(DatabaseSource::External(Box::new(url))),
                Err(wrong) => {
                    problems.add(
                        "DATABASE_URL",
                        wrong.to_string(),
                        "postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=MODE",
                    );
                    None
                }
            },
            // An unreadable `DATABASE_URL_FILE` must not fall through to another database.
            None if problems.has("DATABASE_URL_FILE") => None,
            None => directory.map(|directory| DatabaseSource::Embedded { directory }),
        };
        embedded?;
        Some(Self { source: source?, pool_size: pool_size?, pg_bin_dir: pg_bin_dir? })
    }
}
