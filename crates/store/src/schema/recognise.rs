//! Recognises what a database holds, before precall writes to it for the first time.
//!
//! It may be empty, precall's own (of any version), the one of the service before, or another program's. A migration
//! on a wrong one would mix tables of two programs.

use std::collections::{BTreeMap, BTreeSet};

use refinery::Migration;
use tokio_postgres::GenericClient;

use super::objects::{Kind, Objects, name_list};

/// The table in which refinery, and this crate, write down applied migrations.
pub(crate) const HISTORY: &str = "refinery_schema_history";

/// Tables of the service before, VoiceClone Pre-Call Service. precall has tables of the same names.
const INHERITED: [&str; 7] = [
    "caller_voice_mapping",
    "voice_clone_cache",
    "call_log",
    "voice_clone_log",
    "clone_ready_events",
    "clone_failed_events",
    "clone_transfer_events",
];
/// The one of them that another program may have as well.
const COMMON_NAME: &str = "call_log";
/// The table of the service before that holds its voices, and the column without which it is another program's.
const MAPPING: &str = "caller_voice_mapping";
const MAPPED_SAMPLE: &str = "voice_sample_url";
/// A table that only precall has.
const OUR_TABLE: &str = "call_events";
/// A column of `call_log` that only precall has.
const OUR_COLUMN: &str = "last_seq";

const SCHEMA: &str = "select current_schema()::text, current_user::text, current_setting('search_path')";

// All names that a migration could meet: relations, types without a relation, functions.
const NAMES: &str = "
    select relname::text, relkind::text from pg_class where relnamespace = current_schema()::regnamespace
    union all select proname::text, 'f' from pg_proc where pronamespace = current_schema()::regnamespace
    union all select typname::text, 't' from pg_type
        where typnamespace = current_schema()::regnamespace and typtype in ('d', 'e', 'm', 'r')";

const HISTORY_ELSEWHERE: &str = "
    select n.nspname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relname = 'refinery_schema_history' and n.nspname = any (current_schemas(false))
        and n.nspname <> current_schema()
    limit 1";

const COLUMNS: &str = "
    select attname::text from pg_attribute
    where attrelid = (quote_ident(current_schema()) || '.' || quote_ident($1))::regclass and attnum > 0
        and not attisdropped";

const OLDEST: &str = "select oldest from schema_support";
/// The table of [`OLDEST`].
const SUPPORT_TABLE: &str = "schema_support";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[SCHEMA, NAMES, HISTORY_ELSEWHERE, COLUMNS, OLDEST];

/// A row of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Applied {
    version: i32,
    name: String,
    checksum: String,
}

/// What a database holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// precall's schema, or room for it: these migrations are still to be applied.
    Usable {
        /// The schema that unqualified names lead to.
        schema: String,
        /// The last applied migration; none on an empty database.
        applied: Option<String>,
        /// Versions to apply.
        pending: Vec<i32>,
        /// Tables of other programs in the same schema.
        other_tables: usize,
        /// Whether a newer precall has applied migrations that this program does not know, and does not need.
        is_newer: bool,
    },
    /// The database of the service before. Only an adoption may touch it.
    Inherited {
        /// The schema that unqualified names lead to.
        schema: String,
        /// Versions to apply.
        pending: Vec<i32>,
        /// What it is and what to do.
        words: String,
    },
    /// It must not be touched. The text says what it is and what to do.
    Unusable(String),
}

/// Looks at the schema that unqualified names lead to. Reads only.
///
/// # Errors
/// When a query fails.
pub async fn recognise(
    client: &impl GenericClient,
    migrations: &[Migration],
) -> Result<Contents, tokio_postgres::Error> {
    let row = client.query_one(SCHEMA, &[]).await?;
    let (schema, user, path): (Option<String>, String, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let Some(schema) = schema else {
        return Ok(Contents::Unusable(format!(
            "no schema of the search_path ({path}) exists, or the role {user} may not use it: create the schema, grant \
             usage and create on it, or set search_path in DATABASE_URL"
        )));
    };
    let mut present = BTreeMap::new();
    for row in client.query(NAMES, &[]).await? {
        present.insert(row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?);
    }
    let columns = |table: &'static str| async move {
        let rows = client.query(COLUMNS, &[&table]).await?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()
    };
    let has_history = present.contains_key(HISTORY);
    if !has_history && let Some(row) = client.query_opt(HISTORY_ELSEWHERE, &[]).await? {
        let home: String = row.try_get(0)?;
        return Ok(Contents::Unusable(format!(
            "the tables of precall are in the schema {home}, but the search_path ({path}) leads to {schema} first: \
             put {home} first, with options=-csearch_path={home} in DATABASE_URL"
        )));
    }
    let applied =
        if has_history { history(client, &columns(HISTORY).await?).await? } else { Some(Vec::new()) };
    let Some(applied) = applied else {
        return Ok(Contents::Unusable(format!(
            "{HISTORY} in the schema {schema} is not the table that precall makes: give precall a database or a \
             schema of its own"
        )));
    };
    let call_log = if present.contains_key("call_log") { columns("call_log").await? } else { Vec::new() };
    let mapping = if present.contains_key(MAPPING) { columns(MAPPING).await? } else { Vec::new() };
    let oldest = if has_history && present.contains_key(SUPPORT_TABLE) {
        client.query_opt(OLDEST, &[]).await?.map(|row| row.try_get(0)).transpose()?
    } else {
        None
    };
    let seen = Seen {
        schema: &schema,
        oldest,
        present: &present,
        applied: &applied,
        call_log: &call_log,
        mapping: &mapping,
    };
    Ok(seen.judge(migrations))
}

