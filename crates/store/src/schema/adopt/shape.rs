//! Whether the tables of the service before are as an adoption can take them over.

use tokio_postgres::Transaction;

use super::rules::TABLES;

/// The columns of the service before that are no times, with the types that they may have.
const COLUMNS: [(&str, &[(&str, Family)]); 7] = [
    (
        "caller_voice_mapping",
        &[
            ("id", Family::Id),
            ("caller_id", Family::Text),
            ("voice_sample_url", Family::Text),
            ("voice_name", Family::Text),
            ("description", Family::Text),
            ("account_id", Family::Text),
        ],
    ),
    (
        "voice_clone_cache",
        &[
            ("id", Family::Id),
            ("caller_id", Family::Text),
            ("cloned_voice_id", Family::Text),
            ("reuse_count", Family::Integer),
        ],
    ),
    (
        "call_log",
        &[
            ("id", Family::Id),
            ("call_id", Family::Text),
            ("threecx_call_id", Family::Text),
            ("caller_id", Family::Text),
            ("cloned_voice_id", Family::Text),
            ("duration_seconds", Family::Integer),
            ("transcript", Family::Text),
            ("status", Family::Text),
            ("metadata", Family::Json),
        ],
    ),
    (
        "voice_clone_log",
        &[
            ("id", Family::Id),
            ("caller_id", Family::Text),
            ("cloned_voice_id", Family::Text),
            ("api_response_time_ms", Family::Integer),
            ("sample_file_size_bytes", Family::Integer),
            ("status", Family::Text),
            ("error_message", Family::Text),
        ],
    ),
    (
        "clone_ready_events",
        &[
            ("id", Family::Id),
            ("caller_id", Family::Text),
            ("greeting_call_id", Family::Text),
            ("cloned_voice_id", Family::Text),
            ("clone_duration_ms", Family::Integer),
        ],
    ),
    (
        "clone_failed_events",
        &[
            ("id", Family::Id),
            ("caller_id", Family::Text),
            ("greeting_call_id", Family::Text),
            ("error_message", Family::Text),
        ],
    ),
    (
        "clone_transfer_events",
        &[
            ("id", Family::Id),
            ("greeting_call_id", Family::Text),
            ("agent_call_id", Family::Text),
            ("cloned_voice_id", Family::Text),
        ],
    ),
];

const FOUND: &str = "
    select c.relname::text, a.attname::text, format_type(a.atttypid, null),
        a.attnotnull and not a.atthasdef and a.attidentity = ''
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = current_schema()::regnamespace and c.relname = any($1)
    order by 1, a.attnum";

// Anything but the primary key, and the indexes and constraints that the service made.
const UNIQUE: &str = "
    select c.relname::text, i.relname::text
    from pg_index x join pg_class c on c.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
    where c.relnamespace = current_schema()::regnamespace and c.relname = any($1) and x.indisunique
        and not x.indisprimary and i.relname not in ('ix_caller_voice_mapping_caller_id', 'ix_call_log_call_id')
    order by 1, 2";

// PostgreSQL does not change the type of a column that a view uses.
const VIEWS: &str = "
    select distinct t.relname::text, v.relnamespace::regnamespace::text || '.' || v.relname
    from pg_depend d join pg_class t on t.oid = d.refobjid join pg_rewrite r on r.oid = d.objid
    join pg_class v on v.oid = r.ev_class
    where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and v.oid <> t.oid
        and t.relnamespace = current_schema()::regnamespace and t.relname = any($1)
    order by 1, 2";

const FOREIGN_OWNERS: &str = "
    select c.relname::text, c.relowner::regrole::text, current_user::text from pg_class c
    where c.relnamespace = current_schema()::regnamespace and c.relname = any($1)
        and not pg_has_role(c.relowner, 'usage')
    order by 1";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[FOUND, UNIQUE, VIEWS, FOREIGN_OWNERS];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Id,
    Text,
    Integer,
    Json,
    Time,
}

impl Family {
    fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "uuid" => Self::Id,
            "character varying" | "text" => Self::Text,
            "integer" => Self::Integer,
            "json" => Self::Json,
            "timestamp without time zone" => Self::Time,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Id => "uuid",
            Self::Text => "character varying",
            Self::Integer => "integer",
            Self::Json => "json",
            Self::Time => "timestamp without time zone",
        }
    }
}

/// What must be changed by hand before an adoption, one sentence each. Empty: nothing.
pub(crate) async fn obstacles(transaction: &Transaction<'_>) -> Result<Vec<String>, tokio_postgres::Error> {
    let tables: Vec<&str> = TABLES.iter().map(|(table, _)| *table).collect();
    let mut obstacles = Vec::new();
    for row in transaction.query(FOREIGN_OWNERS, &[&tables]).await? {
        let (table, owner, user): (String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        obstacles.push(format!(
            "{table} belongs to the role {owner}: put that role into DATABASE_URL, or run as an administrator \
             `alter table {table} owner to {user}`"
        ));
    }
    let mut found = Vec::new();
    for row in transaction.query(FOUND, &[&tables]).await? {
        let column: (String, String, String, bool) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        found.push(column);
    }
    obstacles.extend(wrong_columns(&found));
    for row in transaction.query(VIEWS, &[&tables]).await? {
        let (table, view): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        obstacles.push(format!(
            "the view {view} uses {table}, and its columns get other types: keep its definition, drop the view, and \
             make it again after the adoption"
        ));
    }
    for row in transaction.query(UNIQUE, &[&tables]).await? {
        let (table, index): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        obstacles.push(format!(
            "{table} has the unique index {index}, which is not of the service: precall would meet it. Drop it, with \
             its constraint if it has one"
        ));
    }
    Ok(obstacles)
}

/// Of (table, column, type, whether an insert must name it).
fn wrong_columns(found: &[(String, String, String, bool)]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut known = Vec::new();
    for ((table, columns), (_, times)) in COLUMNS.iter().zip(TABLES) {
        let times = times.iter().map(|name| (*name, Family::Time));
        for (name, family) in columns.iter().copied().chain(times) {
            known.push((*table, name));
            let kind = found.iter().find(|(of, column, ..)| of == table && column == name);
            match kind {
                None => {
                    wrong.push(format!("{table} has no column {name}: add it, of type {}", family.name()))
                }
                Some((_, _, kind, _)) if Family::of(kind) != Some(family) => wrong.push(format!(
                    "{table}.{name} is of type {kind}, where the service has {}: change the type back",
                    family.name()
                )),
                Some(_) => {}
            }
        }
    }
    for (table, column, _, is_needed) in found {
        if *is_needed && !known.contains(&(table.as_str(), column.as_str())) {
            wrong.push(format!(
                "{table}.{column} is not of the service, must not be null and has no default, so precall could add no \
                 row: run `alter table {table} alter column {column} drop not null`"
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, TABLES};

    #[test]
    fn both_lists_have_the_same_tables() {
        for ((table, _), (other, _)) in COLUMNS.iter().zip(TABLES) {
            assert_eq!(*table, other);
        }
    }
}
