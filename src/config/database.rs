//! Which PostgreSQL: an external one by its address, or the embedded one where that is allowed.

use std::path::PathBuf;
use std::time::Duration;

use precall_store::connect::DatabaseUrl;

use super::kind::Kind;
use super::problem::Problems;
use super::secret::Secret;
use super::section::Section;
use super::setting::variables;
use super::value::numbers::{Seconds, Whole};
use super::value::{Complaint, FromText};
use super::values::Values;
use super::variables::DefaultValue::{ByEnvironment, Text};
use super::variables::Probed;
use super::variables::Required;
use crate::embedded_database;

variables! { Section::Database;
    database_url: DatabaseUrl {
        probed: Probed::By("database"),
        required: Required::When("unless the embedded database is used"),
        example: "postgresql://precall:CHANGE_ME@127.0.0.1:5432/precall",
        help: "Address of the database: postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=MODE.",
        note: "PostgreSQL 15 to 18. precall also accepts postgresql+asyncpg:// and its options. sslmode is disable, \
            prefer, require, verify-ca or verify-full.",
    }
    database_pool_size: Whole<usize, 2, 500> {
        unit: "connections",
        default: Text("10"),
        help: "Largest number of connections to the database.",
        note: "One more connection holds the lock that lets only one process at a time act on the database.",
    }
    database_read_url: DatabaseUrl {
        probed: Probed::By("read replica"),
        example: "postgresql://precall:CHANGE_ME@127.0.0.2:5432/precall",
        help: "Address of a read replica of the database, for history and statistics.",
        note: "A streaming replica (hot standby) of the database in DATABASE_URL. It is read from while it is at most \
            10 s behind. It gets at most one connection fewer than DATABASE_POOL_SIZE.",
    }
    database_outage_max_seconds: Seconds<4, 86_400> {
        default: Text("900"),
        help: "How long a precall without a standby takes calls while the database is away.",
        note: "A precall on another host that starts meanwhile cannot know whether this one still runs, so it waits as \
            long before it takes over. After a planned stop, and on the same host with the same SPOOL_DIR, it does not \
            wait. With a standby, precall stops taking calls after 4 s without the database, whatever is set here. If \
            only one precall ever uses this database, set it to the longest outage that calls are to be taken through.",
    }
    embedded_database: bool {
        default: ByEnvironment { production: "false", development: "true" },
        help: "Run an embedded PostgreSQL when DATABASE_URL is not set.",
        note: "It needs PostgreSQL installed on the machine.",
    }
    embedded_database_dir: PathBuf {
        probed: Probed::By("files"),
        default: ByEnvironment { production: "/var/lib/precall/postgres", development: "data/postgres" },
        help: "Directory for the data of the embedded database.",
        note: "precall creates it when it is missing.",
    }
    pg_bin_dir: PathBuf {
        probed: Probed::Cannot("only a start of the embedded database runs its programs"),
        example: "/usr/lib/postgresql/17/bin",
        help: "Directory of the programs initdb and postgres, when they are not in one of the usual places.",
    }
}

/// Where the database is.
#[derive(Clone, Debug)]
pub enum DatabaseSource {
    /// `DATABASE_URL`.
    External(Box<DatabaseUrl>),
    /// An embedded cluster.
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
    /// Its read replica.
    pub replica: Option<Box<DatabaseUrl>>,
    /// Largest number of connections.
    pub pool_size: usize,
    /// How long a precall without a standby takes calls while the database is away.
    pub outage_max: Duration,
    /// Where `initdb` and `postgres` are. Searched before the usual places.
    pub pg_bin_dir: Option<PathBuf>,
}

impl Database {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        const RIGHT: &str = if embedded_database::IN_THIS_BUILD {
            "postgresql://USER:PASSWORD@HOST/DATABASE, or EMBEDDED_DATABASE=true"
        } else {
            "postgresql://USER:PASSWORD@HOST/DATABASE; this build has no embedded database"
        };
        let settings = Settings::read(values, problems)?;
        let embedded = settings.embedded_database.value();
        let directory = settings.embedded_database_dir.value();
        let may_embed = embedded != Some(false) && embedded_database::IN_THIS_BUILD;
        let source = if settings.database_url.is_unset() && may_embed {
            // An unreadable DATABASE_URL_FILE must not select another database.
            let is_unreadable = problems.has("DATABASE_URL_FILE");
            directory.filter(|_| !is_unreadable).map(|directory| DatabaseSource::Embedded { directory })
        } else {
            let url = settings.database_url.required(RIGHT, problems);
            url.map(|url| DatabaseSource::External(Box::new(url)))
        };
        embedded?;
        Some(Self {
            source: source?,
            replica: settings.database_read_url.optional()?.map(Box::new),
            pool_size: settings.database_pool_size.value()?.0,
            outage_max: settings.database_outage_max_seconds.value()?.0,
            pg_bin_dir: settings.pg_bin_dir.optional()?,
        })
    }
}

/// A secret, because it usually holds a password.
impl FromText for DatabaseUrl {
    const KIND: Kind = Kind::Secret;

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=MODE";
        let secret = Secret::from_text(text)?;
        secret.expose().parse::<Self>().map_err(|wrong| Complaint::new(wrong.to_string(), RIGHT))
    }
}