/// `None` if the table has other columns.
async fn history(
    client: &impl GenericClient,
    columns: &[String],
) -> Result<Option<Vec<Applied>>, tokio_postgres::Error> {
    const READ: &str =
        "select version::int4, name::text, checksum::text from refinery_schema_history order by 1";
    if !["version", "name", "applied_on", "checksum"].iter().all(|name| columns.iter().any(|has| has == name))
    {
        return Ok(None);
    }
    let rows = client.query(READ, &[]).await?;
    let read = |row: &tokio_postgres::Row| {
        Ok(Applied { version: row.try_get(0)?, name: row.try_get(1)?, checksum: row.try_get(2)? })
    };
    rows.iter().map(read).collect::<Result<_, _>>().map(Some)
}

/// What was read from the database.
struct Seen<'read> {
    schema: &'read str,
    /// Name and kind, by the letter of `pg_class.relkind`; `f` for a function, `t` for a type.
    present: &'read BTreeMap<String, String>,
    applied: &'read [Applied],
    /// The last migration of the oldest program that runs on this schema.
    oldest: Option<i32>,
    /// Columns of `call_log`.
    call_log: &'read [String],
    /// Columns of `caller_voice_mapping`.
    mapping: &'read [String],
}

impl Seen<'_> {
    fn judge(&self, migrations: &[Migration]) -> Contents {
        let mut known: Vec<&Migration> = migrations.iter().collect();
        known.sort_unstable_by_key(|migration| migration.version());
        let refusal = self.foreign_history(&known).or_else(|| self.wrong_history(&known));
        if let Some(text) = refusal {
            return Contents::Unusable(text);
        }
        let (mut objects, mut coming) = (Objects::default(), BTreeSet::new());
        let mut all = Objects::default();
        let mut pending = Vec::new();
        for migration in &known {
            let sql = migration.sql().unwrap_or_default();
            if self.applied.iter().any(|row| row.version == migration.version()) {
                objects.follow(sql);
                all.follow(sql);
            } else {
                coming.extend(all.follow(sql));
                pending.push(migration.version());
            }
        }
        coming.retain(|name| !objects.named.contains_key(name));
        let colliding: Vec<&str> =
            coming.iter().map(String::as_str).filter(|name| self.present.contains_key(*name)).collect();
        if let Some(words) = self.inherited(&colliding) {
            let foreign: Vec<&str> =
                colliding.iter().copied().filter(|name| !INHERITED.contains(name)).collect();
            return match self.collision(&foreign, &all) {
                Some(text) => Contents::Unusable(text),
                None => Contents::Inherited { schema: self.schema.to_owned(), pending, words },
            };
        }
        let refusal = self.collision(&colliding, &all);
        if let Some(text) = refusal.or_else(|| self.incomplete(&objects)) {
            return Contents::Unusable(text);
        }
        let is_table = |kind: &str| matches!(kind, "r" | "p");
        let other_tables = self.present.iter().filter(|(name, kind)| {
            is_table(kind)
                && !objects.named.contains_key(*name)
                && !is_piece(name, &objects)
                && *name != HISTORY
        });
        let last = known.last().map_or(0, |migration| migration.version());
        Contents::Usable {
            schema: self.schema.to_owned(),
            is_newer: self.applied.iter().any(|row| row.version > last),
            applied: self.applied.last().map(|row| format!("V{}__{}", row.version, row.name)),
            pending,
            other_tables: other_tables.count(),
        }
    }

    /// A history of another program that uses the same library.
    fn foreign_history(&self, known: &[&Migration]) -> Option<String> {
        let (first, ours) = (self.applied.first()?, known.first()?);
        let is_ours = self.applied.iter().any(|row| {
            known.iter().any(|migration| migration.version() == row.version && migration.name() == row.name)
        });
        (!is_ours).then(|| {
            format!(
                "the migration history in the schema {} belongs to another program (V{}__{}, where precall has \
                 V{}__{}): give precall a database or a schema of its own",
                self.schema,
                first.version,
                first.name,
                ours.version(),
                ours.name()
            )
        })
    }

    /// A history of a newer precall on whose schema this one cannot run, of one that was built from other files, or one
    /// with gaps.
    fn wrong_history(&self, known: &[&Migration]) -> Option<String> {
        let last = known.last().map_or(0, |migration| migration.version());
        let runs_here = self.oldest.is_some_and(|oldest| oldest <= last);
        if let Some(newest) = self.applied.iter().rfind(|row| row.version > last && !runs_here) {
            return Some(format!(
                "the schema is of a newer precall: V{}__{} is applied, and this program knows V1 to V{last}. Start \
                 the newer program, or restore the backup from before the update",
                newest.version, newest.name
            ));
        }
        for row in self.applied.iter().filter(|row| row.version <= last) {
            let ours = known.iter().find(|migration| migration.version() == row.version);
            let is_same = ours
                .is_some_and(|ours| ours.name() == row.name && ours.checksum().to_string() == row.checksum);
            if !is_same {
                return Some(format!(
                    "V{}__{} was applied by a precall that was built with another text of this migration. Start the \
                     program that made this database, or give this one a database of its own",
                    row.version, row.name
                ));
            }
        }
        let newest = self.applied.last()?.version;
        let gap = known.iter().find(|migration| {
            migration.version() < newest && !self.applied.iter().any(|row| row.version == migration.version())
        })?;
        Some(format!(
            "{gap} is not applied, but V{newest} is: rows of {HISTORY} were removed. Restore the database from a backup"
        ))
    }

    /// The database of the service before. Its tables have the names of precall's, and other columns.
    fn inherited(&self, colliding: &[&str]) -> Option<String> {
        let found = INHERITED.iter().any(|name| *name != COMMON_NAME && colliding.contains(name));
        let is_ours =
            colliding.contains(&OUR_TABLE) || self.call_log.iter().any(|column| column == OUR_COLUMN);
        // Another program may have a table of this name, with other columns.
        let is_theirs = self.mapping.is_empty() || self.mapping.iter().any(|column| column == MAPPED_SAMPLE);
        if !found || is_ours || !is_theirs {
            return None;
        }
        let mut text = "this is the database of a VoiceClone Pre-Call Service, and precall changed nothing in it. \
                        `precall migrate --adopt --dry-run` says what would change, and `precall migrate --adopt` \
                        takes it over. Or give precall an empty database"
            .to_owned();
        if let Some(last) = self.applied.last() {
            let begun = format!(
                " (an earlier precall has applied V{}__{} here; the tables of the service are as they were)",
                last.version, last.name
            );
            text.push_str(&begun);
        }
        Some(text)
    }

    fn collision(&self, colliding: &[&str], all: &Objects) -> Option<String> {
        if colliding.is_empty() {
            return None;
        }
        let schema = self.schema;
        let tables = all.required(|kind| *kind == Kind::Table);
        let missing = tables.filter(|name| !self.present.contains_key(*name)).count();
        if missing == 0 && self.applied.is_empty() {
            return Some(format!(
                "the schema {schema} has the tables of precall, but not their migration history ({HISTORY}): restore \
                 it from the backup as well"
            ));
        }
        Some(format!(
            "the schema {schema} already has {}, and precall needs these names: give precall a database or a schema \
             of its own (options=-csearch_path=precall in DATABASE_URL)",
            name_list(colliding)
        ))
    }

    /// Applied migrations whose objects are gone.
    fn incomplete(&self, objects: &Objects) -> Option<String> {
        let needed = objects.required(|kind| *kind != Kind::OldTable && !of_old_table(kind, objects));
        let missing: Vec<&str> = needed.filter(|name| !self.present.contains_key(*name)).collect();
        (!missing.is_empty()).then(|| {
            format!(
                "the migrations are applied, but {} of the schema {} is missing: restore the database from a backup",
                name_list(&missing),
                self.schema
            )
        })
    }
}

/// An index goes with its table.
fn of_old_table(kind: &Kind, objects: &Objects) -> bool {
    matches!(kind, Kind::Index(table) if objects.named.get(table) == Some(&Kind::OldTable))
}

/// A partition, by its name: `call_events_20261130`.
fn is_piece(name: &str, objects: &Objects) -> bool {
    let Some((table, day)) = name.rsplit_once('_') else { return false };
    day.len() == 8 && day.bytes().all(|digit| digit.is_ascii_digit()) && objects.named.contains_key(table)
}
